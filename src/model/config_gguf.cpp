// config_gguf.cpp -- GGUF keys to a LlamaConfig and back: what the families have in common (families_gguf.cpp has the
// rest).
#include <algorithm>
#include <cmath>
#include <string>

#include "base/det_math.h"
#include "base/nearest.h"
#include "model/config_common.h"
#include "model/family.h"
#include "model/gguf_keys.h"
#include "model/leftovers.h"
#include "puna/base/error.h"

namespace puna {
namespace {

// As llama.cpp reads it: no type is the linear one, and the factor once had another name. Its magnitude of YaRN is the
// attention factor times that of the paper.
RopeScaling rope_scaling(LlamaConfig& c, const GgufKeys& k) {
  const std::string type = k.key("rope.scaling.type"), factor = k.key("rope.scaling.factor"),
                    old = k.key("rope.scale_linear");
  const std::string kind = k.m.string(type, std::string("linear"));
  const bool yarn = kind == "yarn" && family_of(c).scaling;
  if (kind != "linear" && kind != "none" && !yarn)
    fail(Status::unsupported, "metadata '%s' is '%.40s', which is not supported; known: none, linear%s", type.c_str(),
         kind.c_str(), family_of(c).scaling ? ", yarn" : "");
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
  s.factor = once;
  s.kind = yarn ? RopeScaling::Kind::yarn : RopeScaling::Kind::linear;
  if (!yarn) return s;
  s.original_max_positions =
      double(k.integer("rope.scaling.original_context_length", 1, kMaxPositions, c.max_positions));
  s.beta_fast = k.number("rope.scaling.yarn_beta_fast", 1e-6, 1e6, 32.0);
  s.beta_slow = k.number("rope.scaling.yarn_beta_slow", 1e-6, 1e6, 1.0);
  s.truncate = c.architecture != "gpt-oss";
  const double all = s.mscale_all_dim = k.number("rope.scaling.yarn_log_multiplier", 0, 1e6, 0.0);
  const auto magnitude = [&](double m) { return s.factor <= 1 ? 1 : 0.1 * m * det::log(s.factor) + 1; };
  c.rope_magnitude =
      float(k.number("rope.scaling.attn_factor", 1e-12, 1e12, 1.0) * magnitude(1) / (all != 0 ? magnitude(all) : 1));
  if (c.rope_theta <= 1)
    fail(Status::bad_file, "metadata '%s' is %g, expected more than 1 for YaRN", k.key("rope.freq_base").c_str(),
         c.rope_theta);
  return s;
}

std::vector<float> divided(const std::vector<float>& plain, const char* tensor, const std::vector<float>& factors) {
  if (factors.size() != plain.size())
    fail(Status::bad_file, "tensor '%s' has %zu values, expected %zu", tensor, factors.size(), plain.size());
  std::vector<float> f = plain;
  for (size_t i = 0; i < f.size(); ++i) {
    if (!std::isfinite(factors[i]) || factors[i] <= 0)
      fail(Status::bad_file, "tensor '%s'[%zu] is %g, expected a finite number above 0", tensor, i, double(factors[i]));
    f[i] = factors[i] >= kNotRotated ? 0 : f[i] / factors[i];
  }
  return f;
}

// Our own keys: the frequencies to the last bit.
std::vector<float> own_frequencies(const GgufKeys& k, const char* key, size_t count) {
  const auto* list = k.m.numbers(key);
  if (!list) return {};
  if (list->size() != count)
    fail(Status::bad_file, "metadata '%s' has %zu entries, expected %zu", key, list->size(), count);
  return {list->begin(), list->end()};
}

void read_longrope(LlamaConfig& c, const GgufKeys& k, const RopeFactors& factors) {
  const bool own = k.m.has("puna.rope.long_frequency");
  if (!own && !factors.longer && !factors.shorter) return;
  if (c.architecture != "phi3") {
    if (own) fail(Status::unsupported, "metadata 'puna.rope.long_frequency' is known in architecture phi3 only");
    return;  // the tensors are judged as all that are not read
  }
  if (!own && (!factors.longer || !factors.shorter))
    fail(Status::bad_file, "tensor 'rope_factors_%s.weight' is missing", factors.longer ? "short" : "long");
  c.long_from = k.integer("rope.scaling.original_context_length", 1, kMaxPositions);
  c.rope_magnitude = float(k.number("rope.scaling.attn_factor", 1e-12, 1e12, 1.0));
  if (factors.shorter) c.rope_scaling.short_factor = *factors.shorter;
  if (factors.longer) c.rope_scaling.long_factor = *factors.longer;
  if (own) {
    c.long_frequency = own_frequencies(k, "puna.rope.long_frequency", c.inverse_frequency.size());
    return;
  }
  const std::vector<float> plain = c.inverse_frequency;
  c.inverse_frequency = divided(plain, "rope_factors_short.weight", *factors.shorter);
  c.long_frequency = divided(plain, "rope_factors_long.weight", *factors.longer);
}

void read_frequencies(LlamaConfig& c, const GgufKeys& k, const RopeFactors& factors) {
  const int64_t dims = k.integer("rope.dimension_count", 2, kMaxHeadDim, c.head_dim);
  if (dims != c.head_dim && (c.architecture != "phi3" || dims > c.head_dim || dims % 2 != 0))
    fail(Status::unsupported, "metadata '%s' is %jd, expected the head size %jd", k.key("rope.dimension_count").c_str(),
         dims, c.head_dim);
  c.rope_theta = k.number("rope.freq_base", 1, 1e12, 10000.0);
  const RopeScaling scaling = c.rope_scaling = rope_scaling(c, k);
  if (family_of(c).two_ropes) {
    const int64_t local = c.local_head_dim != 0 ? c.local_head_dim : dims;
    c.local_frequency = own_frequencies(k, "puna.rope.local_frequency", size_t(local / 2));
    const double theta = c.local_theta = k.number("rope.freq_base_swa", 1, 1e12, 10000.0);
    if (c.local_frequency.empty()) c.local_frequency = rope_inverse_frequency(local, theta, {});
  }
  if (k.m.has("puna.rope.magnitude")) c.rope_magnitude = float(k.m.number("puna.rope.magnitude", 1e-12, 1e12));
  c.inverse_frequency = own_frequencies(k, "puna.rope.inverse_frequency", size_t(dims / 2));
  if (!c.inverse_frequency.empty()) {
    if (scaling.kind == RopeScaling::Kind::linear && !family_of(c).scaling)
      fail(Status::bad_file,
           "metadata '%s' scales RoPE by %g, but 'puna.rope.inverse_frequency' gives the frequencies themselves",
           k.key(k.m.has(k.key("rope.scaling.factor")) ? "rope.scaling.factor" : "rope.scale_linear").c_str(),
           scaling.factor);
    return read_longrope(c, k, factors);
  }
  c.inverse_frequency = rope_inverse_frequency(dims, c.rope_theta, scaling);
  read_longrope(c, k, factors);
  if (factors.all) c.inverse_frequency = divided(c.inverse_frequency, "rope_freqs.weight", *factors.all);
}

// llama4's and those families' readers look at it.
bool reads_window(const LlamaConfig& c) {
  return c.architecture == "llama4" || c.architecture == "gpt-oss" || c.architecture == "phi3" ||
         c.architecture.starts_with("gemma");
}

// A key that other programs compute with and we do not.
void require_nothing_else(const LlamaConfig& c, const GgufKeys& k) {
  const MetadataValue zero = int64_t{0}, one = int64_t{1}, no = false;
  const int64_t local_head_dim = c.local_head_dim != 0 ? c.local_head_dim : c.head_dim;
  const std::vector<NeutralKey> keys = {
      {"attention.scale", {zero, double(c.score_scale())}},
      {"attention.output_scale", {zero, one}},
      {"attention.clamp_kqv", {zero}},
      {"attention.max_alibi_bias", {zero}},
      {"attention.causal", {true}},
      {"attention.temperature_scale", {zero, double(c.temperature ? c.attn_scale : c.query_growth)}},
      {"attention.temperature_length", {zero, double(c.temperature ? c.floor_scale : 0)}},
      {"attention.shared_kv_layers", {zero, c.shared_kv}},
      {"attention.q_lora_rank", {zero}},
      {"attention.kv_lora_rank", {zero}},
      {"attention.key_length_swa", {local_head_dim}},
      {"attention.value_length_swa", {local_head_dim}},
      {"altup.active_idx", {zero}},
      {"altup.num_inputs", {zero, one, c.streams}},
      {"attn_logit_softcapping", {zero, double(c.attention_softcap)}},
      {"router_logit_softcapping", {zero}},
      {"final_logit_softcapping", {zero, double(c.final_softcap)}},
      {"logit_scale", {zero, 1 / double(c.logit_scale)}},
      {"residual_scale", {zero, double(c.residual_scale)}},
      {"embedding_scale", {zero, double(c.embedding_scale)}},
      {"embedding_length_per_layer_input", {zero, c.per_layer}},
      {"embedding_length_out", {zero, c.hidden}},
      {"expert_weights_scale", {zero, one}},
      {"expert_weights_norm", {c.router_score == RouterScore::softmax_chosen}},
      {"expert_gating_func",
       {zero, int64_t{c.router_score == RouterScore::sigmoid ? 2 : 1}}},  // 1: softmax, 2: sigmoid
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
      {"swiglu_clamp_exp", {zero}},
      {"swiglu_clamp_shexp", {zero}},
      {"use_parallel_residual", {no}},
      {"swin_norm", {no}},
      {"rope.dimension_sections", {}},
      {"rope.dimension_count_swa", {local_head_dim}},
      {"rope.scaling.attn_factor", {one, double(c.rope_magnitude)}},
      {"rope.scaling.alpha", {zero, one}},
      {"rope.scaling.yarn_attn_factor", {one}},
      {"rope.scaling.yarn_ext_factor", {zero, int64_t{-1}}},
  };
  require_neutral(k.m, k.prefix, keys);
  const NeutralKey two_ropes[] = {{"rope.freq_base_swa", {c.rope_theta}}};
  if (c.local_frequency.empty()) require_neutral(k.m, k.prefix, two_ropes);
  const NeutralKey sparsity[] = {{"activation_sparsity_scale", {zero}}};
  if (c.architecture != "gemma3n") require_neutral(k.m, k.prefix, sparsity);
  const NeutralKey yarn[] = {{"rope.scaling.yarn_log_multiplier", {zero}}};
  if (!family_of(c).scaling) require_neutral(k.m, k.prefix, yarn);
  if (const MetadataValue* window = !reads_window(c) ? k.m.find(k.key("attention.sliding_window")) : nullptr) {
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
                                    "puna.rope.local_frequency",
                                    "puna.rope.long_frequency",
                                    "puna.rope.magnitude",
                                    "puna.router.normalised",
                                    "puna.swiglu.limit",
                                    "puna.swiglu.alpha",
                                    "puna.attention.window",
                                    "puna.attention.sliding_layers",
                                    "puna.attention.scale",
                                    "puna.attention.bias",
                                    "puna.laurel_rank",
                                    "puna.per_layer_vocab",
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
  return config_from_gguf(m, vocab, RopeFactors{rope_freqs, nullptr, nullptr});
}

LlamaConfig config_from_gguf(const Metadata& m, int64_t vocab, const RopeFactors& factors) {
  LlamaConfig c;
  c.architecture = m.string("general.architecture");
  const Family* const family = family_of_gguf(c.architecture);
  if (!family)
    fail(Status::unsupported, "metadata 'general.architecture' is '%.40s', which is not supported; known: %s",
         c.architecture.c_str(), known_architectures().c_str());
  if (const std::string type = m.string("general.type", std::string("model")); type != "model")
    fail(Status::unsupported, "metadata 'general.type' is '%.40s': the file holds no model", type.c_str());
  const GgufKeys k{m, c.architecture + "."};
  c.layers = k.integer("block_count", 1, kMaxLayers);
  c.hidden = k.integer("embedding_length", 1, kMaxHidden);
  c.heads = k.integer("attention.head_count", 1, kMaxHeads);
  if (family->by_layer)
    set_layer_kv_heads(c, k.of_layers("attention.head_count_kv", c.layers, 1, kMaxHeads));
  else
    c.kv_heads = k.integer("attention.head_count_kv", 1, kMaxHeads, c.heads);
  c.head_dim = k.integer("attention.key_length", 2, kMaxHeadDim, c.hidden / c.heads);
  if (k.integer("attention.value_length", 2, kMaxHeadDim, c.head_dim) != c.head_dim)
    fail(Status::unsupported, "metadata '%s': keys and values of different sizes are not supported",
         k.key("attention.value_length").c_str());
  c.vocab = vocab;
  if (family->by_layer)
    set_layer_ffn(c, k.of_layers("feed_forward_length", c.layers, 1, kMaxFfn));
  else
    c.ffn = k.integer("feed_forward_length", 1, kMaxFfn);
  c.max_positions = k.integer("context_length", 1, kMaxPositions, 2048);
  c.norm_eps = float(k.number("attention.layer_norm_rms_epsilon", kMinNormEps, 1.0, 1e-5));
  c.uses_rope.assign(size_t(c.layers), 1);
  c.is_moe.assign(size_t(c.layers), 0);
  family->from_gguf(c, k);
  c.rope_style = m.boolean("puna.rope.half_split", !family->permuted && c.architecture != "llama4")
                     ? RopeStyle::half_split
                     : RopeStyle::interleaved;
  read_frequencies(c, k, factors);
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
  m.set("general.architecture", c.architecture);
  m.set(p + "block_count", c.layers);
  m.set(p + "embedding_length", c.hidden);
  m.set(p + "attention.head_count", c.heads);
  m.set(p + "attention.head_count_kv",
        c.layer_kv_heads.empty() ? MetadataValue(c.kv_heads) : MetadataValue(c.layer_kv_heads));
  m.set(p + "attention.key_length", c.head_dim);
  m.set(p + "attention.value_length", c.head_dim);
  m.set(p + "feed_forward_length", c.layer_ffn.empty() ? MetadataValue(c.ffn) : MetadataValue(c.layer_ffn));
  m.set(p + "context_length", c.max_positions);
  m.set(p + "attention.layer_norm_rms_epsilon", double(c.norm_eps));
  m.set(p + "rope.dimension_count", c.rotated());
  m.set(p + "rope.freq_base", c.rope_theta);
  m.set(p + "vocab_size", c.vocab);
  m.set("puna.rope.inverse_frequency", std::vector<double>(c.inverse_frequency.begin(), c.inverse_frequency.end()));
  const auto set_numbers = [&](const char* key, const std::vector<float>& values) {
    if (!values.empty()) m.set(key, std::vector<double>(values.begin(), values.end()));
  };
  set_numbers("puna.rope.local_frequency", c.local_frequency);
  set_numbers("puna.rope.long_frequency", c.long_frequency);
  if (!c.long_frequency.empty()) {
    m.set(p + "rope.scaling.original_context_length", c.long_from);
    m.set(p + "rope.scaling.attn_factor", double(c.rope_magnitude));
  } else if (c.rope_magnitude != 1 || c.rope_scaling.kind == RopeScaling::Kind::yarn) {
    m.set("puna.rope.magnitude", double(c.rope_magnitude));
  }
  const RopeScaling& s = c.rope_scaling;
  const bool yarn = s.kind == RopeScaling::Kind::yarn;
  if (family_of(c).scaling && (yarn || s.kind == RopeScaling::Kind::linear)) {  // others have a tensor of factors
    m.set(p + "rope.scaling.type", std::string(yarn ? "yarn" : "linear"));
    m.set(p + "rope.scaling.factor", s.factor);
  }
  if (yarn) {
    m.set(p + "rope.scaling.original_context_length", int64_t(s.original_max_positions));
    m.set(p + "rope.scaling.yarn_beta_fast", s.beta_fast);
    m.set(p + "rope.scaling.yarn_beta_slow", s.beta_slow);
    if (s.mscale_all_dim != 0) m.set(p + "rope.scaling.yarn_log_multiplier", s.mscale_all_dim);
  }
  family_of(c).to_gguf(m, c);
  return m;
}

}  // namespace puna
