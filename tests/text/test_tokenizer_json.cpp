// test_tokenizer_json.cpp -- every published form of tokenizer.json against Hugging Face's own library.
#include "puna/text/tokenizer.h"

#include "puna/base/error.h"
#include "support/status.h"
#include "text/expectations.h"

using namespace puna;
using namespace puna::test;

namespace test_tokenizer_json {
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

TEST_CASE("added tokens of every kind are found, swallow white space and decode as in Hugging Face's library",
          "[text]") {
  const auto sets = expectations("added_tokens")[0].second;
  REQUIRE(sets.size() >= 50);
  for (const auto& set : sets) {
    const std::string form = set["form"];
    nlohmann::json file = expectations("tokenizer_" + form)[0].second["tokenizer"];
    file["added_tokens"] = set["added_tokens"];
    if (auto& step = file["pre_tokenizer"]; step.is_object() && step["type"] == "ByteLevel")
      step["add_prefix_space"] = set["prefix_space"];
    const TokenizerPtr t = tokenizer_from_json(file.dump(), "", "");
    for (const auto& c : set["cases"]) {
      const std::string text = c["text"], decoded = c["decoded"];
      CAPTURE(form, set["added_tokens"].dump(), text);
      const std::vector<int32_t> ids = t->encode(text, true);
      CHECK(ids == c["ids"].get<std::vector<int32_t>>());
      if (decoded.find("\xEF\xBF\xBD") == std::string::npos) CHECK(t->decode(ids, true) == decoded);
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

TEST_CASE("Beginning and end come from tokenizer_config.json, generation_config.json and the post-processor",
          "[text]") {
  const TokenizerPtr bare = open({});
  CHECK(bare->specials().bos == -1);
  CHECK(bare->specials().eos == -1);
  CHECK(bare->specials().stop == std::vector<int32_t>{7, 8});  // known by name
  CHECK_FALSE(bare->specials().add_bos);

  const TokenizerPtr full = open({}, R"({"bos_token": "<s>", "eos_token": {"content": "</s>"}, "add_bos_token": true})",
                                 R"({"eos_token_id": [7, 4]})");
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

TEST_CASE("A small tokenizer.json with every kind of step gives the expected ids", "[text]") {
  const TokenizerPtr t = open({});
  CHECK(t->size() == 9);
  CHECK(t->encode("abcab c", false) == std::vector<int32_t>{4, 3, 5, 2});
  CHECK(t->encode("a<s>b", true) == std::vector<int32_t>{0, 6, 1});
  CHECK(t->encode("a<s>b", false) ==
        std::vector<int32_t>{0, 1});  // '<', 's', '>' have no tokens and there is no unknown token
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

TEST_CASE("A special token that tokenizer.json lacks is not used, and noted", "[text]") {
  using Catch::Contains;
  const TokenizerPtr t =
      open({}, R"({"bos_token": "<begin>", "eos_token": {"content": "<end>"}, "add_bos_token": true})");
  CHECK(t->specials().bos == -1);
  CHECK(t->specials().eos == -1);
  CHECK_FALSE(t->specials().add_bos);
  CHECK(t->specials().stop == std::vector<int32_t>{7, 8});
  REQUIRE(t->notes().size() == 2);
  CHECK_THAT(t->notes()[0], Contains("tokenizer_config.json: bos_token") && Contains("'<begin>'"));
  CHECK_THAT(t->notes()[1], Contains("tokenizer_config.json: eos_token") && Contains("'<end>'"));
  // The generation's ids stand in.
  CHECK(open({}, R"({"eos_token": "<end>"})", R"({"eos_token_id": 7})")->specials().eos == 7);

  for (const char* id :
       {"9", "-1", "-2147483648", "4294967295", "9223372036854775807", "18446744073709551615", "[9]", "[7, 9, -1]"}) {
    const TokenizerPtr out = open({}, "", (std::string(R"({"eos_token_id": )") + id + "}").c_str());
    CAPTURE(id);
    CHECK(out->specials().eos == (std::string(id).starts_with("[7") ? 7 : -1));
    REQUIRE_FALSE(out->notes().empty());
    CHECK_THAT(out->notes()[0], Contains("generation_config.json: eos_token_id") && Contains("0 to 8"));
  }
  for (const char* id : {"null", "[]", "7", "[7]", "[7, 8]"})
    CHECK(open({}, "", (std::string(R"({"eos_token_id": )") + id + "}").c_str())->notes().empty());

  const TokenizerPtr padded =
      tokenizer_from_json(small().dump(), "", R"({"eos_token_id": [11, 12]})", Watch(), /*rows=*/12);
  CHECK(padded->specials().eos == 11);
  CHECK(padded->specials().stop == std::vector<int32_t>{11, 7, 8});
  CHECK(padded->notes().size() == 1);
  CHECK(padded->decode({0, 11, 1}, false) == "ab");
}

TEST_CASE("A special token that is looked for after normalisation is found by the name in the file", "[text]") {
  const nlohmann::json changes =
      nlohmann::json::parse(R"({"normalizer": {"type": "Prepend", "prepend": "ab"}, "added_tokens": [
      {"id": 6, "content": "<s>", "special": true, "normalized": true}, {"id": 7, "content": "<|eot|>", "special": true, "normalized": true}]})");
  const TokenizerPtr t = open(changes, R"({"bos_token": "<s>", "eos_token": "<|eot|>"})");
  CHECK(t->specials().bos == 6);
  CHECK(t->specials().eos == 7);
  CHECK(t->specials().stop == std::vector<int32_t>{7});
  CHECK(t->find("<s>") == 6);
  CHECK(t->notes().empty());
  CHECK(t->bytes(6) == "<s>");
}

TEST_CASE("Added tokens may have gaps between them, stand there twice, or look for the same text", "[text]") {
  const auto added = [](const char* tokens) {
    return nlohmann::json::parse(std::string(R"({"added_tokens": )") + tokens + "}");
  };
  const TokenizerPtr gaps = open(added(R"([{"id": 20, "content": "<s>", "special": true}])"));
  CHECK(gaps->size() == 21);
  CHECK(gaps->kind(12) == TokenKind::unused);
  CHECK(gaps->encode("a<s>", true) == std::vector<int32_t>{0, 20});
  const TokenizerPtr twice =
      open(added(R"([{"id": 6, "content": "<s>", "special": true}, {"id": 6, "content": "<s>", "special": true}])"));
  CHECK(twice->encode("a<s>", true) == std::vector<int32_t>{0, 6});
  CHECK_THAT(error_with(added(
                 R"([{"id": 6, "content": "<s>", "special": true}, {"id": 7, "content": "<s>", "special": true}])")),
             Catch::Contains("'<s>' has two ids, 6 and 7"));
  nlohmann::json same =
      added(R"([{"id": 6, "content": "\ufb01", "normalized": true}, {"id": 7, "content": "fi", "normalized": true}])");
  same["normalizer"] = {{"type", "NFKC"}};
  CHECK(open(same)->encode("fi", true) == std::vector<int32_t>{7});
}

TEST_CASE("A tokenizer.json of another kind is unsupported, also when it does not say its kind", "[text]") {
  const auto status = [](const char* model) {
    return test::status_of([&] { tokenizer_from_json(std::string(R"({"model": )") + model + "}", "", ""); });
  };
  CHECK(status(R"({"vocab": [["a", -1.0], ["b", -2.0]], "unk_id": 0})") == Status::unsupported);
  CHECK(status(R"({"type": "Unigram", "vocab": [["a", -1.0]], "unk_id": 0})") == Status::unsupported);
  CHECK(status(R"({"vocab": {"a": 0}, "unk_token": "a", "continuing_subword_prefix": "##"})") == Status::unsupported);
  CHECK(status(R"({"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "a"})") == Status::unsupported);
  CHECK(status(R"({"vocab": {"a": 0}, "merges": []})") == Status::ok);
  CHECK(status(R"({"vocab": 7, "merges": []})") == Status::bad_file);
  CHECK(status("null") == Status::unsupported);  // nothing is said
}

TEST_CASE("A pipeline that doubles, nests or grows without end is refused by the step that does", "[text]") {
  using Catch::Contains;
  const auto pipeline = [](const char* field, const char* list, const std::string& step, size_t n) {
    std::string steps;
    for (size_t i = 0; i < n; ++i) steps += (i ? "," : "") + step;
    return nlohmann::json::parse(std::string("{\"") + field + R"(": {"type": "Sequence", ")" + list + "\": [" + steps +
                                 "]}}");
  };
  const auto message = [](const auto& f) -> std::string {
    try {
      f();
    } catch (const Error& e) {
      return e.what();
    }
    return "no error";
  };
  const std::string doubling = R"({"type": "Replace", "pattern": {"String": "a"}, "content": "aa"})";
  const nlohmann::json normal = pipeline("normalizer", "normalizers", doubling, 40);
  const TokenizerPtr t = open(normal);
  CHECK(t->encode("b", false) == std::vector<int32_t>{1});
  CHECK_THAT(message([&] { t->encode("a", false); }), Contains("tokenizer.json: normalizer.normalizers[16] (Replace)"));
  // All fragments of a text together may become so much longer.
  const TokenizerPtr long_words = open(
      nlohmann::json::parse(R"({"normalizer": {"type": "Prepend", "prepend": ")" + std::string(5000, 'b') + "\"}}"));
  CHECK(long_words->encode("a", false).size() == 5001);
  std::string many;
  for (int i = 0; i < 20; ++i) many += "a<s>";
  CHECK_THAT(message([&] { long_words->encode(many, true); }), Contains("normalizer (Prepend)"));
  // At load: of an added token, of a token as it is decoded.
  nlohmann::json added = normal;
  added["added_tokens"] = nlohmann::json::parse(R"([{"id": 6, "content": "a", "normalized": true}])");
  CHECK_THAT(message([&] { open(added); }), Contains("normalizer.normalizers["));
  nlohmann::json decoder = pipeline("decoder", "decoders", doubling, 40);
  decoder["pre_tokenizer"] = nullptr;
  CHECK_THAT(message([&] { open(decoder); }), Contains("decoder.decoders["));

  CHECK_THAT(message([&] { open(pipeline("normalizer", "normalizers", R"({"type": "NFC"})", 257)); }),
             Contains("normalizer.normalizers[256]: more than 256"));
  CHECK_THAT(message([&] { open(pipeline("decoder", "decoders", R"({"type": "ByteFallback"})", 257)); }),
             Contains("decoder.decoders[256]: more than 256"));
  CHECK_THAT(message([&] { open(pipeline("pre_tokenizer", "pretokenizers", R"({"type": "Digits"})", 100000)); }),
             Contains("more than 64 splitters"));
  CHECK_THAT(
      message([&] {
        open(pipeline(
            "normalizer", "normalizers",
            R"({"type": "Replace", "pattern": {"String": ")" + std::string(1025, 'a') + R"("}, "content": ""})", 1));
      }),
      Contains("more than 1024 bytes"));
  CHECK(message([&] {
          open(pipeline("pre_tokenizer", "pretokenizers", R"({"type": "Sequence", "pretokenizers": []})", 100000));
        }) != "");
  // What real ones do stays possible.
  nlohmann::json nfkc = nlohmann::json::parse(
      R"({"normalizer": {"type": "Sequence", "normalizers": [{"type": "NFKC"}, {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}]}})");
  std::string wide;
  for (int i = 0; i < 50000; ++i) wide += "\uFDFA";  // 3 bytes become 39
  CHECK(message([&] { open(nfkc)->encode(wide, false); }) == "no error");
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
  CHECK_THAT(error_with(json(R"({"model": {"merges": ["a b", "a d"]}})")),
             Contains("model.merges[1]") && Contains("'d'"));
  CHECK_THAT(error_with(json(R"({"model": {"merges": ["b a"]}})")), Contains("'ba'"));
  CHECK_THAT(error_with(json(R"({"model": {"merges": ["ab"]}})")), Contains("model.merges[0]"));
  CHECK_THAT(error_with(json(R"({"model": {"merges": [["a", "b"], ["a", "b"]]}})")), Contains("merged twice"));
  CHECK_THAT(error_with(json(R"({"model": {"merges": [["a", 1]]}})")), Contains("model.merges[0]"));
  CHECK_THAT(error_with(json(R"({"model": {"merges": {"a": "b"}}})")), Contains("model.merges"));
  CHECK_THAT(error_with(json(R"({"model": {"unk_token": "?"}})")), Contains("unk_token"));
  CHECK_THAT(error_with(json(R"({"model": {"end_of_word_suffix": "</w>"}})")), Contains("end_of_word_suffix"));
  CHECK_THAT(error_with(json(R"({"added_tokens": [{"id": 0, "content": "<s>"}]})")), Contains("share the id 0"));
  CHECK_THAT(error_with(json(R"({"added_tokens": [{"content": "<s>"}]})")), Contains("added_tokens[0]"));
  CHECK_THAT(error_with(json(R"({"normalizer": {"type": "BertNormalizer"}})")),
             Contains("normalizer") && Contains("BertNormalizer"));
  CHECK_THAT(error_with(json(R"({"normalizer": {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}})")),
             Contains(" {2,}"));
  CHECK_THAT(
      error_with(json(R"({"pre_tokenizer": {"type": "Split", "pattern": {"Regex": "\\w+"}, "behavior": "Isolated"}})")),
      Contains("\\w+"));
  CHECK_THAT(
      error_with(json(
          R"({"pre_tokenizer": {"type": "Split", "pattern": {"Regex": "\\p{N}"}, "behavior": "Removed", "invert": true}})")),
      Contains("Removed"));
  CHECK_THAT(error_with(json(R"({"pre_tokenizer": {"type": "Whitespace"}})")), Contains("Whitespace"));
  CHECK_THAT(error_with(json(R"({"decoder": {"type": "WordPiece"}})")), Contains("decoder") && Contains("WordPiece"));
  CHECK_THAT(error_with(json(R"({"decoder": {"type": "Fuse"}})")), Contains("ByteLevel"));
  CHECK_THAT(error_of(small().dump(), R"({"eos_token": 7})"), Contains("tokenizer_config.json: eos_token"));
  for (const char* id : {"0.5", "[7, 0.5]", "\"7\"", "true", "{}", "1e300", "[[7]]", "123456789012345678901234567890"})
    CHECK_THAT(error_of(small().dump(), "", (std::string(R"({"eos_token_id": )") + id + "}").c_str()),
               Contains("generation_config.json: eos_token_id"));
}

}  // namespace test_tokenizer_json
