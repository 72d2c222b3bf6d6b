// test_text_parts.cpp -- text never keeps ids from working: whatever a folder or a file says about special tokens, and
// whatever kind of tokenizer it has, the model opens; and ids that are the model's but no token's have no text.
#include <filesystem>
#include <nlohmann/json.hpp>

#include "puna/base/error.h"
#include "puna/io/checkpoint.h"
#include "puna/runtime/model.h"
#include "puna/runtime/save.h"
#include "puna/runtime/session.h"
#include "support/catch.h"
#include "support/files.h"
#include "support/golden.h"
#include "text/model_files.h"

using namespace puna;
using namespace puna::test;

namespace test_text_parts {
namespace {

const char* const kTokenizer =
    R"({"added_tokens": [{"id": 3, "content": "</s>", "special": true}], "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false},
  "decoder": {"type": "ByteLevel"}, "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b"]}})";

std::string weights() {
  return goldens([](const Golden& s) { return s.fixture() == "dense_llama3"; }).front().folder();
}

// The golden model's weights, with text parts of our own.
struct Folder {
  TempFolder at;
  std::string warnings;
  Folder() {
    for (const auto& file : std::filesystem::directory_iterator(weights())) {
      const std::string name = file.path().filename().string();
      if (name == "config.json" || name.find("model") == 0) std::filesystem::copy_file(file.path(), at / name);
    }
  }
  Folder& with(const char* name, const std::string& text) {
    write_file(at / name, text);
    return *this;
  }
  ModelPtr open() {
    warnings.clear();
    ContextOptions options;
    options.logger = {&warnings, [](void* to, int32_t, const char* message) {
                        static_cast<std::string*>(to)->append(message).append("\n");
                      }};
    const ModelPtr model = Model::open(make_context(options), at.path());
    Session session(model, {true, 0, 16});
    std::vector<float> logits(3 * size_t(model->config().vocab));
    session.append(std::vector<int32_t>{0, 1, int32_t(model->config().vocab) - 1}, {.logits = logits});
    return model;
  }
};

}  // namespace

TEST_CASE("ids between the tokenizer and the embedding decode to nothing", "[runtime][golden]") {
  Folder folder;
  const ModelPtr model = folder.with("tokenizer.json", kTokenizer).open();
  const Tokenizer& t = model->require_tokenizer();
  const auto rows = int32_t(model->config().vocab);
  REQUIRE(t.size() == 4);
  REQUIRE(rows > 5);
  CHECK(t.decode({2, 4, rows - 1, 0}, false) == "aba");
  CHECK(t.decode({2, 4, rows - 1, 0}, true) == "aba");
  CHECK(t.bytes(rows - 1).empty());
  CHECK(t.kind(4) == TokenKind::unused);
  CHECK_THROWS_WITH(t.decode({rows}, false), Catch::Contains("expected 0 to " + std::to_string(rows - 1)));
  CHECK_THROWS_AS(t.kind(rows), Error);
  CHECK(folder.warnings.empty());
}

TEST_CASE("a special token that the files name and the model lacks is a warning", "[runtime][golden]") {
  Folder folder;
  folder.with("tokenizer.json", kTokenizer)
      .with("tokenizer_config.json", R"({"bos_token": "<s>", "eos_token": "</s>"})");
  const Tokenizer::Specials specials = folder.open()->require_tokenizer().specials();
  CHECK(specials.bos == -1);
  CHECK(specials.eos == 3);
  CHECK_THAT(folder.warnings, Catch::Contains("bos_token: '<s>'"));
  const auto rows = int32_t(folder.open()->config().vocab);
  folder.with("generation_config.json",
              R"({"eos_token_id": [)" + std::to_string(rows - 1) + "," + std::to_string(rows) + ", -1]}");
  CHECK(folder.open()->require_tokenizer().specials().stop == std::vector<int32_t>{3, rows - 1});
  CHECK_THAT(folder.warnings,
             Catch::Contains("eos_token_id[1] is " + std::to_string(rows)) && Catch::Contains("eos_token_id[2] is -1"));
  folder.with("generation_config.json", R"({"eos_token_id": 0.5})");
  CHECK_THROWS_WITH(folder.open(), Catch::Contains("eos_token_id"));
}

TEST_CASE("without a generation_config.json the ids that end an answer are config.json's", "[runtime][golden]") {
  Folder folder;
  folder.with("tokenizer.json", kTokenizer);
  nlohmann::json config = nlohmann::json::parse(read_text(folder.at / "config.json"));
  const auto stops = [&](const nlohmann::json& told) {
    config["eos_token_id"] = told;
    return folder.with("config.json", config.dump()).open()->require_tokenizer().specials().stop;
  };
  CHECK(stops(1) == std::vector<int32_t>{1, 3});  // </s> is known by its name
  CHECK(stops({1, 2}) == std::vector<int32_t>{1, 2, 3});
  CHECK(open_tokenizer(folder.at.path())->specials().stop == std::vector<int32_t>{1, 2, 3});
  CHECK(stops(nullptr) == std::vector<int32_t>{3});
  CHECK(folder.warnings.empty());
  CHECK(stops({1, -1}) == std::vector<int32_t>{1, 3});
  CHECK_THAT(folder.warnings, Catch::Contains("config.json: eos_token_id[1] is -1"));
  // What the tokenizer's own files name is first; a generation_config.json says all or nothing.
  folder.with("tokenizer_config.json", R"({"eos_token": "</s>"})");
  CHECK(stops({1, 2}) == std::vector<int32_t>{3, 1, 2});
  folder.with("generation_config.json", R"({"temperature": 0.6})");
  CHECK(stops({1, 2}) == std::vector<int32_t>{3});
  // A language model inside of another: its part says it where the whole does not.
  folder.with("config.json", R"({"text_config": {"eos_token_id": [0, 2], "vocab_size": 9}})");
  std::filesystem::remove(folder.at / "generation_config.json");
  CHECK(open_tokenizer(folder.at.path())->specials().stop == std::vector<int32_t>{3, 0, 2});
}

