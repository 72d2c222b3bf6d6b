// Hostile numbers in config.json: every hyper-parameter of every kind of model, far out, not finite, of another type,
// or absent.
#include "attacks/model_attack.h"
#include "support/golden.h"

using namespace puna;
using namespace puna::test;

namespace test_model_config {
namespace {

// Of Llama; test_families.cpp has the others.
bool is_checkpoint(const Golden& g) {
  return g.has_file("config.json") && g.has_file("model.safetensors") && g.has("logits") &&
         read_text(g.folder() + "/config.json").find("\"Llama") != std::string::npos;
}

struct ValidFile {
  explicit ValidFile(const Golden& g) : context(context_with()), checkpoint(load_checkpoint(*context, g.folder())) {
    prefix = checkpoint.metadata.has("text_config.hidden_size") ? "text_config." : "";
    llama4 = checkpoint.metadata.string(prefix + "model_type").find("llama4") == 0;
    REQUIRE_NOTHROW(Llama::from_huggingface(*context, checkpoint.metadata, checkpoint.tensors));
  }
  std::string key(const char* name) const { return prefix + name; }
  void refuse(const std::vector<KeyAttack>& attacks) const {
    for (const KeyAttack& a : attacks) {
      CAPTURE(a.key, a.value.index());
      Metadata m = checkpoint.metadata;
      m.replace(key(a.key), a.value);
      expect_model_refused(context, a.named ? a.named : a.key,
                           [&](const Context& c) { Llama::from_huggingface(c, m, checkpoint.tensors); });
    }
  }
  ContextPtr context;
  Checkpoint checkpoint;
  std::string prefix;
  bool llama4 = false;
};

template <class Fn>
void for_every_checkpoint(Fn fn) {
  for (const Golden& g : goldens(is_checkpoint)) {
    INFO("golden set " << g.folder());
    fn(ValidFile(g));
  }
}

// Integers that no count can be.
std::vector<KeyAttack> not_counts(std::initializer_list<const char*> keys) {
  std::vector<KeyAttack> attacks;
  for (const char* key : keys)
    for (const MetadataValue& v : std::vector<MetadataValue>{int64_t{0}, int64_t{-1}, INT64_MIN, INT64_MAX, UINT64_MAX,
                                                             kHuge, 1.5, kNan, std::string("8"), true, Integers{8}})
      attacks.push_back({key, v});
  return attacks;
}

}  // namespace

TEST_CASE("counts are whole numbers within reason", "[attacks][golden]") {
  for_every_checkpoint([](const ValidFile& v) {
    v.refuse(not_counts({"num_hidden_layers", "hidden_size", "num_attention_heads", "num_key_value_heads", "head_dim",
                         "vocab_size", "intermediate_size", "max_position_embeddings"}));
    for (const char* key :
         {"num_hidden_layers", "hidden_size", "num_attention_heads", "vocab_size", "intermediate_size"})
      v.refuse({{key, std::monostate()}});
  });
}

TEST_CASE("counts agree with each other and with the tensors", "[attacks][golden]") {
  for_every_checkpoint([](const ValidFile& v) {
    const auto value = [&](const char* key) { return v.checkpoint.metadata.integer(v.key(key), 1, kHuge); };
    const int64_t layers = value("num_hidden_layers"), heads = value("num_attention_heads"),
                  kv = value("num_key_value_heads"), dim = value("head_dim");
    v.refuse({{"num_key_value_heads", heads + 1, "share"},
              {"num_attention_heads", heads + 1, (heads + 1) % kv ? "share" : "q_proj"},
              {"num_attention_heads", heads + kv, "q_proj"}});
    v.refuse(
        {{"head_dim", dim + 1, "head_dim"}, {"head_dim", dim + 2, "q_proj"}, {"head_dim", int64_t{1}, "head_dim"}});
    v.refuse({{"hidden_size", value("hidden_size") + 1, "embed_tokens"},
              {"vocab_size", value("vocab_size") + 1, "embed_tokens"},
              {"vocab_size", value("vocab_size") - 1, "embed_tokens"}});
    v.refuse({{"num_hidden_layers", int64_t{4096}, "layers"}});
    if (!v.llama4)
      v.refuse({{"num_hidden_layers", layers + 1, "model.layers."},
                {"intermediate_size", value("intermediate_size") + 1, "gate_proj"}});
  });
}

TEST_CASE("a head size that nobody gave is checked like one that is", "[attacks][golden]") {
  for_every_checkpoint([](const ValidFile& v) {
    for (const auto& [hidden, heads] : {std::pair<int64_t, int64_t>{2, 4}, {64, 64}, {1 << 20, 4}, {12, 4}}) {
      CAPTURE(hidden, heads);
      Metadata m = v.checkpoint.metadata;
      m.replace(v.key("head_dim"), std::monostate());
      m.replace(v.key("hidden_size"), hidden);
      m.replace(v.key("num_attention_heads"), heads);
      m.replace(v.key("num_key_value_heads"), heads);
      expect_model_refused(v.context, "head_dim",
                           [&](const Context& c) { Llama::from_huggingface(c, m, v.checkpoint.tensors); });
    }
  });
}

TEST_CASE("real numbers are finite and in range", "[attacks][golden]") {
  for_every_checkpoint([](const ValidFile& v) {
    std::vector<KeyAttack> attacks;
    const auto bad = [&](const char* key, std::vector<double> values) {
      for (const double x : values) attacks.push_back({key, x});
      attacks.push_back({key, std::string("0.5")});
      attacks.push_back({key, std::vector<double>{0.5}});
    };
    bad("rms_norm_eps", {0, -1e-5, 1e-300, 2, 1e300, kNan, kInf});
    bad("rope_parameters.rope_theta", {0, -1, 0.5, 1e300, kNan, kInf});
    if (v.checkpoint.metadata.has(v.key("rope_parameters.factor"))) {
      bad("rope_parameters.factor", {0, -1, 1e300, kNan, kInf});
      bad("rope_parameters.low_freq_factor", {0, -1, 1e300, kNan, kInf});
      bad("rope_parameters.high_freq_factor", {0, -1, 1e300, kNan, kInf});
      bad("rope_parameters.original_max_position_embeddings", {0.5, kNan});
      for (const int64_t x : {int64_t{0}, int64_t{-1}, kHuge})
        attacks.push_back({"rope_parameters.original_max_position_embeddings", x});
    }
    if (v.llama4) {
      bad("floor_scale", {0, -1, 0.5, 1e300, kNan, kInf});
      bad("attn_scale", {-1e300, 1e300, kNan, kInf});
    }
    v.refuse(attacks);
  });
}

TEST_CASE("angles that would lose their meaning are refused", "[attacks][golden]") {
  for_every_checkpoint([](const ValidFile& v) {
    Metadata m = v.checkpoint.metadata;
    m.replace(v.key("rope_parameters.rope_type"), std::string("linear"));
    m.replace(v.key("rope_parameters.factor"), 1e-6);  // a million radians a position
    expect_model_refused(v.context, "RoPE frequency",
                         [&](const Context& c) { Llama::from_huggingface(c, m, v.checkpoint.tensors); });
  });
}

TEST_CASE("what we do not compute is refused by its name", "[attacks][golden]") {
  for_every_checkpoint([](const ValidFile& v) {
    v.refuse({{"rope_parameters.rope_type", std::string("yarn"), "yarn"},
              {"rope_parameters.rope_type", int64_t{3}},
              {"hidden_act", std::string("gelu"), "gelu"},
              {"hidden_act", true},
              {"attention_bias", true},
              {"mlp_bias", true, "mlp_bias"},
              {"attention_bias", std::string("no")},
              {"model_type", std::string("gpt2"), "gpt2"},
              {"model_type", int64_t{1}},
              {"tie_word_embeddings", std::string("yes")}});
    Metadata nothing;
    expect_model_refused(v.context, "model_type",
                         [&](const Context& c) { Llama::from_huggingface(c, nothing, v.checkpoint.tensors); });
    if (!v.llama4) v.refuse({{"sliding_window", int64_t{8}}, {"sliding_window", int64_t{-1}}});
  });
}

TEST_CASE("Llama 4's pattern of layers and experts fits the model", "[attacks][golden]") {
  for_every_checkpoint([](const ValidFile& v) {
    if (!v.llama4) return;
    const auto value = [&](const char* key) { return v.checkpoint.metadata.integer(v.key(key), 1, kHuge); };
    const int64_t layers = value("num_hidden_layers"), experts = value("num_local_experts");
    v.refuse(not_counts({"num_local_experts", "num_experts_per_tok", "intermediate_size_mlp", "attention_chunk_size",
                         "interleave_moe_layer_step", "no_rope_layer_interval"}));
    v.refuse({{"num_local_experts", std::monostate()}, {"intermediate_size_mlp", std::monostate()}});
    v.refuse({{"num_experts_per_tok", experts + 1, "experts a token"},
              {"num_local_experts", experts + 1, "router"},
              {"num_local_experts", int64_t{1} << 14, "router"},
              {"intermediate_size", value("intermediate_size") + 1, "feed_forward"}});
    v.refuse({{"no_rope_layers", Integers(size_t(layers) + 1, 1)},
              {"no_rope_layers", Integers(1, 1)},
              {"no_rope_layers", Integers(size_t(layers), 0), "layer_types"},
              {"no_rope_layers", Strings{"1"}},
              {"no_rope_layers", int64_t{1}}});
    v.refuse({{"layer_types", Strings(size_t(layers), "sliding_attention")},
              {"layer_types", Strings{"full_attention"}},
              {"layer_types", Strings()},
              {"layer_types", Integers{1}}});
    v.refuse({{"moe_layers", Integers{-1}},
              {"moe_layers", Integers{layers}},
              {"moe_layers", Integers{0, kHuge}},
              {"moe_layers", Integers{INT64_MIN}},
              {"moe_layers", std::vector<double>{0.5}},
              {"moe_layers", true}});
    v.refuse({{"use_qk_norm", int64_t{1}},
              {"attn_temperature_tuning", std::string("on")},
              {"attn_temperature_tuning", 0.5}});
  });
}

TEST_CASE("dense and expert layers are not taken for each other", "[attacks][golden]") {
  for_every_checkpoint([](const ValidFile& v) {
    if (!v.llama4) return;
    const int64_t layers = v.checkpoint.metadata.integer(v.key("num_hidden_layers"), 1, kHuge);
    const auto* moe = v.checkpoint.metadata.integers(v.key("moe_layers"));
    REQUIRE(moe != nullptr);
    const std::set<int64_t> real(moe->begin(), moe->end());
    for (int64_t l = 0; l < layers; ++l) {
      std::set<int64_t> other = real;
      if (!other.erase(l)) other.insert(l);
      v.refuse({{"moe_layers", Integers(other.begin(), other.end()), "feed_forward"}});
    }
  });
}

}  // namespace test_model_config
