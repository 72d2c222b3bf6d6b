// Tokenizers and templates may be left at any moment: while they are read, and while they work.
#include <functional>

#include "puna/base/error.h"
#include "puna/text/chat_template.h"
#include "puna/text/tokenizer.h"
#include "support/status.h"
#include "text/expectations.h"

using namespace puna;
using namespace puna::test;

namespace {

// `work` asks, and whichever question is answered with no is its end.
void check_leaves(const char* what, const std::function<void(const Watch&)>& work) {
  CAPTURE(what);
  const auto asked_until = [&](int last, int& asked) {
    const auto go_on = [&] { return ++asked != last; };
    return status_of([&] { work(Watch(go_on, std::chrono::microseconds(0))); });
  };
  int whole = 0;
  REQUIRE(asked_until(-1, whole) == Status::ok);
  REQUIRE(whole > 1);
  for (int last = 1; last <= whole; last += 1 + whole / 37) {
    int asked = 0;
    CHECK(asked_until(last, asked) == Status::cancelled);
    CHECK(asked == last);
  }
}

// Bytes, and pairs of them: enough for several questions in each of the steps of a tokenizer.
struct Bpe {
  std::vector<std::string> tokens, merges;
  Bpe() {
    for (char c = 'A'; c <= 'Z'; ++c) tokens.push_back({c});
    for (char c = 'a'; c <= 'z'; ++c) tokens.push_back({c});
    const std::vector<std::string> letters = tokens;
    for (const std::string& a : letters)
      for (const std::string& b : letters) {
        tokens.push_back(a + b);
        merges.push_back(a + " " + b);
      }
  }
};

}  // namespace

TEST_CASE("a tokenizer may be left while it is read and while it encodes", "[text]") {
  const Bpe bpe;
  Metadata m;
  m.set("tokenizer.ggml.model", std::string("gpt2"));
  m.set("tokenizer.ggml.pre", std::string("gpt-2"));
  m.set("tokenizer.ggml.tokens", bpe.tokens);
  m.set("tokenizer.ggml.merges", bpe.merges);
  check_leaves("GGUF", [&](const Watch& watch) { tokenizer_from_gguf(m, watch); });

  nlohmann::json file = {{"added_tokens", nlohmann::json::array()},
                         {"pre_tokenizer", {{"type", "ByteLevel"}, {"add_prefix_space", false}}},
                         {"decoder", {{"type", "ByteLevel"}}},
                         {"model", {{"type", "BPE"}, {"merges", bpe.merges}}}};
  for (size_t id = 0; id < bpe.tokens.size(); ++id) file["model"]["vocab"][bpe.tokens[id]] = id;
  const std::string json = file.dump();
  check_leaves("tokenizer.json", [&](const Watch& watch) { tokenizer_from_json(json, "", "", watch); });

  const TokenizerPtr tokenizer = tokenizer_from_gguf(m);
  std::string text;
  for (int i = 0; i < 20000; ++i) text += "some words ";
  check_leaves("encode", [&](const Watch& watch) { tokenizer->encode(text, false, watch); });
  const std::string word(200'000, 'a');  // one piece
  check_leaves("a long word", [&](const Watch& watch) { tokenizer->encode(word, false, watch); });
  check_leaves("a chat", [&](const Watch& watch) { tokenizer->encode_chat({text, {{10, 1000}}}, watch); });

  // Normalizers and added tokens, over a text that has nothing for either.
  file["normalizer"] = nlohmann::json::parse(R"({"type": "Sequence", "normalizers": [{"type": "Replace", "pattern": {"String": "?"}, "content": "!"}, {"type": "NFKC"}]})");
  const TokenizerPtr normalizing = tokenizer_from_json(file.dump(), "", "");
  std::string marks = "\uFDFA";
  for (int i = 0; i < 20000; ++i) marks += "\u0301\u0323";
  check_leaves("normalise", [&](const Watch& watch) { normalizing->encode(marks, false, watch); });
}

TEST_CASE("a template may be left while it is parsed and while it renders", "[text]") {
  std::string source;
  for (int i = 0; i < 1000; ++i) source += "{% if a %}x{% else %}{{ b | trim }}{% endif %}";
  check_leaves("parse", [&](const Watch& watch) { ChatTemplate::parse(source, {}, watch); });
  const auto loop = ChatTemplate::parse("{% for i in range(20000) %}{{ i }},{% endfor %}");
  check_leaves("render", [&](const Watch& watch) { loop->render("{}", {}, watch); });
  const auto plain = ChatTemplate::parse("{{ messages | length }}");
  std::string messages = R"({"messages": [)";
  for (int i = 0; i < 5000; ++i) messages += R"({"role": "user", "content": "some text"},)";
  messages.back() = ']';
  messages += "}";
  check_leaves("variables", [&](const Watch& watch) { plain->render(messages, {}, watch); });
}
