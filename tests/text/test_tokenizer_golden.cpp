// test_tokenizer_golden.cpp -- the real tokenizers against what Meta's own code and Hugging Face's tokenizers answered.
#include "text/sha256.h"
#include "text/tokenizer_files.h"

using namespace puna;
using namespace puna::test;

namespace {

// Each case: text -> ids, and ids_allow_special where parsing special tokens makes a difference.
void check_encode(const Tokenizer& t, const nlohmann::json& cases) {
  REQUIRE(!cases.empty());
  for (const auto& c : cases) {
    const std::string text = c["text"];
    const std::vector<int32_t> want = c["ids"], want_special = c.value("ids_allow_special", want);
    CAPTURE(text, pieces(t, want));
    CHECK(t.encode(text, false) == want);
    CHECK(t.encode(text, true) == want_special);
  }
}

std::string repeated(const std::string& unit, size_t n) {
  std::string out;
  for (size_t i = 0; i < n; ++i) out += unit;
  return out;
}

}  // namespace

TEST_CASE("Llama 4's tokenizer.model gives the ids of Meta's own code", "[text][golden]") {
  if (llama4_tokenizer().empty()) PUNA_SKIP("no llama4-tokenizer.model in the model cache");
  const TokenizerPtr t = tokenizer_from_tiktoken(read_text(llama4_tokenizer()));
  for (const Golden& g : goldens(is_tokenizer_set)) {
    const auto facts = g.manifest["facts"];
    CHECK(t->size() == facts["n_words"].get<int32_t>());
    CHECK(t->specials().bos == facts["bos_id"].get<int32_t>());
    CHECK(t->specials().eos == facts["eos_id"].get<int32_t>());
    CHECK(t->specials().stop == facts["stop_tokens"].get<std::vector<int32_t>>());
    check_encode(*t, g.group("llama4_encode"));

    for (const auto& c : g.group("llama4_bos_eos")) {
      std::vector<int32_t> ids = t->encode(c["text"].get<std::string>(), false);
      ids.insert(ids.begin(), t->specials().bos);
      ids.push_back(t->specials().eos);
      CHECK(ids == c["ids"].get<std::vector<int32_t>>());
    }
    const auto specials = g.group("llama4_special_tokens");
    CHECK(int32_t(specials.size()) == t->size() - facts["num_base_tokens"].get<int32_t>());
    for (const auto& [name, id] : specials.items()) {
      CAPTURE(name);
      CHECK(t->find(name) == id.get<int32_t>());
      CHECK(t->bytes(id.get<int32_t>()) == name);
      CHECK(t->kind(id.get<int32_t>()) == TokenKind::control);
    }
    const auto byte_tokens = g.group("llama4_byte_tokens");
    REQUIRE(byte_tokens.size() == 256);
    for (int b = 0; b < 256; ++b) CHECK(t->bytes(byte_tokens[size_t(b)].get<int32_t>()) == std::string(1, char(b)));
    const auto sample = g.group("llama4_token_bytes_sample");
    for (const auto& [id, hex] : sample.items()) CHECK(t->bytes(std::stoi(id)) == from_hex(hex));
  }
}

TEST_CASE("Decoding Llama 4 ids, at once and token by token, agrees with CPython", "[text][golden]") {
  if (llama4_tokenizer().empty()) PUNA_SKIP("no llama4-tokenizer.model in the model cache");
  const TokenizerPtr t = tokenizer_from_tiktoken(read_text(llama4_tokenizer()));
  for (const Golden& g : goldens(is_tokenizer_set)) {
    for (const auto& c : g.group("llama4_decode")) {
      const std::vector<int32_t> ids = c["ids"];
      CAPTURE(ids);
      CHECK(t->decode(ids, true) == from_hex(c["bytes_hex"]));
      StreamDecoder stream;
      std::string text;
      for (size_t i = 0; i < ids.size(); ++i) {
        const std::string piece = stream.push(t->bytes(ids[i]));
        CHECK(piece == c["stream_pieces"][i].get<std::string>());
        text += piece;
      }
      const std::string tail = stream.flush();
      CHECK(tail == c["stream_tail"].get<std::string>());
      CHECK(text + tail == c["text"].get<std::string>());
    }
  }
}

