// config_huggingface.cpp -- a flattened config.json to a LlamaConfig. Two layouts of one content: published files
// (rope_theta, rope_scaling) and transformers v5 (rope_parameters); Llama 4 with vision nests the text part under text_config.
#include <string>

#include "model/config_common.h"
#include "puna/base/error.h"

namespace puna {
namespace {

// The text model's keys, wherever they are nested.
struct Keys {
  const Metadata& m;
  std::string prefix;
  std::string key(const char* k) const { return prefix + k; }
  int64_t integer(const char* k, int64_t low, int64_t high, std::optional<int64_t> fallback = {}) const {
    return m.integer(key(k), low, high, fallback);
  }
  double number(const char* k, double low, double high, std::optional<double> fallback = {}) const {
    return m.number(key(k), low, high, fallback);
  }
  bool boolean(const char* k, bool fallback) const { return m.boolean(key(k), fallback); }
  // A switch that first releases wrote as a number (Llama 4's attn_temperature_tuning is 4 there).
  bool truth(const char* k, bool fallback) const {
    const MetadataValue* v = m.find(key(k));
    const auto* number = v ? std::get_if<int64_t>(v) : nullptr;
    return number ? *number != 0 : boolean(k, fallback);
  }
};

RopeScaling rope_scaling(const Keys& k, const std::string& group) {
  RopeScaling s;
  const auto name = [&](const char* key) { return group + "." + key; };
  const std::string kind = k.m.string(k.prefix + name("rope_type"), k.m.string(k.prefix + name("type"), std::string("default")));
  if (kind == "default") return s;
  if (kind != "linear" && kind != "llama3")
    fail(Status::unsupported, "config.json: rope type '%.40s' is not supported; known: default, linear, llama3", kind.c_str());
  s.kind = kind == "linear" ? RopeScaling::Kind::linear : RopeScaling::Kind::llama3;
  s.factor = k.number(name("factor").c_str(), 1e-6, 1e6);
  if (s.kind == RopeScaling::Kind::linear) return s;
  s.low_freq_factor = k.number(name("low_freq_factor").c_str(), 1e-6, 1e6);
  s.high_freq_factor = k.number(name("high_freq_factor").c_str(), 1e-6, 1e6);
  s.original_max_positions = double(k.integer(name("original_max_position_embeddings").c_str(), 1, kMaxPositions));
  return s;
}

void read_rope(LlamaConfig& c, const Keys& k) {
  const double usual = c.architecture == "llama4" ? 500000.0 : 10000.0;  // transformers' defaults
  const bool v5 = k.m.has(k.key("rope_parameters.rope_theta")) || k.m.has(k.key("rope_parameters.rope_type"));
  c.rope_theta = k.number(v5 ? "rope_parameters.rope_theta" : "rope_theta", 1, 1e12, usual);
  c.inverse_frequency = rope_inverse_frequency(c.head_dim, c.rope_theta, rope_scaling(k, v5 ? "rope_parameters" : "rope_scaling"));
}

// no_rope_layers[i] = 1 means that layer i does use RoPE (Hugging Face's name says the opposite). Empty: every 4th is NoPE.
void read_llama4(LlamaConfig& c, const Keys& k) {
  const size_t layers = size_t(c.layers);
  const int64_t interval = k.integer("no_rope_layer_interval", 1, kMaxLayers, 4);
  c.uses_rope.assign(layers, 1);
  const auto* rope_layers = k.m.integers(k.key("no_rope_layers"));
  if (rope_layers && !rope_layers->empty()) {
    if (rope_layers->size() != layers)
      fail(Status::bad_file, "config.json: no_rope_layers has %zu entries, the model has %zu layers", rope_layers->size(), layers);
    for (size_t i = 0; i < layers; ++i) c.uses_rope[i] = (*rope_layers)[i] != 0;
  } else {
    for (size_t i = 0; i < layers; ++i) c.uses_rope[i] = (int64_t(i) + 1) % interval != 0;
  }
  c.chunk = k.integer("attention_chunk_size", 1, kMaxPositions, 8192);
  if (const auto* types = k.m.strings(k.key("layer_types"))) {
    if (types->size() != layers) fail(Status::bad_file, "config.json: layer_types has %zu entries, the model has %zu layers", types->size(), layers);
    for (size_t i = 0; i < layers; ++i) {
      const std::string expected = c.uses_rope[i] ? "chunked_attention" : "full_attention";
      if ((*types)[i] != expected)
        fail(Status::unsupported, "config.json: layer_types[%zu] is '%.40s' where no_rope_layers implies %s", i, (*types)[i].c_str(), expected.c_str());
    }
  }
  c.qk_norm = k.boolean("use_qk_norm", true);
  c.temperature = k.truth("attn_temperature_tuning", true);
  c.floor_scale = float(k.number("floor_scale", 1, 1e9, 8192.0));
  c.attn_scale = float(k.number("attn_scale", -1e6, 1e6, 0.1));
  c.experts = k.integer("num_local_experts", 1, kMaxExperts);
  c.experts_per_token = k.integer("num_experts_per_tok", 1, kMaxExperts, 1);
  c.expert_ffn = k.integer("intermediate_size", 1, kMaxFfn);
  c.ffn = k.integer("intermediate_size_mlp", 1, kMaxFfn);
  const int64_t step = k.integer("interleave_moe_layer_step", 1, kMaxLayers, 1);
  if (const auto* moe = k.m.integers(k.key("moe_layers"))) {
    for (const int64_t l : *moe) {
      if (l < 0 || l >= c.layers) fail(Status::bad_file, "config.json: moe_layers names layer %lld of %lld", static_cast<long long>(l), static_cast<long long>(c.layers));
      c.is_moe[size_t(l)] = 1;
    }
  } else {
    for (int64_t l = step - 1; l < c.layers; l += step) c.is_moe[size_t(l)] = 1;
  }
}

}  // namespace

LlamaConfig config_from_huggingface(const Metadata& m) {
  const std::string outer = m.string("model_type");
  const std::string nested = "text_config.";
  const auto first = m.values().lower_bound(nested);
  const Keys k{m, first != m.values().end() && first->first.starts_with(nested) ? nested : ""};
  const std::string type = k.prefix.empty() ? outer : m.string("text_config.model_type", outer);
  LlamaConfig c;
  if (type == "llama4_text" || type == "llama4") c.architecture = "llama4";
  else if (type == "llama" || type == "mistral" || type == "smollm") c.architecture = "llama";
  else fail(Status::unsupported, "config.json: model_type '%.40s' is not supported; known: llama, mistral (without sliding window), llama4", type.c_str());

  c.layers = k.integer("num_hidden_layers", 1, kMaxLayers);
  c.hidden = k.integer("hidden_size", 1, kMaxHidden);
  c.heads = k.integer("num_attention_heads", 1, kMaxHeads);
  c.kv_heads = k.integer("num_key_value_heads", 1, kMaxHeads, c.heads);
  c.head_dim = k.integer("head_dim", 2, kMaxHeadDim, c.hidden / c.heads);
  c.vocab = k.integer("vocab_size", 1, kMaxVocab);
  c.max_positions = k.integer("max_position_embeddings", 1, kMaxPositions, 2048);
  c.norm_eps = float(k.number("rms_norm_eps", kMinNormEps, 1.0, 1e-6));
  c.tied = k.boolean("tie_word_embeddings", m.boolean("tie_word_embeddings", false));
  c.uses_rope.assign(size_t(c.layers), 1);
  c.is_moe.assign(size_t(c.layers), 0);
  if (k.boolean("attention_bias", false) || k.boolean("mlp_bias", false))
    fail(Status::unsupported, "config.json: models with attention_bias or mlp_bias are not supported");
  const std::string activation = m.string(k.key("hidden_act"), std::string("silu"));
  if (activation != "silu") fail(Status::unsupported, "config.json: hidden_act '%.40s' is not supported; known: silu", activation.c_str());
  if (c.architecture == "llama4") {
    c.rope_style = RopeStyle::interleaved;
    read_llama4(c, k);
  } else {
    c.rope_style = RopeStyle::half_split;
    c.ffn = k.integer("intermediate_size", 1, kMaxFfn);
    if (m.has(k.key("sliding_window")) && k.integer("sliding_window", 1, kMaxPositions) < c.max_positions)
      fail(Status::unsupported, "config.json: sliding_window attention is not supported");
  }
  read_rope(c, k);
  validate(c);
  return c;
}

}  // namespace puna
