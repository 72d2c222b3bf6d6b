// test_tokenizer_json.cpp -- every published form of tokenizer.json against Hugging Face's own library.
#include "puna/text/tokenizer.h"

#include "puna/base/error.h"
#include "text/expectations.h"

using namespace puna;
using namespace puna::test;

TEST_CASE("tokenizer.json in all its forms encodes and decodes as Hugging Face's library does", "[text]") {
  for (const auto& [name, file] : expectations("tokenizer_")) {
    const TokenizerPtr t = tokenizer_from_json(file["tokenizer"].dump(), "", "");
    REQUIRE(!file["cases"].empty());
    for (const auto& c : file["cases"]) {
      const std::string text = c["text"], decoded = c["decoded"], decoded_all = c["decoded_all"];
      CAPTURE(name, text);
      CHECK(t->encode(text, false) == c["ids"].get<std::vector<int32_t>>());
      const std::vector<int32_t> ids = t->encode(text, true);
      CHECK(ids == c["ids_special"].get<std::vector<int32_t>>());
      // Where bytes are not UTF-8, ours stay bytes and theirs are replaced already.
      if (decoded.find("\xEF\xBF\xBD") == std::string::npos) CHECK(t->decode(ids, false) == decoded);
      if (decoded_all.find("\xEF\xBF\xBD") == std::string::npos) CHECK(t->decode(ids, true) == decoded_all);
    }
  }
}