TEST_CASE("Very long texts are cut where Meta's wrapper cuts them", "[text][golden]") {
  if (llama4_tokenizer().empty()) PUNA_SKIP("no llama4-tokenizer.model in the model cache");
  const TokenizerPtr t = tokenizer_from_tiktoken(read_text(llama4_tokenizer()));
  for (const Golden& g : goldens(is_tokenizer_set)) {
    for (const auto& c : g.group("llama4_long")) {
      const std::string what = c["what"];
      const size_t n = c["n_chars"];
      const std::string line = repeated("word ", 30) + "\n";
      const std::string text = what.ends_with(" spaces")  ? std::string(n, ' ')
                               : what.ends_with(" lines") ? repeated(line, n / line.size())
                                                          : std::string(n, what.back());
      CAPTURE(what);
      REQUIRE(text.size() == n);
      const std::vector<int32_t> ids = t->encode(text, false);
      CHECK(ids.size() == c["n_ids"].get<size_t>());
      CHECK(std::vector<int32_t>(ids.begin(), ids.begin() + 16) == c["first16"].get<std::vector<int32_t>>());
      CHECK(std::vector<int32_t>(ids.end() - 16, ids.end()) == c["last16"].get<std::vector<int32_t>>());
      CHECK(sha256_of_ids(ids) == c["ids_sha256_of_le_u32"].get<std::string>());
    }
  }
}

TEST_CASE("SmolLM2's vocabulary from GGUF gives the ids of Hugging Face's tokenizers", "[text][golden]") {
  if (smollm2().empty()) PUNA_SKIP("no SmolLM2 in the model cache");
  const TokenizerPtr t = load_smollm2();
  REQUIRE(t);
  for (const Golden& g : goldens(is_tokenizer_set)) {
    const auto facts = g.manifest["facts"]["smollm2"];
    CHECK(t->size() == facts["n_vocab"].get<int32_t>());
    CHECK(t->specials().bos == facts["bos"].get<int32_t>());
    CHECK(t->specials().eos == facts["eos"].get<int32_t>());
    CHECK(t->specials().stop[0] == t->specials().eos);
    for (const auto& [name, id] : facts["control_tokens"].items()) {
      CHECK(t->find(name) == id.get<int32_t>());
      CHECK(t->kind(id.get<int32_t>()) == TokenKind::control);
    }
    check_encode(*t, g.group("smollm2_encode"));
    for (const auto& c : g.group("smollm2_encode")) {
      const std::string text = c["text"];
      const std::vector<std::string> lossy = facts["non_roundtrip"];
      if (std::find(lossy.begin(), lossy.end(), text) == lossy.end())
        CHECK(t->decode(t->encode(text, false), true) == text);
    }
  }
}

TEST_CASE("A small byte-level tokenizer.json encodes every golden string and gives it back", "[text][golden]") {
  for (const Golden& set : goldens([](const Golden& g) { return g.has_file("tokenizer.json"); })) {
    const auto read = [&](const char* name) {
      return set.has_file(name) ? read_text(set.folder() + "/" + name) : std::string();
    };
    const std::string json = read("tokenizer.json");
    const TokenizerPtr t = tokenizer_from_json(json, read("tokenizer_config.json"), read("generation_config.json"));
    const auto file = nlohmann::json::parse(json);
    for (const auto& added : file["added_tokens"]) {
      CHECK(t->find(added["content"].get<std::string>()) == added["id"].get<int32_t>());
      CHECK(t->encode(added["content"].get<std::string>(), true) == std::vector<int32_t>{added["id"].get<int32_t>()});
    }
    CHECK(t->specials().eos >= 0);
    CHECK(t->specials().bos >= 0);
    for (const Golden& g : goldens(is_tokenizer_set)) {
      for (const auto& c : g.group("llama4_encode")) {
        const std::string text = c["text"];
        CAPTURE(text);
        CHECK(t->decode(t->encode(text, false), true) == text);
      }
    }
  }
}
