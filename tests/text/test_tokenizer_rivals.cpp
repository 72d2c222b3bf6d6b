// test_tokenizer_rivals.cpp -- the real tokenizers of the rivals' models against what Hugging Face's tokenizers,
// mistral-common and SentencePiece answered. The files are in the cache of models (./dev fetch rivals,
// gemma2, gemma3, qwen); the ids of those under the Gemma Terms are not in the repository
// (PUNA_GOLDEN_DIR names a folder that has them).
#include <filesystem>
#include <map>

#include "text/tokenizer_files.h"

using namespace puna;
using namespace puna::test;

namespace {

bool is_rivals_set(const Golden& g) { return g.fixture() == "tokenizer_rivals"; }

// NULL: it is not in the cache. Read once a program.
TokenizerPtr rival(const std::string& name) {
  static std::map<std::string, TokenizerPtr> known;
  const auto [at, first] = known.try_emplace(name);
  const std::string folder = model_file("tokenizers/" + name);
  if (!first || folder.empty()) return at->second;
  const auto read = [&](const char* file) {
    const std::string path = folder + "/" + file;
    return std::filesystem::exists(path) ? read_text(path) : std::string();
  };
  if (const std::string tekken = read("tekken.json"); !tekken.empty())
    at->second = tokenizer_from_tekken(tekken);
  else if (const std::string model = read("tokenizer.model"); !model.empty())
    at->second = tokenizer_from_model_file(model);
  else
    at->second = tokenizer_from_json(read("tokenizer.json"), read("tokenizer_config.json"), "");
  return at->second;
}

template <class Check>
size_t each_case(Check check) {
  size_t sets = 0;
  for (const Golden& g : goldens(is_rivals_set))
    for (const auto& [group, what] : g.manifest["groups"].items()) {
      if (!group.ends_with("_encode")) continue;
      const std::string name = group.substr(0, group.size() - 7);
      sets += check(g, name, g.group(group));
    }
  return sets;
}

}  // namespace

TEST_CASE("every rival's tokenizer gives the golden ids and the text back", "[text][models][slow]") {
  const size_t sets = each_case([](const Golden& g, const std::string& name, const nlohmann::json& cases) {
    const TokenizerPtr t = rival(name);
    if (!t) return false;
    const auto facts = g.manifest["facts"]["tokenizers"][name];
    CAPTURE(name);
    CHECK(t->size() == facts["n_vocab"].get<int32_t>());
    REQUIRE(cases.size() > 300);
    for (const auto& c : cases) {
      const std::string text = c["text"];
      const std::vector<int32_t> want = c["ids"], want_special = c.value("ids_allow_special", want);
      CAPTURE(text, pieces(*t, want));
      CHECK(t->encode(text, false) == want);
      CHECK(t->encode(text, true) == want_special);
      CHECK(t->decode(want, true) == c.value("decoded", text));
    }
    return true;
  });
  if (sets == 0) PUNA_SKIP("no tokenizer of a rival is in the model cache (./dev fetch rivals)");
}

TEST_CASE("the tokens that end an answer are each family's", "[text][models][slow]") {
  const std::map<std::string, std::vector<std::string>> want = {
      {"gemma2", {"<eos>", "<end_of_turn>"}},
      {"gemma3", {"<end_of_turn>", "<eos>"}},
      {"gpt_oss", {"<|return|>", "<|call|>", "<|endoftext|>"}},  // <|end|> ends a message, and another follows
      {"qwen2_5", {"<|im_end|>", "<|endoftext|>"}},
      {"qwen3", {"<|im_end|>", "<|endoftext|>"}},
      {"mistral_nemo", {"</s>"}},
      {"mistral_tekken", {"</s>"}},
      {"mistral_spm_v3", {"</s>"}}};
  size_t seen = 0;
  for (const auto& [name, stops] : want) {
    const TokenizerPtr t = rival(name);
    if (!t) continue;
    ++seen;
    CAPTURE(name);
    std::vector<std::string> names;
    for (const int32_t id : t->specials().stop) names.emplace_back(t->bytes(id));
    CHECK(names == stops);
  }
  if (seen == 0) PUNA_SKIP("no tokenizer of a rival is in the model cache (./dev fetch rivals)");
}

TEST_CASE("golden chats of gpt-oss, Qwen and Mistral have their golden ids", "[text][models][slow]") {
  size_t compared = 0;
  for (const Golden& g : goldens(is_rivals_set))
    for (const auto& [group, what] : g.manifest["groups"].items()) {
      if (!group.ends_with("_template")) continue;
      const TokenizerPtr t = rival(group.substr(0, group.size() - 9));
      if (!t) continue;
      for (const auto& c : g.group(group)) {
        if (!c.contains("ids")) continue;
        CAPTURE(group, c["name"].get<std::string>());
        CHECK(t->encode(c["text"].get<std::string>(), true) == c["ids"].get<std::vector<int32_t>>());
        ++compared;
      }
    }
  if (compared == 0) PUNA_SKIP("no tokenizer of a rival is in the model cache (./dev fetch rivals)");
}

// A GGUF file says less than tokenizer.json: other kinds of tokens (of Gemma's <unused3>, <start_of_image>; of Qwen's
// <|fim_prefix|>, which there is matched in ordinary text), and SentencePiece's U+2581, which is a space in both.
TEST_CASE("the vocabulary in a real GGUF file gives the ids of its tokenizer.json", "[text][models][slow]") {
  size_t files = 0;
  for (const auto& [file, name] : {std::pair<std::string, std::string>{"gemma-3-270m-q4_k_m.gguf", "gemma3"},
                                   {"qwen2.5-coder-1.5b-instruct-q4_k_m.gguf", "qwen2_5"}}) {
    const TokenizerPtr json = rival(name);
    if (model_file(file).empty() || !json) continue;
    const TokenizerPtr gguf = tokenizer_from_gguf(io::read_gguf_header(*open_path_source(model_file(file))).metadata);
    REQUIRE(gguf);
    CAPTURE(file);
    size_t compared = 0;
    for (const Golden& g : goldens(is_rivals_set))
      for (const auto& c : g.group("gpt_oss_encode")) {  // strings that every set has
        const std::string text = c["text"];
        const bool named = text.find("\u2581") != text.npos || text.find("<unused") != text.npos ||
                           text.find("_of_image>") != text.npos || text.find("<|fim_") != text.npos;
        if (named) continue;
        CAPTURE(text);
        CHECK(gguf->encode(text, false) == json->encode(text, false));
        CHECK(gguf->encode(text, true) == json->encode(text, true));
        ++compared;
      }
    CHECK(compared > 300);
    ++files;
  }
  if (files == 0) PUNA_SKIP("no GGUF file beside its tokenizer.json (./dev fetch gemma3)");
}
