// The published layout of config.json (rope_theta, rope_scaling) and transformers v5's (rope_parameters) are one model.
#include <filesystem>

#include "io/hf_config.h"
#include "model/family.h"
#include "model/same_config.h"
#include "support/catch.h"
#include "support/files.h"
#include "support/golden.h"
#include "support/run_model.h"

using namespace puna;
using namespace puna::test;

namespace test_config_layouts {
namespace fs = std::filesystem;

namespace {

bool has_both_layouts(const Golden& g) {
  return g.has_file("config.json") && g.has_file("config.hub.json") && g.has_file("model.safetensors");
}

// The golden folder again, with its published config under the name that loaders look for.
void make_published_folder(const Golden& g, const std::string& to) {
  for (const auto& entry : fs::directory_iterator(g.folder())) {
    const std::string name = entry.path().filename().string();
    if (!entry.is_regular_file() || name == "config.json" || name == "manifest.json") continue;
    if (name == "config.hub.json")
      fs::copy_file(entry.path(), to + "/config.json");
    else
      fs::create_symlink(fs::absolute(entry.path()), to + "/" + name);
  }
}

LlamaConfig config_of(const std::string& json) {
  Metadata m;
  io::flatten_config(json, "config.json", "", m);
  return config_from_huggingface(m);
}

}  // namespace

TEST_CASE("the published config and the v5 config of a checkpoint are the same model", "[model][golden]") {
  int folders = 0;
  for (const Golden& g : goldens(has_both_layouts)) {
    INFO("golden set " << g.folder());
    const TempFolder published;
    make_published_folder(g, published.path());
    const LoadedLlama a = load_llama(g.folder()), b = load_llama(published.path());
    check_same_config(a.llama.config, b.llama.config);
    if (is_text_decoder(g)) {  // a text model: no image in the prompt
      KvCache kv = new_cache(b, true);
      g.check("logits", run_rows(b, kv, 0, g.array("input_ids").i64(), true));
    }
    ++folders;
  }
  CHECK(folders >= 3);
}

TEST_CASE("a configuration survives the way through GGUF keys", "[model][golden]") {
  for (const Golden& g : goldens(has_both_layouts)) {
    INFO("golden set " << g.folder());
    LlamaConfig c = load_llama(g.folder()).llama.config;
    LlamaConfig back = config_from_gguf(gguf_metadata(c), c.vocab, nullptr);
    const bool permuted = family_of(c).permuted || c.architecture == "llama4";
    CHECK(back.rope_style == (permuted ? RopeStyle::interleaved : RopeStyle::half_split));
    back.rope_style = c.rope_style;  // writers permute q and k instead
    back.tied = c.tied;              // GGUF says it by leaving output.weight out, and so for the weights of values
    back.keys_are_values = c.keys_are_values;
    check_same_config(c, back);
  }
}

TEST_CASE("first releases of Llama 4 give the temperature as a number, and rope_theta may be left to its default",
          "[model]") {
  const std::string head =
      R"({"model_type": "llama4_text", "num_hidden_layers": 4, "hidden_size": 64, "num_attention_heads": 4,
    "head_dim": 16, "vocab_size": 512, "intermediate_size": 48, "intermediate_size_mlp": 96, "num_local_experts": 4)";
  CHECK(config_of(head + "}").temperature);
  CHECK(config_of(head + R"(, "attn_temperature_tuning": true})").temperature);
  CHECK(config_of(head + R"(, "attn_temperature_tuning": 4})").temperature);
  CHECK_FALSE(config_of(head + R"(, "attn_temperature_tuning": 0})").temperature);
  CHECK_FALSE(config_of(head + R"(, "attn_temperature_tuning": false})").temperature);
  CHECK_THROWS_WITH(config_of(head + R"(, "attn_temperature_tuning": "4"})"),
                    Catch::Contains("attn_temperature_tuning"));
  CHECK(config_of(head + "}").inverse_frequency == config_of(head + R"(, "rope_theta": 500000})").inverse_frequency);
}

TEST_CASE("rope_parameters without a theta still scale", "[model]") {
  const std::string head =
      R"({"model_type": "llama", "num_hidden_layers": 1, "hidden_size": 64, "num_attention_heads": 4,
    "vocab_size": 512, "intermediate_size": 48)";
  const LlamaConfig plain = config_of(head + "}"),
                    scaled = config_of(head + R"(, "rope_parameters": {"rope_type": "linear", "factor": 2}})");
  REQUIRE(plain.inverse_frequency.size() == scaled.inverse_frequency.size());
  for (size_t i = 0; i < plain.inverse_frequency.size(); ++i)
    CHECK(scaled.inverse_frequency[i] == plain.inverse_frequency[i] / 2);
}

TEST_CASE("the page size is the largest divisor of the chunk up to 64", "[model]") {
  LlamaConfig c;
  CHECK(c.page_size() == 64);
  for (const int64_t chunk : {1, 2, 16, 24, 63, 64, 65, 96, 127, 128, 8192}) {
    c.chunk = chunk;
    const int64_t size = c.page_size();
    CAPTURE(chunk, size);
    CHECK((size >= 1 && size <= 64 && chunk % size == 0));
    for (int64_t larger = size + 1; larger <= 64; ++larger) CHECK(chunk % larger != 0);
  }
}

}  // namespace test_config_layouts
