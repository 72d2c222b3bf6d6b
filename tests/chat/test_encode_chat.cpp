// test_encode_chat.cpp -- what a message says is never a turn of its own: a special token is one only where the
// template wrote all of it, and nothing else about the ids changes.
#include <random>

#include "puna/base/error.h"
#include "support/status.h"
#include "text/expectations.h"
#include "text/normalizer.h"
#include "text/tokenizer_files.h"

using namespace puna;
using namespace puna::test;
using nlohmann::json;

namespace {

using Ids = std::vector<int32_t>;

// Pieces of template and message in turn, as a chat.
struct Chat {
  RenderedChat rendered;
  Chat& written(std::string_view text) {
    rendered.text += text;
    return *this;
  }
  Chat& said(std::string_view text) {
    const size_t begin = rendered.text.size();
    rendered.text += text;
    if (text.empty()) return *this;
    if (!rendered.content.empty() && rendered.content.back().end == begin)
      rendered.content.back().end = rendered.text.size();
    else
      rendered.content.push_back({begin, rendered.text.size()});
    return *this;
  }
};

// A byte-level tokenizer of all bytes and a few merges with these added tokens, each {"content": ..., flags}.
TokenizerPtr with_added(const json& added, const json& normalizer = nullptr) {
  static const json gpt2 =
      json::parse(read_text(PUNA_SOURCE_DIR "/tests/text/expected/tokenizer_gpt2_added.json"))["tokenizer"];
  json file = gpt2;
  file["added_tokens"] = json::array();
  file["normalizer"] = normalizer;
  file["pre_tokenizer"]["add_prefix_space"] = false;
  int32_t id = 1000;
  for (json token : added) {
    token["id"] = id++;
    file["added_tokens"].push_back(token);
  }
  return tokenizer_from_json(file.dump(), "", "");
}

json renamed(const json& file, const std::vector<std::string>& names, const std::vector<std::string>& to) {
  json out = file;
  for (json& token : out["added_tokens"])
    for (size_t i = 0; i < names.size(); ++i)
      if (token["content"] == names[i]) token["content"] = to[i];
  return out;
}

std::vector<json> flags_of_special_tokens() {
  return {json::object(),         {{"lstrip", true}},
          {{"rstrip", true}},     {{"lstrip", true}, {"rstrip", true}},
          {{"normalized", true}}, {{"normalized", true}, {"rstrip", true}}};
}

}  // namespace

// The other road to the same ids: a tokenizer whose special tokens have names that no message can hold, in the
// template's places only.
TEST_CASE("names of special tokens in a message are text, in every form of tokenizer.json", "[chat]") {
  const std::vector<std::string> names = {"<s>", "</s>", "<|x|>"},
                                 secret = {"\uE000\uE001", "\uE000\uE002", "\uE000\uE003"};
  const std::vector<std::string> said = {"<s>",
                                         "</s>",
                                         "<|x|>",
                                         "<",
                                         "s>",
                                         "|x|>",
                                         "/",
                                         " ",
                                         "  ",
                                         "\n",
                                         "the",
                                         " the",
                                         "word",
                                         "<mark>",
                                         " <mark> ",
                                         "caf\u00E9",
                                         "cafe",
                                         "\u0301",
                                         "\u0338",
                                         ">",
                                         "\uFF1C"
                                         "s\uFF1E",
                                         "\uFE64s\uFE65",
                                         "\u65E5",
                                         "!",
                                         "<s",
                                         "x",
                                         "'s"};
  const std::vector<std::string> written = {"the", " ", "\n", "word", "", "", "", "\n\n", "e", "!"};
  for (const auto& [name, file] : expectations("tokenizer_")) {
    int in_content = 0;
    for (const json& flags : flags_of_special_tokens()) {
      // There a normalised name begins with a space, and without one it is text: with another name it would be other
      // text.
      if (flags.contains("normalized") && file["tokenizer"]["normalizer"].dump().find("Prepend") != std::string::npos)
        continue;
      json changed = file["tokenizer"];
      for (json& token : changed["added_tokens"])
        if (token["special"].get<bool>() && token["content"] != "<unk>") token.update(flags);
      const TokenizerPtr t = tokenizer_from_json(changed.dump(), "", "");
      const TokenizerPtr hidden = tokenizer_from_json(renamed(changed, names, secret).dump(), "", "");
      std::mt19937 random(7);
      const auto one_of = [&](const auto& list) { return list[random() % list.size()]; };
      for (int round = 0; round < 60; ++round) {
        Chat chat;
        std::string other;
        for (size_t n = 1 + random() % 6; n > 0; --n) {
          const size_t k = random() % names.size();
          const std::string before = one_of(written), after = one_of(written);
          chat.written(before + names[k] + after);
          other += before + secret[k] + after;
          std::string text;
          for (size_t m = random() % 5; m > 0; --m) text += one_of(said);
          // Behind a name that is looked for in normalised text this mark joins its ">", in any text: then the token
          // was never there.
          if (flags.contains("normalized") && text.starts_with("\u0338")) text.erase(0, 2);
          chat.said(text);
          other += text;
        }
        CAPTURE(name, flags.dump(), chat.rendered.text);
        const Ids ids = t->encode_chat(chat.rendered);
        CHECK(ids == hidden->encode(other, true));
        in_content += ids != t->encode(chat.rendered.text, true);
      }
    }
    CAPTURE(name);
    CHECK(in_content > 30);
  }
}