namespace {

// A byte-level tokenizer over a handful of letters, with what `changes` puts over it.
nlohmann::json small(const nlohmann::json& changes = {}) {
  nlohmann::json file = nlohmann::json::parse(R"({
    "added_tokens": [{"id": 6, "content": "<s>", "special": true}, {"id": 7, "content": "<|eot|>", "special": true}, {"id": 8, "content": "</s>", "special": true}],
    "normalizer": null, "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false}, "decoder": {"type": "ByteLevel"}, "post_processor": null,
    "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "c": 2, "ab": 3, "abc": 4, "\u0120": 5}, "merges": ["a b", "ab c"]}})");
  if (changes.is_object()) file.merge_patch(changes);
  return file;
}
TokenizerPtr open(const nlohmann::json& changes, const char* config = "", const char* generation = "") {
  return tokenizer_from_json(small(changes).dump(), config, generation);
}
std::string error_of(const std::string& json, const char* config = "", const char* generation = "") {
  try {
    tokenizer_from_json(json, config, generation);
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}
std::string error_with(const nlohmann::json& changes) { return error_of(small(changes).dump()); }

}  // namespace

TEST_CASE("Beginning and end come from tokenizer_config.json, generation_config.json and the post-processor", "[text]") {
  const TokenizerPtr bare = open({});
  CHECK(bare->specials().bos == -1);
  CHECK(bare->specials().eos == -1);
  CHECK(bare->specials().stop == std::vector<int32_t>{7, 8});  // known by name
  CHECK_FALSE(bare->specials().add_bos);

  const TokenizerPtr full = open({}, R"({"bos_token": "<s>", "eos_token": {"content": "</s>"}, "add_bos_token": true})", R"({"eos_token_id": [7, 4]})");
  CHECK(full->specials().bos == 6);
  CHECK(full->specials().eos == 8);
  CHECK(full->specials().stop == std::vector<int32_t>{8, 7, 4});
  CHECK(full->specials().add_bos);

  const char* const post = R"({"post_processor": {"type": "Sequence", "processors": [{"type": "ByteLevel"},
      {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A"}}]}]}})";
  const TokenizerPtr templated = open(nlohmann::json::parse(post), "", R"({"eos_token_id": 7})");
  CHECK(templated->specials().bos == 6);
  CHECK(templated->specials().eos == 7);
  CHECK(templated->specials().add_bos);
}

TEST_CASE("A small tokenizer.json does what it says", "[text]") {
  const TokenizerPtr t = open({});
  CHECK(t->size() == 9);
  CHECK(t->encode("abcab c", false) == std::vector<int32_t>{4, 3, 5, 2});
  CHECK(t->encode("a<s>b", true) == std::vector<int32_t>{0, 6, 1});
  CHECK(t->encode("a<s>b", false) == std::vector<int32_t>{0, 1});  // '<', 's', '>' have no tokens and there is no unknown token
  CHECK(t->bytes(5) == " ");
  CHECK(t->find("<|eot|>") == 7);
  CHECK(t->find("abc") == 4);
  CHECK(t->find("abd") == -1);
  CHECK(t->decode({6, 4, 5, 0, 8}, false) == "abc a");
  CHECK(t->decode({6, 4, 5, 0, 8}, true) == "<s>abc a</s>");
  CHECK_THROWS_AS(t->bytes(9), Error);
  CHECK_THROWS_AS(t->bytes(-1), Error);
  CHECK_THROWS_AS(t->decode({0, INT32_MAX}, true), Error);
}

TEST_CASE("A hostile or foreign tokenizer.json is refused by the name of what is wrong", "[text]") {
  using Catch::Contains;
  const auto json = [](const char* text) { return nlohmann::json::parse(text); };
  CHECK_THAT(error_of(""), Contains("tokenizer.json"));
  CHECK_THAT(error_of("[]"), Contains("expected an object"));
  CHECK_THAT(error_of(R"({"model": {"vocab": {"a": 0, "a": 1}, "merges": []}})"), Contains("appears twice"));
  CHECK_THAT(error_of(R"({"model": {"vocab": {}, "merges": []}})"), Contains("at least one token"));
  CHECK_THAT(error_with(json(R"({"model": {"type": "Unigram"}})")), Contains("model.type") && Contains("Unigram"));
  CHECK_THAT(error_with(json(R"({"model": {"vocab": {"b": 0}}})")), Contains("share the id 0"));
  CHECK_THAT(error_with(json(R"({"model": {"vocab": {"b": -1}}})")), Contains("model.vocab['b']"));
  CHECK_THAT(error_with(json(R"({"model": {"vocab": {"b": 2000000000}}})")), Contains("model.vocab['b']"));
  CHECK_THAT(error_with(json(R"({"model": {"vocab": {"b": 1.5}}})")), Contains("model.vocab['b']"));
  CHECK_THAT(error_with(json(R"({"model": {"merges": ["a b", "a d"]}})")), Contains("model.merges[1]") && Contains("'d'"));
  CHECK_THAT(error_with(json(R"({"model": {"merges": ["b a"]}})")), Contains("'ba'"));
  CHECK_THAT(error_with(json(R"({"model": {"merges": ["ab"]}})")), Contains("model.merges[0]"));
  CHECK_THAT(error_with(json(R"({"model": {"merges": [["a", "b"], ["a", "b"]]}})")), Contains("merged twice"));
  CHECK_THAT(error_with(json(R"({"model": {"merges": [["a", 1]]}})")), Contains("model.merges[0]"));
  CHECK_THAT(error_with(json(R"({"model": {"merges": {"a": "b"}}})")), Contains("model.merges"));
  CHECK_THAT(error_with(json(R"({"model": {"unk_token": "?"}})")), Contains("unk_token"));
  CHECK_THAT(error_with(json(R"({"model": {"end_of_word_suffix": "</w>"}})")), Contains("end_of_word_suffix"));
  CHECK_THAT(error_with(json(R"({"added_tokens": [{"id": 0, "content": "<s>"}]})")), Contains("share the id 0"));
  CHECK_THAT(error_with(json(R"({"added_tokens": [{"content": "<s>"}]})")), Contains("added_tokens[0]"));
  CHECK_THAT(error_with(json(R"({"normalizer": {"type": "BertNormalizer"}})")), Contains("normalizer") && Contains("BertNormalizer"));
  CHECK_THAT(error_with(json(R"({"normalizer": {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}})")), Contains(" {2,}"));
  CHECK_THAT(error_with(json(R"({"pre_tokenizer": {"type": "Split", "pattern": {"Regex": "\\w+"}, "behavior": "Isolated"}})")), Contains("\\w+"));
  CHECK_THAT(error_with(json(R"({"pre_tokenizer": {"type": "Split", "pattern": {"Regex": "\\p{N}"}, "behavior": "Removed", "invert": true}})")), Contains("Removed"));
  CHECK_THAT(error_with(json(R"({"pre_tokenizer": {"type": "Whitespace"}})")), Contains("Whitespace"));
  CHECK_THAT(error_with(json(R"({"decoder": {"type": "WordPiece"}})")), Contains("decoder") && Contains("WordPiece"));
  CHECK_THAT(error_with(json(R"({"decoder": {"type": "Fuse"}})")), Contains("ByteLevel"));
  CHECK_THAT(error_of(small().dump(), R"({"eos_token": "<end>"})"), Contains("tokenizer_config.json: eos_token") && Contains("<end>"));
  CHECK_THAT(error_of(small().dump(), "", R"({"eos_token_id": [7, 9]})"), Contains("generation_config.json: eos_token_id[1]"));
}
