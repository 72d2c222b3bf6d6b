// test_sentencepiece.cpp -- "llama" vocabularies of GGUF files against SentencePiece itself.
#include "puna/text/tokenizer.h"
#include "text/expectations.h"

using namespace puna;
using namespace puna::test;

namespace {

Metadata metadata_of(const nlohmann::json& values) {
  Metadata m;
  for (const auto& [key, v] : values.items()) {
    if (v.is_boolean())
      m.set(key, v.get<bool>());
    else if (v.is_number_integer())
      m.set(key, v.get<int64_t>());
    else if (v.is_string())
      m.set(key, v.get<std::string>());
    else if (key.ends_with("scores"))
      m.set(key, v.get<std::vector<double>>());
    else if (v.is_array() && v[0].is_string())
      m.set(key, v.get<std::vector<std::string>>());
    else
      m.set(key, v.get<std::vector<int64_t>>());
  }
  return m;
}

}  // namespace

TEST_CASE("SentencePiece vocabularies in GGUF encode and decode as SentencePiece does", "[text]") {
  for (const auto& [name, file] : expectations("sentencepiece_")) {
    const auto& values = file["metadata"];
    const TokenizerPtr t = tokenizer_from_gguf(metadata_of(values));
    REQUIRE(t);
    CHECK(t->specials().bos == values["tokenizer.ggml.bos_token_id"].get<int32_t>());
    CHECK(t->specials().eos == values["tokenizer.ggml.eos_token_id"].get<int32_t>());
    CHECK(t->specials().add_bos);
    for (const auto& c : file["cases"]) {
      const std::string text = c["text"];
      const std::vector<int32_t> ids = c["ids"];
      CAPTURE(name, text);
      CHECK(t->encode(text, false) == ids);
      const int32_t unknown = values["tokenizer.ggml.unknown_token_id"];
      if (std::find(ids.begin(), ids.end(), unknown) == ids.end())
        CHECK(t->decode(ids, false) == c["decoded"].get<std::string>());
    }
  }
}

TEST_CASE("A space goes in front of the text and after control tokens, not after user-defined ones", "[text]") {
  const Metadata m = metadata_of(nlohmann::json::parse(R"({"tokenizer.ggml.model": "llama", "tokenizer.ggml.tokens":
      ["<unk>", "<s>", "</s>", "<0x41>", "<u>", "\u2581", "a", "\u2581a", "\u2581\u2581"], "tokenizer.ggml.scores": [0, 0, 0, 0, 0, -3, -2, -1, -1.5],
      "tokenizer.ggml.token_type": [2, 3, 3, 6, 4, 1, 1, 1, 1]})"));
  const TokenizerPtr t = tokenizer_from_gguf(m);
  CHECK(t->specials().bos == 1);  // SentencePiece's own numbers, when the file does not say
  CHECK(t->specials().eos == 2);
  CHECK(t->encode("a", false) == std::vector<int32_t>{7});
  CHECK(t->encode("", false).empty());
  CHECK(t->encode(" ", false) == std::vector<int32_t>{8});
  CHECK(t->encode("a<s>a<u>a a", true) == std::vector<int32_t>{7, 1, 7, 4, 6, 7});
  CHECK(t->encode("aA?", false) == std::vector<int32_t>{7, 3, 0});
  CHECK(t->bytes(3) == "A");
  CHECK(t->bytes(7) == " a");
  CHECK(t->kind(3) == TokenKind::byte);
  CHECK(t->decode({1, 7, 7}, false) == "a a");
  CHECK(t->decode({6, 7}, false) == "a a");
}