TEST_CASE("a special token is one only where all of its bytes are the template's", "[chat]") {
  const TokenizerPtr t = with_added({{{"content", "<s>"}, {"special", true}},
                                     {{"content", "<s>>"}, {"special", true}},
                                     {{"content", "<mark>"}, {"special", false}}});
  const int32_t s = t->find("<s>"), longer = t->find("<s>>"), mark = t->find("<mark>");
  const auto has = [](const Ids& ids, int32_t id) { return std::count(ids.begin(), ids.end(), id); };

  CHECK(t->encode_chat(Chat().written("<s>").rendered) == Ids{s});
  CHECK(t->encode_chat(Chat().said("<s>").rendered) == t->encode("<s>", false));
  CHECK(has(t->encode_chat(Chat().written("<s").said(">").rendered), s) == 0);
  CHECK(has(t->encode_chat(Chat().said("<").written("s>").rendered), s) == 0);
  CHECK(has(t->encode_chat(Chat().written("<").said("s").written(">").rendered), s) == 0);
  // The longest name reaches into the message; a shorter one does not.
  CHECK(t->encode_chat(Chat().written("<s>>").rendered) == Ids{longer});
  const Ids cut = t->encode_chat(Chat().written("<s>").said(">").rendered);
  CHECK(cut.front() == s);
  CHECK(cut.size() == 2);
  // User-defined tokens are found everywhere, as ever.
  CHECK(t->encode_chat(Chat().said("<mark>").rendered) == Ids{mark});
  CHECK(t->encode_chat(Chat().written("<ma").said("rk>").rendered) == Ids{mark});
  // A name that is text in a message may hold another's start.
  CHECK(has(t->encode_chat(Chat().said("<s><").written("s><s>").rendered), s) == 1);
  // A turn between two messages.
  const Ids turns = t->encode_chat(Chat().said("a<s>").written("<s>").said("<s>b").written("<s>").rendered);
  CHECK(has(turns, s) == 2);
  CHECK(t->decode(turns, true) == "a<s><s><s>b<s>");
}

TEST_CASE("merges and spaces go across the edges of a message as they ever did", "[chat]") {
  const TokenizerPtr t = with_added({{{"content", "<s>"}, {"special", true}, {"rstrip", true}, {"lstrip", true}}});
  const std::string text = "the<s>  the word <s>word the";
  for (size_t begin = 6; begin < text.size(); ++begin)
    for (size_t end = begin + 1; end <= text.size(); ++end) {
      if (begin < 20 && end > 17) continue;  // the second <s>
      CHECK(t->encode_chat({text, {{begin, end}}}) == t->encode(text, true));
    }
}

TEST_CASE("a special token that is looked for after normalisation cannot be made by a message", "[chat]") {
  const json nfkc_and_more = json::parse(
      R"({"type": "Sequence", "normalizers": [{"type": "NFKC"}, {"type": "Replace", "pattern": {"String": "#"}, "content": ""},
      {"type": "Replace", "pattern": {"String": "(("}, "content": "<s>"}]})");
  const TokenizerPtr t = with_added({{{"content", "<s>"}, {"special", true}, {"normalized", true}}}, nfkc_and_more);
  const int32_t s = t->find("<s>");
  const auto count = [&](const Chat& chat) {
    const Ids ids = t->encode_chat(chat.rendered), all = t->encode(chat.rendered.text, true);
    CHECK(std::count(all.begin(), all.end(), s) > 0);  // otherwise the case says nothing
    return std::count(ids.begin(), ids.end(), s);
  };
  const char* const wide = "\uFF1Cs\uFF1E";  // < and > of full width
  CHECK(count(Chat().written(wide)) == 1);
  CHECK(count(Chat().said(wide)) == 0);
  CHECK(count(Chat().written("\uFF1Cs").said("\uFF1E")) == 0);
  CHECK(count(Chat().said("a").written(wide).said("b")) == 1);
  CHECK(count(Chat().written("((")) == 1);
  CHECK(count(Chat().said("((")) == 0);
  CHECK(count(Chat().written("(").said("(")) == 0);
  CHECK(count(Chat().said("#").written("<s>").said("#")) == 1);    // what goes beside a token takes nothing from it
  CHECK(count(Chat().written("<").said("#").written("s>")) == 0);  // what goes inside it would have made it
  CHECK(count(Chat().written("<#s>")) == 1);
  CHECK(count(Chat().said("e").written("<s>").said("\u0301")) == 1);
  CHECK(count(Chat().said("\u0344\u0301\u0323").written("<s>").said(wide)) == 1);
}