TEST_CASE("a folder with a tokenizer.model or a tekken.json alone has text", "[runtime][golden]") {
  Folder folder;
  const ModelPtr model = folder.with("tokenizer.model", sentencepiece_model()).open();
  CHECK(model->require_tokenizer().encode("a", false) == std::vector<int32_t>{262});
  CHECK(open_tokenizer(folder.with("tekken.json", tekken_json()).at.path())->find("[TOOL_CALLS]") == 9);
  std::filesystem::remove(folder.at / "tekken.json");
}

TEST_CASE("a folder with a SentencePiece model of another kind opens for ids and says so when text is asked for",
          "[runtime][golden]") {
  Folder folder;
  const ModelPtr model = folder.with("tokenizer.model", sentencepiece_model(field(3, uint64_t(1)))).open();
  CHECK_THROWS_WITH(model->require_tokenizer(), Catch::Contains("Unigram"));
  folder.with("tokenizer.model", "no ranks\n");
  CHECK_THROWS_WITH(folder.open(), Catch::Contains("tokenizer.model line 1"));
  for (const char* json : {R"({"model": {"vocab": [["a", -1.5]]}})", R"({"model": {"vocab": {"a": 0}}})",
                           R"({"model": {"type": "WordPiece", "vocab": {"a": 0}}})"})
    CHECK_THROWS_AS(folder.with("tokenizer.json", json).open()->require_tokenizer(), Error);
}

TEST_CASE("a GGUF file whose special ids lie outside the vocabulary opens with a warning", "[runtime][golden]") {
  Folder folder;
  const TempFolder out;
  const std::string path = save_gguf(*folder.open(), out / "m.gguf", {{}, 0}).front();
  const ContextPtr context = make_context({});
  for (const char* key :
       {"bos_token_id", "eos_token_id", "eot_token_id", "eom_token_id", "unknown_token_id", "padding_token_id"}) {
    Checkpoint c = load_checkpoint(*context, path);
    const auto set = [&](const std::string& name, MetadataValue value) {
      c.metadata.replace("tokenizer.ggml." + name, std::move(value));
    };
    set("model", std::string("gpt2"));
    set("pre", std::string("gpt-2"));
    set("tokens", std::vector<std::string>{"a", "b", "ab", "</s>"});
    set("token_type", std::vector<int64_t>{1, 1, 1, 3});
    set("merges", std::vector<std::string>{"a b"});
    set(key, int64_t(4294967295));
    const ModelPtr model = Model::from_checkpoint(context, std::move(c), /*mapped=*/true);
    CAPTURE(key);
    CHECK(model->require_tokenizer().encode("aba", false) == std::vector<int32_t>{2, 0});
    CHECK(model->require_tokenizer().specials().stop == std::vector<int32_t>{3});
    CHECK(model->require_tokenizer().decode({0, 5}, true) == "a");
  }
}

TEST_CASE("a tokenizer that is opened without its model knows how many ids the model has", "[runtime][golden]") {
  Folder folder;
  folder.with("tokenizer.json", kTokenizer);
  const TempFolder out;
  const ModelPtr model = folder.open();
  const auto rows = int32_t(model->config().vocab);
  const ContextPtr context = make_context({});
  Checkpoint copy = load_checkpoint(*context, save_gguf(*model, out / "weights.gguf", {{}, 0}).front());
  copy.metadata.replace("tokenizer.ggml.model", std::string("gpt2"));
  copy.metadata.replace("tokenizer.ggml.pre", std::string("gpt-2"));
  copy.metadata.replace("tokenizer.ggml.tokens", std::vector<std::string>{"a", "b", "ab", "</s>"});
  copy.metadata.replace("tokenizer.ggml.merges", std::vector<std::string>{"a b"});
  const std::string file =
      save_gguf(*Model::from_checkpoint(context, std::move(copy), true), out / "m.gguf", {{}, 0}).front();
  for (const std::string& path : {folder.at.path(), file}) {
    const TokenizerPtr t = open_tokenizer(path);
    CAPTURE(path);
    CHECK(t->size() == 4);
    CHECK(t->decode({2, rows - 1, 0}, false) == "aba");
    CHECK_THROWS_AS(t->decode({rows}, false), Error);
  }
  folder.with("config.json", "{");
  CHECK_THROWS_AS(open_tokenizer(folder.at.path())->decode({4}, false), Error);
}

}  // namespace test_text_parts
