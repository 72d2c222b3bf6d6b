// config_huggingface.cpp -- a flattened config.json to a LlamaConfig. Two layouts of one content: published files
// (rope_theta, rope_scaling) and transformers v5 (rope_parameters); Llama 4 with vision nests the text part under
// text_config.
#include <algorithm>
#include <cctype>
#include <cmath>
#include <string>

#include "model/config_common.h"
#include "model/leftovers.h"
#include "puna/base/error.h"

namespace puna {
namespace {

// The text model's keys, wherever they are nested.
struct HuggingFaceKeys {
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

// The keys of RoPE stand in rope_parameters (transformers 5) or rope_scaling (published files); rope_theta, the share
// of a head that is rotated and the first length may stand beside them as well. Values given twice must be equal.
class RopeKeys {
 public:
  explicit RopeKeys(const HuggingFaceKeys& k) : k_(k), m_(k.m) {
    for (const char* group : kGroups) {
      const std::string at = k.key(group);
      if (m_.has(at) && !m_.has_group(at)) {
        const MetadataValue* v = m_.find(at);
        fail(Status::bad_file, "%s is %s, expected an object", at.c_str(), v ? describe(*v).c_str() : "a list");
      }
      for (const char* type : {"full_attention", "sliding_attention", "chunked_attention"})
        if (m_.has_group(at + "." + type))
          fail(Status::unsupported, "%s.%s: RoPE that differs by layer is not supported", at.c_str(), type);
    }
  }
  // The full name of a key, wherever it stands; "" when it is missing.
  std::string place(const char* key, const char* top = nullptr) const {
    std::string found;
    const auto look = [&](const std::string& at) {
      if (!m_.has(at)) return;
      if (found.empty())
        found = at;
      else if (!same_value(found, at))
        fail(Status::bad_file, "%s is %s, but %s is %s", found.c_str(), text(found).c_str(), at.c_str(),
             text(at).c_str());
    };
    for (const char* group : kGroups) look(k_.key(group) + "." + key);
    if (top) look(k_.key(top));
    return found;
  }
  double number(const char* key, double low, double high, std::optional<double> fallback = {},
                const char* top = nullptr) const {
    const std::string at = place(key, top);
    return m_.number(at.empty() ? k_.key(kGroups[0]) + "." + key : at, low, high, fallback);
  }
  std::string type() const {
    const std::string now = place("rope_type"), then = place("type");
    if (!now.empty() && !then.empty() && !same_value(now, then))
      fail(Status::bad_file, "%s is %s, but %s is %s", now.c_str(), text(now).c_str(), then.c_str(),
           text(then).c_str());
    return now.empty() && then.empty() ? "default" : m_.string(now.empty() ? then : now);
  }
  // HuggingFaceKeys that would do something in a type of RoPE other than this one.
  void refuse(std::initializer_list<NeutralKey> keys) const {
    for (const char* group : kGroups) require_neutral(m_, k_.key(group) + ".", std::vector<NeutralKey>(keys));
  }

 private:
  static constexpr const char* kGroups[] = {"rope_parameters", "rope_scaling"};

  bool same_value(const std::string& a, const std::string& b) const {
    const MetadataValue *x = m_.find(a), *y = m_.find(b);
    if (!x || !y) return false;
    const auto number = [](const MetadataValue& v) {
      const auto* i = std::get_if<int64_t>(&v);
      const auto* d = std::get_if<double>(&v);
      return i ? std::optional(double(*i)) : d ? std::optional(*d) : std::nullopt;
    };
    return *x == *y || (number(*x) && number(*x) == number(*y));
  }
  std::string text(const std::string& at) const {
    const MetadataValue* v = m_.find(at);
    return v ? describe(*v) : "an object or list";
  }