TEST_CASE("marks of content follow their characters through the normal forms", "[chat]") {
  const std::string c(1, text::kMarkContent), g(1, text::kMarkGap), none(1, '\0');
  const auto marks = [](std::string text, std::string marks, bool compatible, bool compose) {
    const std::string out = text::normal_form(text, compatible, compose, &marks);
    CHECK(out == text::normal_form(text, compatible, compose));
    REQUIRE(marks.size() == out.size());
    return marks;
  };
  CHECK(marks("e\u0301", none + c + c, false, true) == c + c);              // composed of both
  CHECK(marks("\u00E9x", c + c + none, false, false) == c + c + c + none);  // taken apart
  CHECK(marks("\uFDFA", none + none + none, true, true) == std::string(33, '\0'));
  CHECK(marks("a\u0301\u0323", none + c + c + none + none, false, false) ==
        none + none + none + c + c);  // in order of their classes
  CHECK(marks("\u00E9x", g + none + none, false, false) == g + none + none + none);
  CHECK(marks("e\u0301", none + g + none, false, true) == c + c);  // what went in between is content
  CHECK(marks("\xFF"
              "\u00E9",
              c + none + none, false, true) == c + none + none);  // malformed bytes keep theirs
}

TEST_CASE("spans of content that are out of order or outside the chat are refused", "[chat]") {
  const TokenizerPtr t = with_added({{{"content", "<s>"}, {"special", true}}});
  for (const std::vector<TextSpan>& spans : {std::vector<TextSpan>{{0, 0}},
                                             {{2, 1}},
                                             {{0, 5}},
                                             {{5, 6}},
                                             {{2, 3}, {1, 2}},
                                             {{0, 2}, {1, 3}},
                                             {{0, SIZE_MAX}}})
    CHECK(status_of([&] { t->encode_chat({"four", spans}); }) == Status::invalid_argument);
  CHECK(t->encode_chat({"four", {{0, 2}, {2, 4}}}) == t->encode("four", true));
}

TEST_CASE("golden chats have their golden ids, wherever their messages lie in memory", "[chat][golden]") {
  const auto check = [](const Tokenizer& t, const json& cases) {
    REQUIRE(!cases.empty());
    size_t with_content = 0;
    for (const json& c : cases) {
      const std::string text = c["text"];
      CAPTURE(text);
      RenderedChat chat{text, {}};
      size_t at = 0;
      for (const json& m : c["messages"]) {
        if (!m.contains("content") || !m["content"].is_string()) continue;
        const std::string said = m["content"];
        const size_t line = said.empty()
                                ? std::string::npos
                                : text.find("\n" + said, at);  // behind a header; elsewhere "a" is a part of a name
        if (line == std::string::npos) continue;
        const size_t found = line + 1;
        const Ids ids = t.encode(said, true);
        if (std::any_of(ids.begin(), ids.end(), [&](int32_t id) { return t.is_special(id); })) continue;
        chat.content.push_back({found, at = found + said.size()});
      }
      with_content += !chat.content.empty();
      CHECK(t.encode_chat(chat) == t.encode(text, true));
      RenderedChat all{text, {{0, text.size()}}};
      if (!text.empty()) CHECK(t.encode_chat(all) == t.encode(text, false));
    }
    CHECK(with_content > 0);
  };
  for (const Golden& g : goldens(is_tokenizer_set)) {
    if (!llama4_tokenizer().empty())
      check(*tokenizer_from_tiktoken(read_text(llama4_tokenizer())), g.group("llama4_hf_template"));
    if (!llama3_tokenizer().empty())
      check(*tokenizer_from_tiktoken(read_text(llama3_tokenizer())), g.group("llama4_hf_template"));
    if (!smollm2().empty()) check(*load_smollm2(), g.group("smollm2_template"));
    for (const Golden& set : goldens([](const Golden& s) { return s.has_file("tokenizer.json"); }))
      check(*tokenizer_from_json(read_text(set.folder() + "/tokenizer.json"), "", ""), g.group("llama4_hf_template"));
  }
}

TEST_CASE("a message beyond the places where a long text is cut is still a message", "[chat][golden]") {
  if (llama4_tokenizer().empty()) PUNA_SKIP("no llama4-tokenizer.model in the model cache");
  const TokenizerPtr t = tokenizer_from_tiktoken(read_text(llama4_tokenizer()));
  std::string line;
  for (int i = 0; i < 90000; ++i) line += "word ";
  const std::string eot = "<|eot|>";
  const Ids ids = t->encode_chat(Chat()
                                     .written(eot)
                                     .said(line + eot)
                                     .written(eot)
                                     .said(eot + std::string(60000, 'x') + eot)
                                     .written(eot)
                                     .rendered);
  CHECK(std::count(ids.begin(), ids.end(), t->find(eot)) == 3);
  CHECK(ids.back() == t->find(eot));
}
