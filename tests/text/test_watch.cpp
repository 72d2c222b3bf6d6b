// Tokenizers may be left at any moment: while they are read, and while they work.
#include "puna/base/error.h"
#include "puna/text/tokenizer.h"
#include "support/leaves.h"
#include "text/expectations.h"

using namespace puna;
using namespace puna::test;

namespace {

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
  file["normalizer"] = nlohmann::json::parse(
      R"({"type": "Sequence", "normalizers": [{"type": "Replace", "pattern": {"String": "?"}, "content": "!"}, {"type": "NFKC"}]})");
  const TokenizerPtr normalizing = tokenizer_from_json(file.dump(), "", "");
  std::string marks = "\uFDFA";
  for (int i = 0; i < 20000; ++i) marks += "\u0301\u0323";
  check_leaves("normalise", [&](const Watch& watch) { normalizing->encode(marks, false, watch); });
}