  const HuggingFaceKeys& k_;
  const Metadata& m_;
};

RopeScaling rope_scaling(const RopeKeys& rope) {
  RopeScaling s;
  const MetadataValue one = int64_t{1}, zero = int64_t{0};
  rope.refuse({{"attention_factor", {one}},
               {"mscale", {}},
               {"mscale_all_dim", {}},
               {"long_factor", {}},
               {"short_factor", {}},
               {"mrope_section", {}},
               {"llama_4_scaling_beta", {zero}},
               {"alpha", {one}},
               {"finetuned", {false}}});
  const std::string kind = rope.type();
  if (kind == "default") {
    // scaled, but the method is missing
    rope.refuse({{"factor", {one}}, {"low_freq_factor", {}}, {"high_freq_factor", {}}});
    return s;
  }
  if (kind != "linear" && kind != "llama3")
    fail(Status::unsupported, "rope type '%.40s' is not supported; known: default, linear, llama3", kind.c_str());
  s.kind = kind == "linear" ? RopeScaling::Kind::linear : RopeScaling::Kind::llama3;
  s.factor = rope.number("factor", 1e-6, 1e6);
  if (s.kind == RopeScaling::Kind::linear) return s;
  s.low_freq_factor = rope.number("low_freq_factor", 1e-6, 1e6);
  s.high_freq_factor = rope.number("high_freq_factor", 1e-6, 1e6);
  s.original_max_positions =
      rope.number("original_max_position_embeddings", 1, double(kMaxPositions), {}, "original_max_position_embeddings");
  if (s.original_max_positions != std::floor(s.original_max_positions))
    fail(Status::bad_file, "%s is %g, expected an integer", rope.place("original_max_position_embeddings").c_str(),
         s.original_max_positions);
  return s;
}

void read_rope(LlamaConfig& c, const HuggingFaceKeys& k) {
  const RopeKeys rope(k);
  const double usual = c.architecture == "llama4" ? 500000.0 : 10000.0;  // transformers' defaults
  c.rope_theta = rope.number("rope_theta", 1, 1e12, usual, "rope_theta");
  if (const double part = rope.number("partial_rotary_factor", 0, 1, 1.0, "partial_rotary_factor"); part != 1)
    fail(Status::unsupported, "%s is %g, expected 1: partially rotated heads are not supported",
         rope.place("partial_rotary_factor", "partial_rotary_factor").c_str(), part);
  c.inverse_frequency = rope_inverse_frequency(c.head_dim, c.rope_theta, rope_scaling(rope));
}

// no_rope_layers[i] = 1 means that layer i does use RoPE (Hugging Face's name says the opposite). Empty: every 4th is
// NoPE.
void read_llama4(LlamaConfig& c, const HuggingFaceKeys& k) {
  const size_t layers = size_t(c.layers);
  const int64_t interval = k.integer("no_rope_layer_interval", 1, kMaxLayers, 4);
  c.uses_rope.assign(layers, 1);
  const auto* rope_layers = k.m.integers(k.key("no_rope_layers"));
  if (rope_layers && !rope_layers->empty()) {
    if (rope_layers->size() != layers)
      fail(Status::bad_file, "no_rope_layers has %zu entries, the model has %zu layers", rope_layers->size(), layers);
    for (size_t i = 0; i < layers; ++i) c.uses_rope[i] = (*rope_layers)[i] != 0;
  } else {
    for (size_t i = 0; i < layers; ++i) c.uses_rope[i] = (int64_t(i) + 1) % interval != 0;
  }
  c.chunk = k.integer("attention_chunk_size", 1, kMaxPositions, 8192);
  if (const auto* types = k.m.strings(k.key("layer_types"))) {
    if (types->size() != layers)
      fail(Status::bad_file, "layer_types has %zu entries, the model has %zu layers", types->size(), layers);
    for (size_t i = 0; i < layers; ++i) {
      const std::string expected = c.uses_rope[i] ? "chunked_attention" : "full_attention";
      if ((*types)[i] != expected)
        fail(Status::unsupported, "layer_types[%zu] is '%.40s' where no_rope_layers implies %s", i, (*types)[i].c_str(),
             expected.c_str());
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
      if (l < 0 || l >= c.layers) fail(Status::bad_file, "moe_layers names layer %jd of %jd", l, c.layers);
      c.is_moe[size_t(l)] = 1;
    }
  } else {
    for (int64_t l = step - 1; l < c.layers; l += step) c.is_moe[size_t(l)] = 1;
  }
}

// A key that transformers, or the code that ships with a model, computes with and we do not.
void require_nothing_else(const LlamaConfig& c, const HuggingFaceKeys& k) {
  const MetadataValue zero = int64_t{0}, one = int64_t{1}, no = false;
  const std::vector<NeutralKey> keys = {
      {"attention_bias", {no}},
      {"mlp_bias", {no}},
      {"bias", {no}},
      {"use_bias", {no}},
      {"qkv_bias", {no}},
      {"attention_qkv_bias", {no}},
      {"attention_out_bias", {no}},
      {"attention_o_bias", {no}},
      {"lm_head_bias", {no}},
      {"add_bias_linear", {no}},
      {"add_qkv_bias", {no}},
      {"hidden_act", {std::string("silu"), std::string("swish")}},
      {"hidden_activation", {std::string("silu"), std::string("swish")}},
      {"attention_multiplier", {1 / std::sqrt(double(c.head_dim))}},
      {"query_pre_attn_scalar", {c.head_dim}},
      {"residual_multiplier", {one}},
      {"embedding_multiplier", {one}},
      {"embedding_scale", {one}},
      {"logits_scaling", {one}},
      {"logit_scale", {one}},
      {"lm_head_multiplier", {one}},
      {"scale_emb", {one}},
      {"scale_depth", {std::sqrt(double(c.layers))}},
      {"dim_model_base", {c.hidden}},
      {"final_logit_softcapping", {zero}},
      {"attn_logit_softcapping", {zero}},
      {"attn_logit_softcap", {zero}},
      {"final_logit_softcap", {zero}},
      {"clip_qkv", {zero}},
      {"clamp_kqv", {zero}},
      {"qk_layernorm", {no}},
      {"qk_norm", {no}},
      {"alibi", {no}},
      {"parallel_residual", {no}},
      {"use_parallel_residual", {no}},
      {"parallel_attn", {no}},
      {"rotary_pct", {one}},
      {"rotary_dim", {c.head_dim}},
      {"rope_interleaved", {no}},
      {"use_mrope", {no}},
      {"num_kv_shared_layers", {zero}},
      {"is_decoder", {true, no}},
      {"add_cross_attention", {no}},
      {"is_encoder_decoder", {no}},
  };
  require_neutral(k.m, k.prefix, keys);
  for (const std::string& prefix : {std::string(), k.prefix})
    for (const char* group : {"quantization_config", "compression_config"}) {
      const std::string at = prefix + group;
      if (!k.m.has(at)) continue;
      const MetadataValue* method = k.m.find(at + ".quant_method");
      fail(Status::unsupported, "%s%s%s is not supported: use the checkpoint it was made from, or a GGUF file",
           at.c_str(), method ? " with quant_method " : "", method ? describe(*method).c_str() : "");
    }
  if (c.architecture == "llama4") return;
  const std::vector<NeutralKey> dense = {
      {"use_qk_norm", {no}},        {"attn_temperature_tuning", {no, zero}}, {"num_local_experts", {zero, one}},
      {"num_experts", {zero, one}}, {"n_routed_experts", {zero, one}},       {"attention_chunk_size", {zero}}};
  require_neutral(k.m, k.prefix, dense);
  if (const auto* types = k.m.strings(k.key("layer_types")))
    for (size_t i = 0; i < types->size(); ++i)
      if ((*types)[i] != "full_attention")
        fail(Status::unsupported, "layer_types[%zu] is '%.40s', expected 'full_attention'", i, (*types)[i].c_str());
  if (const auto* rope = k.m.integers(k.key("no_rope_layers")))
    for (size_t i = 0; i < rope->size(); ++i)
      if ((*rope)[i] == 0)
        fail(Status::unsupported, "no_rope_layers[%zu] is 0: layers without RoPE are not supported in model_type llama",
             i);
}

// Ids of special tokens: whether the vocabulary has them is the tokenizer's affair; what is no id at all is refused. -1
// says none.
void require_ids(const Metadata& m, const std::string& prefix) {
  for (const char* name : {"bos_token_id", "eos_token_id", "pad_token_id"}) {
    const std::string key = prefix + name;
    if (!m.has(key)) continue;
    const MetadataValue* v = m.find(key);
    if (v && std::holds_alternative<std::vector<int64_t>>(*v)) {
      for (const int64_t id : *m.integers(key))
        if (id < -1 || id > INT32_MAX)
          fail(Status::bad_file, "metadata '%s' holds %jd, which is no id of a token", key.c_str(), id);
    } else {
      m.integer(key, -1, INT32_MAX);
    }
  }
}

// Which class the folder was saved from. Another family's under our model_type is a mistake in one of the two.
void require_architecture(const Metadata& m, bool llama4) {
  const auto* names = m.strings("architectures");
  if (!names) return;
  for (const std::string& name : *names) {
    std::string lower = name;
    for (char& c : lower) c = char(std::tolower(static_cast<unsigned char>(c)));
    const bool four = lower.find("llama4") != lower.npos;
    const bool ours = four || lower.find("llama") != lower.npos || lower.find("mistral") != lower.npos ||
                      lower.find("smollm") != lower.npos;
    const bool other = lower.find("mixtral") != lower.npos || lower.find("smollm3") != lower.npos ||
                       lower.find("mistral3") != lower.npos;
    if (!ours || other || four != llama4)
      fail(Status::unsupported, "architectures names '%.60s', which is not the model_type '%.40s'", name.c_str(),
           m.string("model_type").c_str());
  }
}

LlamaConfig read_config(const Metadata& m) {
  for (const char* group : {"text_config", "vision_config"})
    if (m.has(group) && !m.has_group(group)) {
      const MetadataValue* v = m.find(group);
      fail(Status::bad_file, "%s is %s, expected an object", group, v ? describe(*v).c_str() : "a list");
    }
  const std::string outer = m.string("model_type");
  const std::string nested = "text_config.";
  const auto first = m.values().lower_bound(nested);
  const bool has_text = m.has_group("text_config") || (first != m.values().end() && first->first.starts_with(nested));
  const HuggingFaceKeys k{m, has_text ? nested : ""};
  const std::string type = k.prefix.empty() ? outer : m.string("text_config.model_type", outer);
  LlamaConfig c;
  if (type == "llama4_text" || type == "llama4")
    c.architecture = "llama4";
  else if (type == "llama" || type == "mistral" || type == "smollm")
    c.architecture = "llama";
  else
    fail(Status::unsupported,
         "model_type '%.40s' is not supported; known: llama, mistral (without sliding window), llama4", type.c_str());
  if (!has_text) require_architecture(m, c.architecture == "llama4");  // a model that sees has a class of its own

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
  if (c.architecture == "llama4") {
    c.rope_style = RopeStyle::interleaved;
    read_llama4(c, k);
  } else {
    c.rope_style = RopeStyle::half_split;
    c.ffn = k.integer("intermediate_size", 1, kMaxFfn);
    if (m.has(k.key("sliding_window")) && k.integer("sliding_window", 1, kMaxPositions) < c.max_positions)
      fail(Status::unsupported, "sliding_window attention is not supported");
  }
  require_nothing_else(c, k);
  require_ids(m, k.prefix);
  if (has_text) require_ids(m, "");
  require_ids(m, "generation.");
  read_rope(c, k);
  validate(c);
  return c;
}

}  // namespace

LlamaConfig config_from_huggingface(const Metadata& m) {
  try {
    return read_config(m);
  } catch (const Error& e) {
    fail(e.status(), "config.json: %s", e.what());
  }
}

}  // namespace puna
