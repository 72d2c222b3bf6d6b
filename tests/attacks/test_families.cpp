// Hostile numbers in the config.json of every family: counts and real numbers far out, keys of other types, layers of
// kinds that are not known.
#include <cstring>

#include "attacks/model_attack.h"
#include "model/family.h"
#include "support/golden.h"

using namespace puna;
using namespace puna::test;

namespace test_families {
namespace {

bool is_family(const Golden& g) {
  return g.has_file("config.json") && g.has_file("model.safetensors") && g.has("hidden_states") &&
         read_text(g.folder() + "/config.json").find("\"Llama") == std::string::npos;
}

struct ValidFile {
  explicit ValidFile(const Golden& g) : context(context_with()), checkpoint(load_checkpoint(*context, g.folder())) {
    type = checkpoint.metadata.string("model_type");
    REQUIRE_NOTHROW(Llama::from_huggingface(*context, checkpoint.metadata, checkpoint.tensors));
  }
  void refuse(const std::vector<KeyAttack>& attacks) const {
    for (const KeyAttack& a : attacks) {
      CAPTURE(type, a.key, a.value.index());
      Metadata m = checkpoint.metadata;
      m.replace(a.key, a.value);
      expect_model_refused(context, a.named ? a.named : a.key,
                           [&](const Context& c) { Llama::from_huggingface(c, m, checkpoint.tensors); });
    }
  }
  bool has(const char* key) const { return checkpoint.metadata.has(key); }
  ContextPtr context;
  Checkpoint checkpoint;
  std::string type;
};

template <class Fn>
void for_every_family(Fn fn) {
  for (const Golden& g : goldens(is_family)) {
    INFO("golden set " << g.folder());
    fn(ValidFile(g));
  }
}

}  // namespace

TEST_CASE("an architecture that is not known is refused with the list of those that are", "[attacks]") {
  const ContextPtr context = context_with();
  Metadata hugging_face, gguf;
  hugging_face.set("model_type", std::string("mamba"));
  gguf.set("general.architecture", std::string("rwkv7"));
  for (const Family& f : families()) {
    CHECK_THROWS_WITH(config_from_huggingface(hugging_face), Catch::Contains("mamba") && Catch::Contains(f.types[0]));
    CHECK_THROWS_WITH(config_from_gguf(gguf, 8, nullptr), Catch::Contains("rwkv7") && Catch::Contains(f.name));
  }
}

TEST_CASE("the numbers of every family are checked", "[attacks][golden]") {
  for_every_family([](const ValidFile& v) {
    for (const char* key :
         {"num_hidden_layers", "hidden_size", "num_attention_heads", "num_key_value_heads", "vocab_size",
          "intermediate_size", "max_position_embeddings", "sliding_window", "num_local_experts", "num_experts_per_tok",
          "moe_intermediate_size", "original_max_position_embeddings"}) {
      if (!v.has(key)) continue;
      if (std::string(key) == "sliding_window" && v.type.find("qwen3") == 0) continue;  // not in use there
      for (const MetadataValue& value : std::vector<MetadataValue>{int64_t{0}, int64_t{-1}, INT64_MIN, kHuge, 1.5, kNan,
                                                                   std::string("8"), true, Integers{8}})
        v.refuse({{key, value}});
    }
    for (const char* key :
         {"embedding_multiplier", "attention_multiplier", "residual_multiplier", "logits_scaling",
          "query_pre_attn_scalar", "attn_logit_softcapping", "final_logit_softcapping", "swiglu_limit", "swiglu_alpha",
          "rms_norm_eps", "rope_parameters.rope_theta", "rope_parameters.factor", "rope_parameters.beta_fast"}) {
      if (!v.has(key)) continue;
      for (const double x : {0.0, -1.0, 1e300, kNan, kInf}) v.refuse({{key, x}});
      v.refuse({{key, std::string("0.5")}, {key, std::vector<double>{0.5}}});
    }
    if (v.type != "phi3")
      v.refuse({{"partial_rotary_factor", 0.5, v.type == "gemma3_text" ? "partial_rotary_factor" : "partial"}});
  });
}

TEST_CASE("kinds of layers and of RoPE that are not known are refused by name", "[attacks][golden]") {
  for_every_family([](const ValidFile& v) {
    const int64_t layers = v.checkpoint.metadata.integer("num_hidden_layers", 1, 4096);
    v.refuse({{"layer_types", Strings(size_t(layers), "chunked_attention")}, {"layer_types", Integers{1}}});
    if (v.has("layer_types")) v.refuse({{"layer_types", Strings(size_t(layers) + 1, "full_attention")}});
    if (v.type != "gemma3_text")
      v.refuse({{"rope_parameters.rope_type", std::string("dynamic"), "rope"},  // the type, or keys of the other
                {"rope_parameters.rope_type", int64_t{3}}});
    const bool gemma = v.type.find("gemma") == 0;
    v.refuse({{gemma ? "hidden_activation" : "hidden_act", std::string("relu"), "relu"},
              {"clip_qkv", 8.0, "clip_qkv"},
              {"mlp_bias", true, "mlp_bias"}});
    if (v.type != "gpt_oss") v.refuse({{"attention_bias", true}});
    if (v.type != "smollm3") v.refuse({{"no_rope_layers", Integers(size_t(layers), 0)}});
    Metadata other = v.checkpoint.metadata;
    other.replace("architectures", Strings{"MixtralForCausalLM"});
    expect_model_refused(v.context, "MixtralForCausalLM",
                         [&](const Context& c) { Llama::from_huggingface(c, other, v.checkpoint.tensors); });
  });
}

TEST_CASE("LongRoPE's factors fit the head", "[attacks][golden]") {
  for_every_family([](const ValidFile& v) {
    if (!v.has("rope_parameters.long_factor")) return;
    for (const char* key : {"rope_parameters.long_factor", "rope_parameters.short_factor"})
      for (const MetadataValue& value : std::vector<MetadataValue>{
               std::vector<double>{}, std::vector<double>(5, 1.0), std::vector<double>(1000, 1.0),
               std::vector<double>(6, 0.0), std::vector<double>(6, -1.0), std::vector<double>(6, kNan)})
        v.refuse({{key, value, key + strlen("rope_parameters.")}});
    v.refuse({{"rope_parameters.partial_rotary_factor", 0.3, "factor"}});
  });
}

}  // namespace test_families
