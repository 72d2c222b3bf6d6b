// config_gguf.cpp -- GGUF keys to a LlamaConfig and back. The format has no keys for Llama 4's attention pattern:
// existing files follow a convention (LLAMA4.md); ours write explicit puna.* keys, which win.
#include <algorithm>
#include <cmath>
#include <string>

#include "base/nearest.h"
#include "model/config_common.h"
#include "model/leftovers.h"
#include "puna/base/error.h"

namespace puna {
namespace {

constexpr int64_t kConventionChunk = 8192, kConventionNopeStep = 4, kMaverickExperts = 128;

// "llama4." + name. Some converters write one value a layer; we take it when all agree.
struct GgufKeys {
  const Metadata& m;
  std::string prefix;
  std::string key(const char* k) const { return prefix + k; }
  int64_t integer(const char* k, int64_t low, int64_t high, std::optional<int64_t> fallback = {}) const {
    const MetadataValue* v = m.find(key(k));
    if (const auto* array = v ? std::get_if<std::vector<int64_t>>(v) : nullptr; array && !array->empty()) {
      for (const int64_t x : *array)
        if (x != array->front())
          fail(Status::unsupported, "metadata '%s' differs by layer, which is not supported", key(k).c_str());
      Metadata one;
      one.set(key(k), array->front());
      return one.integer(key(k), low, high);
    }
    return m.integer(key(k), low, high, fallback);
  }
  double number(const char* k, double low, double high, std::optional<double> fallback = {}) const {
    return m.number(key(k), low, high, fallback);
  }
};

// As llama.cpp reads it: no type is the linear one, and the factor once had another name.
RopeScaling rope_scaling(const GgufKeys& k) {
  const std::string type = k.key("rope.scaling.type"), factor = k.key("rope.scaling.factor"),
                    old = k.key("rope.scale_linear");
  const std::string kind = k.m.string(type, std::string("linear"));
  if (kind != "linear" && kind != "none")
    fail(Status::unsupported, "metadata '%s' is '%.40s', which is not supported; known: none, linear", type.c_str(),
         kind.c_str());
  const double named = k.number("rope.scaling.factor", 1e-6, 1e6, 1.0),
               once = k.number("rope.scale_linear", 1e-6, 1e6, named);
  if (k.m.has(factor) && once != named)
    fail(Status::bad_file, "metadata '%s' is %g and '%s' is %g: they are two names of one factor", factor.c_str(),
         named, old.c_str(), once);
  RopeScaling s;
  if (kind == "none" && once != 1)
    fail(Status::bad_file, "metadata '%s' is %g, but '%s' is 'none'", k.m.has(factor) ? factor.c_str() : old.c_str(),
         once, type.c_str());
  if (once == 1) return s;
  s.kind = RopeScaling::Kind::linear;
  s.factor = once;
  return s;
}

void read_frequencies(LlamaConfig& c, const GgufKeys& k, const std::vector<float>* rope_freqs) {
  const int64_t dims = k.integer("rope.dimension_count", 2, kMaxHeadDim, c.head_dim);
  if (dims != c.head_dim)
    fail(Status::unsupported, "metadata '%s' is %jd, expected the head size %jd", k.key("rope.dimension_count").c_str(),
         dims, c.head_dim);
  c.rope_theta = k.number("rope.freq_base", 1, 1e12, 10000.0);
  const RopeScaling scaling = rope_scaling(k);
  if (const auto* explicit_f = k.m.numbers("puna.rope.inverse_frequency")) {
    if (int64_t(explicit_f->size()) != c.head_dim / 2)
      fail(Status::bad_file, "metadata 'puna.rope.inverse_frequency' has %zu entries, expected %jd", explicit_f->size(),
           c.head_dim / 2);
    if (scaling.kind != RopeScaling::Kind::none)
      fail(Status::bad_file,
           "metadata '%s' scales RoPE by %g, but 'puna.rope.inverse_frequency' gives the frequencies themselves",
           k.key(k.m.has(k.key("rope.scaling.factor")) ? "rope.scaling.factor" : "rope.scale_linear").c_str(),
           scaling.factor);
    c.inverse_frequency.assign(explicit_f->begin(), explicit_f->end());
    return;
  }
  c.inverse_frequency = rope_inverse_frequency(c.head_dim, c.rope_theta, scaling);
  if (!rope_freqs) return;
  if (rope_freqs->size() != c.inverse_frequency.size())
    fail(Status::bad_file, "tensor 'rope_freqs.weight' has %zu values, expected %zu", rope_freqs->size(),
         c.inverse_frequency.size());
  for (size_t i = 0; i < rope_freqs->size(); ++i) {
    const float x = (*rope_freqs)[i];
    if (!std::isfinite(x) || x <= 0)
      fail(Status::bad_file, "tensor 'rope_freqs.weight'[%zu] is %g, expected a finite number above 0", i, double(x));
    c.inverse_frequency[i] /= x;
  }
}

std::vector<uint8_t> flags(const Metadata& m, const char* key, int64_t layers) {
  const auto* list = m.integers(key);
  if (!list) return {};
  if (int64_t(list->size()) != layers)
    fail(Status::bad_file, "metadata '%s' has %zu entries, the model has %jd layers", key, list->size(), layers);
  std::vector<uint8_t> f;
  for (const int64_t x : *list) f.push_back(x != 0);
  return f;
}

void read_llama4(LlamaConfig& c, const GgufKeys& k) {
  c.experts = k.integer("expert_count", 1, kMaxExperts);
  c.experts_per_token = k.integer("expert_used_count", 1, kMaxExperts, 1);
  c.expert_ffn = k.integer("expert_feed_forward_length", 1, kMaxFfn);
  const int64_t step = k.integer("interleave_moe_layer_step", 1, kMaxLayers, 1);
  c.is_moe = flags(k.m, "puna.moe_layers", c.layers);
  if (c.is_moe.empty())
    for (int64_t l = 0; l < c.layers; ++l) c.is_moe.push_back((l + 1) % step == 0);
  const int64_t window = k.integer("attention.sliding_window", 0, kMaxPositions, kConventionChunk);
  const bool iRope = window != 0;
  c.uses_rope = flags(k.m, "puna.rope_layers", c.layers);
  if (c.uses_rope.empty())
    for (int64_t l = 0; l < c.layers; ++l) c.uses_rope.push_back(!iRope || (l + 1) % kConventionNopeStep != 0);
  c.chunk = k.m.integer("puna.attention.chunk", 0, kMaxPositions, iRope ? kConventionChunk : 0);
  if (iRope && window != kConventionChunk && window != c.chunk)  // llama.cpp reads any of them as 8192
    fail(Status::unsupported, "metadata '%s' is %jd, expected 0, %jd or a 'puna.attention.chunk' that agrees",
         k.key("attention.sliding_window").c_str(), window, kConventionChunk);
  c.temperature = k.m.boolean("puna.attention.temperature", iRope);
  c.floor_scale = float(k.m.number("puna.attention.floor_scale", 1, 1e9, 8192.0));
  c.attn_scale = float(k.m.number("puna.attention.attn_scale", -1e6, 1e6, 0.1));
  c.qk_norm = k.m.boolean("puna.attention.qk_norm", c.experts != kMaverickExperts);
}

// A key that other programs compute with and we do not.
void require_nothing_else(const LlamaConfig& c, const GgufKeys& k) {
  const MetadataValue zero = int64_t{0}, one = int64_t{1}, no = false;
  const std::vector<NeutralKey> keys = {
      {"attention.scale", {zero, 1 / std::sqrt(double(c.head_dim))}},
      {"attention.output_scale", {zero, one}},
      {"attention.clamp_kqv", {zero}},
      {"attention.max_alibi_bias", {zero}},
      {"attention.causal", {true}},
      {"attention.temperature_scale", {zero, double(c.temperature ? c.attn_scale : 0)}},
      {"attention.temperature_length", {zero, double(c.temperature ? c.floor_scale : 0)}},
      {"attention.shared_kv_layers", {zero}},
      {"attention.q_lora_rank", {zero}},
      {"attention.kv_lora_rank", {zero}},
      {"attention.key_length_swa", {c.head_dim}},
      {"attention.value_length_swa", {c.head_dim}},
      {"attn_logit_softcapping", {zero}},
      {"router_logit_softcapping", {zero}},
      {"final_logit_softcapping", {zero}},
      {"logit_scale", {zero, one}},
      {"residual_scale", {zero, one}},
      {"embedding_scale", {zero, one}},
      {"embedding_length_per_layer_input", {zero}},
      {"embedding_length_out", {zero, c.hidden}},
      {"expert_weights_scale", {zero, one}},
      {"expert_weights_norm", {no}},
      {"expert_gating_func", {zero, int64_t{2}}},  // 2: sigmoid
      {"expert_group_count", {zero, one}},
      {"expert_group_used_count", {zero, one}},
      {"expert_shared_count", {zero, one}},
      {"expert_shared_feed_forward_length", {zero, c.expert_ffn}},
      {"expert_chunk_feed_forward_length", {zero}},
      {"leading_dense_block_count", {zero}},
      {"moe_every_n_layers", {zero}},
      {"full_attention_interval", {zero, one}},
      {"n_deepstack_layers", {zero}},
      {"rescale_every_n_layers", {zero}},
      {"activation_sparsity_scale", {zero}},
      {"swiglu_clamp_exp", {zero}},
      {"swiglu_clamp_shexp", {zero}},
      {"use_parallel_residual", {no}},
      {"swin_norm", {no}},
      {"rope.dimension_sections", {}},
      {"rope.dimension_count_swa", {c.head_dim}},
      {"rope.freq_base_swa", {c.rope_theta}},
      {"rope.scaling.attn_factor", {one}},
      {"rope.scaling.alpha", {zero, one}},
      {"rope.scaling.yarn_attn_factor", {one}},
      {"rope.scaling.yarn_ext_factor", {zero, int64_t{-1}}},
      {"rope.scaling.yarn_log_multiplier", {zero}},
  };
  require_neutral(k.m, k.prefix, keys);
  if (const MetadataValue* window = c.architecture == "llama" ? k.m.find(k.key("attention.sliding_window")) : nullptr) {
    const int64_t positions = k.integer("attention.sliding_window", 0, INT64_MAX, 0);
    if (positions != 0 && positions < c.max_positions)
      fail(Status::unsupported, "metadata '%s' is %s, which is not supported: every token sees all %jd before it",
           k.key("attention.sliding_window").c_str(), describe(*window).c_str(), c.max_positions);
  }
}

// Ours, all of them: one that is not known is of a later version or misspelt, and would change the model.
void require_known_puna_keys(const Metadata& m) {
  constexpr const char* kKnown[] = {"puna.rope.inverse_frequency",
                                    "puna.rope.half_split",
                                    "puna.moe_layers",
                                    "puna.rope_layers",
                                    "puna.attention.chunk",
                                    "puna.attention.temperature",
                                    "puna.attention.floor_scale",
                                    "puna.attention.attn_scale",
                                    "puna.attention.qk_norm"};
  const auto& values = m.values();
  for (auto it = values.lower_bound("puna."); it != values.end() && it->first.starts_with("puna."); ++it)
    if (std::find(std::begin(kKnown), std::end(kKnown), it->first) == std::end(kKnown))
      fail(Status::unsupported, "metadata '%.200s' is not known to this version%s", it->first.c_str(),
           did_you_mean(it->first, kKnown).c_str());
}

}  // namespace

LlamaConfig config_from_gguf(const Metadata& m, int64_t vocab, const std::vector<float>* rope_freqs) {
  LlamaConfig c;
  c.architecture = m.string("general.architecture");
  if (c.architecture != "llama" && c.architecture != "llama4")
    fail(Status::unsupported,
         "metadata 'general.architecture' is '%.40s', which is not supported; known: llama, llama4",
         c.architecture.c_str());
  if (const std::string type = m.string("general.type", std::string("model")); type != "model")
    fail(Status::unsupported, "metadata 'general.type' is '%.40s': the file holds no model", type.c_str());
  const GgufKeys k{m, c.architecture + "."};
  c.layers = k.integer("block_count", 1, kMaxLayers);
  c.hidden = k.integer("embedding_length", 1, kMaxHidden);
  c.heads = k.integer("attention.head_count", 1, kMaxHeads);
  c.kv_heads = k.integer("attention.head_count_kv", 1, kMaxHeads, c.heads);
  c.head_dim = k.integer("attention.key_length", 2, kMaxHeadDim, c.hidden / c.heads);
  if (k.integer("attention.value_length", 2, kMaxHeadDim, c.head_dim) != c.head_dim)
    fail(Status::unsupported, "metadata '%s': keys and values of different sizes are not supported",
         k.key("attention.value_length").c_str());
  c.vocab = vocab;
  c.ffn = k.integer("feed_forward_length", 1, kMaxFfn);
  c.max_positions = k.integer("context_length", 1, kMaxPositions, 2048);
  c.norm_eps = float(k.number("attention.layer_norm_rms_epsilon", kMinNormEps, 1.0, 1e-5));
  c.uses_rope.assign(size_t(c.layers), 1);
  c.is_moe.assign(size_t(c.layers), 0);
  if (c.architecture == "llama4")
    read_llama4(c, k);
  else if (k.integer("expert_count", 0, kMaxExperts, 0) > 0)
    fail(Status::unsupported,
         "metadata '%s': mixture-of-experts files of architecture llama (Mixtral) are not supported",
         k.key("expert_count").c_str());
  c.rope_style = m.boolean("puna.rope.half_split", false) ? RopeStyle::half_split : RopeStyle::interleaved;
  read_frequencies(c, k, rope_freqs);
  require_nothing_else(c, k);
  require_known_puna_keys(m);
  // what differs stays unread: files whose tokens were added later say the old number
  const auto found = m.values().find(k.key("vocab_size"));
  if (found != m.values().end() && found->second == MetadataValue(vocab)) m.find(found->first);
  validate(c);
  return c;
}

Metadata gguf_metadata(const LlamaConfig& c) {
  Metadata m;
  const std::string p = c.architecture + ".";
  const auto layers = [](const std::vector<uint8_t>& f) { return std::vector<int64_t>(f.begin(), f.end()); };
  m.set("general.architecture", c.architecture);
  m.set(p + "block_count", c.layers);
  m.set(p + "embedding_length", c.hidden);
  m.set(p + "attention.head_count", c.heads);
  m.set(p + "attention.head_count_kv", c.kv_heads);
  m.set(p + "attention.key_length", c.head_dim);
  m.set(p + "attention.value_length", c.head_dim);
  m.set(p + "feed_forward_length", c.ffn);
  m.set(p + "context_length", c.max_positions);
  m.set(p + "attention.layer_norm_rms_epsilon", double(c.norm_eps));
  m.set(p + "rope.dimension_count", c.head_dim);
  m.set(p + "rope.freq_base", c.rope_theta);
  m.set(p + "vocab_size", c.vocab);
  m.set("puna.rope.inverse_frequency", std::vector<double>(c.inverse_frequency.begin(), c.inverse_frequency.end()));
  if (c.architecture != "llama4") return m;
  m.set(p + "expert_count", c.experts);
  m.set(p + "expert_used_count", c.experts_per_token);
  m.set(p + "expert_feed_forward_length", c.expert_ffn);
  for (int64_t step = 1; step <= c.layers; ++step) {  // other programs know no other pattern
    bool fits = true;
    for (int64_t l = 0; l < c.layers; ++l) fits &= (c.is_moe[size_t(l)] != 0) == ((l + 1) % step == 0);
    if (!fits) continue;
    m.set(p + "interleave_moe_layer_step", step);
    break;
  }
  m.set("puna.moe_layers", layers(c.is_moe));
  m.set("puna.rope_layers", layers(c.uses_rope));
  m.set("puna.attention.chunk", c.chunk);
  m.set("puna.attention.temperature", c.temperature);
  m.set("puna.attention.floor_scale", double(c.floor_scale));
  m.set("puna.attention.attn_scale", double(c.attn_scale));
  m.set("puna.attention.qk_norm", c.qk_norm);
  return m;
}

}  // namespace puna
