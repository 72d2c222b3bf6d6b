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
  return g.has_file("config.json") && g.has_file("model.safetensors") && is_decoder(g) &&
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
    if (v.type != "phi3") v.refuse({{"partial_rotary_factor", 0.5, "partial"}});
  });
}

TEST_CASE("kinds of layers and of RoPE that are not known are refused by name", "[attacks][golden]") {
  for_every_family([](const ValidFile& v) {
    const int64_t layers = v.checkpoint.metadata.integer("num_hidden_layers", 1, 4096);
    v.refuse({{"layer_types", Strings(size_t(layers), "chunked_attention")}, {"layer_types", Integers{1}}});
    if (v.has("layer_types")) v.refuse({{"layer_types", Strings(size_t(layers) + 1, "full_attention")}});
    if (!family_of_type(v.type)->two_ropes)
      v.refuse({{"rope_parameters.rope_type", std::string("dynamic"), "rope"},  // the type, or keys of the other
                {"rope_parameters.rope_type", int64_t{3}}});
    else if (v.has("rope_parameters.full_attention.rope_type"))
      for (const char* kind :
           {"rope_parameters.full_attention.rope_type", "rope_parameters.sliding_attention.rope_type"})
        v.refuse({{kind, std::string("dynamic"), "dynamic"}, {kind, int64_t{3}}});
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

TEST_CASE("what Gemma 3n and 4 say of single layers is checked", "[attacks][golden]") {
  size_t seen = 0;
  for_every_family([&](const ValidFile& v) {
    const bool is_3n = v.type == "gemma3n_text", is_4 = v.type == "gemma4_text";
    if (!is_3n && !is_4) return;
    ++seen;
    const int64_t layers = v.checkpoint.metadata.integer("num_hidden_layers", 1, 4096);
    const std::vector<MetadataValue> no_counts = {int64_t{-1}, INT64_MIN,        kHuge, 1.5,
                                                  kNan,        std::string("8"), true,  Integers{8}};
    for (const char* key : {"num_kv_shared_layers", "hidden_size_per_layer_input", "vocab_size_per_layer_input",
                            "laurel_rank", "altup_num_inputs", "num_experts", "top_k_experts"}) {
      const bool unused = std::string(key) == "vocab_size_per_layer_input" &&
                          v.checkpoint.metadata.integer("hidden_size_per_layer_input", 0, 1 << 20) == 0;
      if (!v.has(key) || unused) continue;
      for (const MetadataValue& value : no_counts) v.refuse({{key, value}});
    }
    v.refuse({{"num_kv_shared_layers", layers, "share"}, {"num_kv_shared_layers", layers + 1, "share"}});
    v.refuse({{"num_kv_shared_layers", layers - 1, "share"}});  // one kind would have no keys at all
    if (is_3n) {
      v.refuse({{"altup_num_inputs", int64_t{1}},
                {"altup_num_inputs", int64_t{5}, "altup_projections.3"},
                {"altup_num_inputs", int64_t{3}, "altup"},
                {"altup_active_idx", int64_t{1}},
                {"altup_correct_scale", false},
                {"laurel_rank", int64_t{0}},
                {"laurel_rank", int64_t{1} << 20, "laurel"},
                {"hidden_size_per_layer_input", int64_t{0}},
                {"hidden_size_per_layer_input", int64_t{1} << 20, "per_layer"},
                {"vocab_size_per_layer_input", int64_t{0}},
                {"vocab_size_per_layer_input", int64_t{1} << 24},
                {"activation_sparsity_pattern", std::vector<double>(size_t(layers), 1.0)},
                {"activation_sparsity_pattern", std::vector<double>(size_t(layers), -0.5)},
                {"activation_sparsity_pattern", std::vector<double>(size_t(layers), kNan)},
                {"activation_sparsity_pattern", std::vector<double>(size_t(layers) + 1, 0.5)},
                {"activation_sparsity_pattern", std::string("0.95")},
                {"intermediate_size", Integers(size_t(layers), 0)},
                {"intermediate_size", Integers(size_t(layers), kHuge)},
                {"intermediate_size", Integers(size_t(layers), 97), "gate_proj"},
                {"intermediate_size", std::vector<double>(size_t(layers), 96.5)}});
      return;
    }
    v.refuse({{"attention_k_eq_v", int64_t{1}},
              {"use_double_wide_mlp", int64_t{1}},
              {"enable_moe_block", std::string("yes")},
              {"use_bidirectional_attention", std::string("all")},
              {"per_layer_config.2.head_dim", int64_t{0}},
              {"per_layer_config.2.head_dim", int64_t{31}, "head_dim"},
              {"per_layer_config.2.head_dim", kHuge},
              {"per_layer_config.2.head_dim", std::string("32")},
              {"per_layer_config.1.head_dim", int64_t{64}, "head_dim"},  // others of its kind have another
              {"per_layer_config.2.num_key_value_heads", int64_t{3}, "share"},
              {"per_layer_config.2.num_key_value_heads", int64_t{0}},
              {"per_layer_config.2.sliding_window", int64_t{4}},
              {"per_layer_config.99.head_dim", int64_t{32}},
              {"per_layer_config.x.head_dim", int64_t{32}},
              {"per_layer_config.2.x.head_dim", int64_t{32}},
              {"layer_types", Strings(size_t(layers), "sliding_attention"), "full_attention"},
              {"rope_parameters.full_attention.factor", 2.0},
              {"rope_parameters.full_attention.partial_rotary_factor", 1.5},
              {"rope_parameters.full_attention.partial_rotary_factor", -0.5},
              {"rope_parameters.sliding_attention.partial_rotary_factor", 0.5}});
  });
  CHECK(seen >= 2);
}

TEST_CASE("GGUF keys of Gemma 3n and 4 are checked", "[attacks][golden]") {
  for_every_family([](const ValidFile& v) {
    const LlamaConfig c = config_from_huggingface(v.checkpoint.metadata);
    if (!family_of(c).by_layer) return;
    const Metadata good = gguf_metadata(c);
    REQUIRE_NOTHROW(config_from_gguf(good, c.vocab, nullptr));
    const size_t layers = size_t(c.layers);
    const std::vector<double> numbers(layers, 0.5);
    const auto refuse = [&](const std::string& name, const MetadataValue& value, const std::string& named = "") {
      const std::string key = name.find("puna.") == 0 ? name : c.architecture + "." + name;
      CAPTURE(key, value.index());
      Metadata m = good;
      m.replace(key, value);
      expect_model_refused(v.context, named.empty() ? key : named,
                           [&](const Context&) { config_from_gguf(m, c.vocab, nullptr); });
    };
    for (const char* list : {"feed_forward_length", "attention.head_count_kv"}) {
      for (const int64_t x : {int64_t{0}, int64_t{-1}, kHuge}) {
        refuse(list, x);
        refuse(list, Integers(layers, x));
      }
      refuse(list, Integers(layers + 1, 1));
      refuse(list, Integers(layers - 1, 1));
      refuse(list, std::string("1"));
    }
    Integers uneven(layers, 1);
    uneven[0] = c.heads + 1;
    refuse("attention.head_count_kv", uneven, "share");
    for (const MetadataValue& x : std::vector<MetadataValue>{int64_t{-1}, kHuge, 0.5, std::string("1"), true}) {
      refuse("attention.shared_kv_layers", x);
      refuse("embedding_length_per_layer_input", x);
    }
    refuse("attention.shared_kv_layers", c.layers, "share");
    refuse("attention.sliding_window_pattern", Integers(layers + 1, 1));
    refuse("attention.sliding_window_pattern", std::string("full"));
    refuse("rope.freq_base_swa", 0.0);
    refuse("rope.freq_base_swa", kNan);
    refuse("puna.rope.local_frequency", std::vector<double>(c.local_frequency.size() + 1, 0.5));
    refuse("puna.rope.local_frequency", std::vector<double>(c.local_frequency.size(), kNan), "RoPE");
    if (c.per_layer > 0) refuse("puna.per_layer_vocab", c.vocab + 1);
    if (c.architecture == "gemma4") {
      refuse("attention.key_length_swa", int64_t{0});
      refuse("attention.key_length_swa", kHuge);
      refuse("attention.key_length_swa", int64_t{15}, "puna.rope.local_frequency");
      refuse("attention.value_length_swa", int64_t{8});
      refuse("rope.dimension_count_swa", int64_t{8});
      refuse("activation_sparsity_scale", numbers);
      refuse("expert_count", c.experts > 0 ? kHuge : int64_t{8}, c.experts > 0 ? "" : "expert_used_count");
      return;
    }
    refuse("altup.num_inputs", int64_t{1});
    refuse("altup.num_inputs", kHuge);
    refuse("altup.active_idx", int64_t{1});
    refuse("puna.laurel_rank", int64_t{0});
    refuse("activation_sparsity_scale", std::vector<double>(layers + 1, 0.5));
    refuse("activation_sparsity_scale", std::vector<double>(layers, kNan));
    refuse("activation_sparsity_scale", std::vector<double>(layers, kInf));
    refuse("activation_sparsity_scale", int64_t{1});
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
