// families_gguf.cpp -- what each family's GGUF keys say beyond the common ones, read and written. What the format has
// no key for follows the conventions of llama.cpp's loader; ours write explicit puna.* keys, which win.
#include <cmath>

#include "model/config_common.h"
#include "model/family.h"
#include "model/gguf_keys.h"
#include "puna/base/error.h"

namespace puna {

std::vector<uint8_t> layer_flags(const Metadata& m, const char* key, int64_t layers) {
  const auto* list = m.integers(key);
  if (!list) return {};
  if (int64_t(list->size()) != layers)
    fail(Status::bad_file, "metadata '%s' has %zu entries, the model has %jd layers", key, list->size(), layers);
  std::vector<uint8_t> f;
  for (const int64_t x : *list) f.push_back(x != 0);
  return f;
}

void read_sliding_layers(LlamaConfig& c, const GgufKeys& k, int64_t window, FunctionRef<bool(int64_t)> usual) {
  window = k.m.integer("puna.attention.window", 0, kMaxPositions, window);
  std::vector<uint8_t> slides = layer_flags(k.m, "puna.attention.sliding_layers", c.layers);
  if (slides.empty())
    for (int64_t l = 0; l < c.layers; ++l) slides.push_back(usual(l));
  set_sliding_layers(c, window, std::move(slides));
}

namespace family {
namespace {

constexpr int64_t kConventionChunk = 8192, kConventionNopeStep = 4, kMaverickExperts = 128;

std::vector<int64_t> layer_list(const std::vector<uint8_t>& f) { return {f.begin(), f.end()}; }

const auto every_layer = [](int64_t) { return true; };

int64_t window_key(const GgufKeys& k) { return k.integer("attention.sliding_window", 0, kMaxPositions, 0); }

void write_window(Metadata& m, const LlamaConfig& c, bool known_to_others) {
  if (known_to_others) m.set(c.architecture + ".attention.sliding_window", c.window);
  if (c.window == 0) return;
  m.set("puna.attention.window", c.window);
  m.set("puna.attention.sliding_layers", layer_list(c.slides));
}

void require_dense(const GgufKeys& k) {
  if (k.integer("expert_count", 0, kMaxExperts, 0) > 0)
    fail(Status::unsupported, "metadata '%s': mixture-of-experts files of architecture %s (Mixtral) are not supported",
         k.key("expert_count").c_str(), k.prefix.substr(0, k.prefix.size() - 1).c_str());
}

void write_experts(Metadata& m, const LlamaConfig& c) {
  const std::string p = c.architecture + ".";
  m.set(p + "expert_count", c.experts);
  m.set(p + "expert_used_count", c.experts_per_token);
  m.set(p + "expert_feed_forward_length", c.expert_ffn);
}

}  // namespace

void llama_gguf(LlamaConfig& c, const GgufKeys& k) {
  require_dense(k);
  read_sliding_layers(c, k, 0, every_layer);
}
void llama_to_gguf(Metadata& m, const LlamaConfig& c) { write_window(m, c, false); }

void llama4_gguf(LlamaConfig& c, const GgufKeys& k) {
  c.experts = k.integer("expert_count", 1, kMaxExperts);
  c.experts_per_token = k.integer("expert_used_count", 1, kMaxExperts, 1);
  c.expert_ffn = k.integer("expert_feed_forward_length", 1, kMaxFfn);
  const int64_t step = k.integer("interleave_moe_layer_step", 1, kMaxLayers, 1);
  c.is_moe = layer_flags(k.m, "puna.moe_layers", c.layers);
  if (c.is_moe.empty())
    for (int64_t l = 0; l < c.layers; ++l) c.is_moe.push_back((l + 1) % step == 0);
  const int64_t window = k.integer("attention.sliding_window", 0, kMaxPositions, kConventionChunk);
  const bool iRope = window != 0;
  c.uses_rope = layer_flags(k.m, "puna.rope_layers", c.layers);
  if (c.uses_rope.empty())
    for (int64_t l = 0; l < c.layers; ++l) c.uses_rope.push_back(!iRope || (l + 1) % kConventionNopeStep != 0);
  c.chunk = k.m.integer("puna.attention.chunk", 0, kMaxPositions, iRope ? kConventionChunk : 0);
  if (iRope && window != kConventionChunk && window != c.chunk)  // llama.cpp reads any of them as 8192
    fail(Status::unsupported, "metadata '%s' is %jd, expected 0, %jd or a 'puna.attention.chunk' that agrees",
         k.key("attention.sliding_window").c_str(), window, kConventionChunk);
  c.temperature = k.m.boolean("puna.attention.temperature", iRope);
  c.floor_scale = float(k.m.number("puna.attention.floor_scale", 1, 1e9, 8192.0));
  c.attn_scale = float(k.m.number("puna.attention.attn_scale", -1e6, 1e6, 0.1));
  c.qk_norm = k.m.boolean("puna.attention.qk_norm", c.experts != kMaverickExperts) ? QkNorm::after_rope : QkNorm::none;
}

void llama4_to_gguf(Metadata& m, const LlamaConfig& c) {
  write_experts(m, c);
  for (int64_t step = 1; step <= c.layers; ++step) {  // other programs know no other pattern
    bool fits = true;
    for (int64_t l = 0; l < c.layers; ++l) fits &= (c.is_moe[size_t(l)] != 0) == ((l + 1) % step == 0);
    if (!fits) continue;
    m.set(c.architecture + ".interleave_moe_layer_step", step);
    break;
  }
  m.set("puna.moe_layers", layer_list(c.is_moe));
  m.set("puna.rope_layers", layer_list(c.uses_rope));
  m.set("puna.attention.chunk", c.chunk);
  m.set("puna.attention.temperature", c.temperature);
  m.set("puna.attention.floor_scale", double(c.floor_scale));
  m.set("puna.attention.attn_scale", double(c.attn_scale));
  m.set("puna.attention.qk_norm", c.qk_norm == QkNorm::after_rope);
}

void qwen2_gguf(LlamaConfig& c, const GgufKeys& k) {
  require_dense(k);
  c.qkv_bias = true;
  read_sliding_layers(c, k, 0, every_layer);
}
void qwen2_to_gguf(Metadata& m, const LlamaConfig& c) { write_window(m, c, false); }

void qwen3_gguf(LlamaConfig& c, const GgufKeys& k) {
  require_dense(k);
  c.qk_norm = QkNorm::heads;
  read_sliding_layers(c, k, 0, every_layer);
}
void qwen3_to_gguf(Metadata& m, const LlamaConfig& c) { write_window(m, c, false); }

void qwen3moe_gguf(LlamaConfig& c, const GgufKeys& k) {
  c.qk_norm = QkNorm::heads;
  c.experts = k.integer("expert_count", 1, kMaxExperts);
  c.experts_per_token = k.integer("expert_used_count", 1, kMaxExperts, 8);
  c.expert_ffn = k.integer("expert_feed_forward_length", 1, kMaxFfn);
  c.is_moe = layer_flags(k.m, "puna.moe_layers", c.layers);
  if (c.is_moe.empty()) c.is_moe.assign(size_t(c.layers), 1);
  c.router_score = k.m.boolean("puna.router.normalised", true) ? RouterScore::softmax_chosen : RouterScore::softmax;
  read_sliding_layers(c, k, 0, every_layer);
}
void qwen3moe_to_gguf(Metadata& m, const LlamaConfig& c) {
  write_experts(m, c);
  m.set("puna.moe_layers", layer_list(c.is_moe));
  m.set("puna.router.normalised", c.router_score == RouterScore::softmax_chosen);
  write_window(m, c, false);
}

void mistral3_gguf(LlamaConfig& c, const GgufKeys& k) {
  require_dense(k);
  c.query_growth = float(k.number("attention.temperature_scale", 0, 1e4, 0.0));
  if (c.query_growth != 0)
    c.growth_from = k.integer("rope.scaling.original_context_length", 1, kMaxPositions, c.max_positions);
  read_sliding_layers(c, k, 0, every_layer);
}
void mistral3_to_gguf(Metadata& m, const LlamaConfig& c) {
  const std::string p = c.architecture + ".";
  if (c.query_growth != 0) {
    m.set(p + "attention.temperature_scale", double(c.query_growth));
    m.replace(p + "rope.scaling.original_context_length", c.growth_from);
  }
  write_window(m, c, false);
}

void olmo2_gguf(LlamaConfig& c, const GgufKeys& k) {
  require_dense(k);
  c.pre_norm = false;
  c.post_norm = true;
  c.qk_norm = QkNorm::whole;
}
void olmo2_to_gguf(Metadata&, const LlamaConfig&) {}

void granite_gguf(LlamaConfig& c, const GgufKeys& k) {
  require_dense(k);
  c.embedding_scale = float(k.number("embedding_scale", 1e-7, 1e7, 1.0));
  c.attention_scale = float(k.number("attention.scale", 0, 1e7, 0.0));
  c.residual_scale = float(k.number("residual_scale", 1e-7, 1e7, 1.0));
  c.logit_scale = float(1 / k.number("logit_scale", 1e-7, 1e7, 1.0));
}
void granite_to_gguf(Metadata& m, const LlamaConfig& c) {
  const std::string p = c.architecture + ".";
  m.set(p + "embedding_scale", double(c.embedding_scale));
  m.set(p + "attention.scale", double(c.attention_scale));
  m.set(p + "residual_scale", double(c.residual_scale));
  m.set(p + "logit_scale", 1 / double(c.logit_scale));
}

void smollm3_gguf(LlamaConfig& c, const GgufKeys& k) {
  require_dense(k);
  c.uses_rope = layer_flags(k.m, "puna.rope_layers", c.layers);
  if (c.uses_rope.empty())
    for (int64_t l = 0; l < c.layers; ++l) c.uses_rope.push_back((l + 1) % kConventionNopeStep != 0);
}
void smollm3_to_gguf(Metadata& m, const LlamaConfig& c) { m.set("puna.rope_layers", layer_list(c.uses_rope)); }

void phi3_gguf(LlamaConfig& c, const GgufKeys& k) {
  require_dense(k);
  read_sliding_layers(c, k, window_key(k), every_layer);
}
void phi3_to_gguf(Metadata& m, const LlamaConfig& c) { write_window(m, c, true); }

namespace {

void read_gemma(LlamaConfig& c, const GgufKeys& k) {
  require_dense(k);
  c.post_norm = true;
  c.embedding_scale = float(std::sqrt(double(c.hidden)));
  // llama.cpp's rule for the one size whose scale is not that of its heads
  const bool is_27b = (c.architecture == "gemma2" && c.layers == 46) || (c.architecture == "gemma3" && c.layers == 62);
  const double scalar = is_27b ? double(c.hidden / c.heads) : double(c.head_dim);
  c.attention_scale = float(k.m.number("puna.attention.scale", 1e-7, 1e7, 1 / std::sqrt(scalar)));
  c.final_softcap = float(k.number("final_logit_softcapping", 0, 1e7, c.architecture == "gemma2" ? 30.0 : 0.0));
  c.glu.kind = Glu::Kind::gelu;
}
void write_gemma(Metadata& m, const LlamaConfig& c) {
  m.set("puna.attention.scale", double(c.attention_scale));
  if (c.final_softcap != 0 || c.architecture == "gemma2")
    m.set(c.architecture + ".final_logit_softcapping", double(c.final_softcap));
  write_window(m, c, true);
}

}  // namespace

void gemma2_gguf(LlamaConfig& c, const GgufKeys& k) {
  read_gemma(c, k);
  c.attention_softcap = float(k.number("attn_logit_softcapping", 0, 1e7, 50.0));
  read_sliding_layers(c, k, k.integer("attention.sliding_window", 0, kMaxPositions, 4096),
                      [](int64_t l) { return l % 2 == 0; });
}
void gemma2_to_gguf(Metadata& m, const LlamaConfig& c) {
  m.set("gemma2.attn_logit_softcapping", double(c.attention_softcap));
  write_gemma(m, c);
}

void gemma3_gguf(LlamaConfig& c, const GgufKeys& k) {
  read_gemma(c, k);
  c.qk_norm = QkNorm::heads;
  const int64_t pattern = k.integer("attention.sliding_window_pattern", 1, kMaxLayers, 6);
  read_sliding_layers(c, k, window_key(k), [&](int64_t l) { return (l + 1) % pattern != 0; });
}
void gemma3_to_gguf(Metadata& m, const LlamaConfig& c) {
  m.set("gemma3.rope.freq_base_swa", c.local_theta);
  write_gemma(m, c);
}

namespace {

void read_gemma_of_layers(LlamaConfig& c, const GgufKeys& k) {
  set_gemma_of_layers(c);
  const std::vector<uint8_t> pattern = layer_flags(k.m, k.key("attention.sliding_window_pattern").c_str(), c.layers);
  if (pattern.empty() && !k.m.has("puna.attention.sliding_layers"))
    fail(Status::bad_file, "metadata '%s' is missing", k.key("attention.sliding_window_pattern").c_str());
  read_sliding_layers(c, k, window_key(k), [&](int64_t l) { return pattern[size_t(l)] != 0; });
  // Gemma 3n's must be there: without them llama.cpp takes numbers of its own
  const std::optional<int64_t> usual = c.architecture == "gemma4" ? std::optional<int64_t>(0) : std::nullopt;
  c.shared_kv = k.integer("attention.shared_kv_layers", 0, kMaxLayers, usual);
  c.per_layer = k.integer("embedding_length_per_layer_input", 0, kMaxHidden, usual);
  if (c.per_layer > 0) c.per_layer_vocab = k.m.integer("puna.per_layer_vocab", 1, c.vocab, c.vocab);
}

void write_gemma_of_layers(Metadata& m, const LlamaConfig& c) {
  const std::string p = c.architecture + ".";
  m.set(p + "rope.freq_base_swa", c.local_theta);
  if (c.final_softcap != 0 || c.architecture == "gemma3n")
    m.set(p + "final_logit_softcapping", double(c.final_softcap));
  m.set(p + "attention.sliding_window_pattern",
        c.slides.empty() ? std::vector<int64_t>(size_t(c.layers), 0) : layer_list(c.slides));
  m.set(p + "attention.shared_kv_layers", c.shared_kv);
  m.set(p + "embedding_length_per_layer_input", c.per_layer);
  if (c.per_layer > 0 && c.per_layer_vocab != c.vocab) m.set("puna.per_layer_vocab", c.per_layer_vocab);
  write_window(m, c, true);
}

}  // namespace

void gemma3n_gguf(LlamaConfig& c, const GgufKeys& k) {
  require_dense(k);
  read_gemma_of_layers(c, k);
  c.final_softcap = float(k.number("final_logit_softcapping", 0, 1e7, 30.0));
  if (c.per_layer == 0)
    fail(Status::bad_file, "metadata '%s' is 0, expected 1 or more", k.key("embedding_length_per_layer_input").c_str());
  c.streams = k.integer("altup.num_inputs", 2, kMaxStreams);
  c.laurel_rank = k.m.integer("puna.laurel_rank", 1, kMaxHidden, 64);
  const std::string key = k.key("activation_sparsity_scale");
  const auto* sparsity = k.m.numbers(key);
  if (!sparsity) return;
  if (int64_t(sparsity->size()) != c.layers)
    fail(Status::bad_file, "metadata '%s' has %zu entries, the model has %jd layers", key.c_str(), sparsity->size(),
         c.layers);
  bool any = false;
  for (const double x : *sparsity) {
    c.sparsity.push_back(float(x));
    if (!(x <= 1e3)) fail(Status::bad_file, "metadata '%s' has %g, expected at most 1000 or -inf", key.c_str(), x);
    any = any || std::isfinite(x);
  }
  if (!any) c.sparsity.clear();
}
void gemma3n_to_gguf(Metadata& m, const LlamaConfig& c) {
  write_gemma_of_layers(m, c);
  m.replace("gemma3n.feed_forward_length",
            c.layer_ffn.empty() ? std::vector<int64_t>(size_t(c.layers), c.ffn) : c.layer_ffn);
  m.set("gemma3n.altup.active_idx", int64_t{0});
  m.set("gemma3n.altup.num_inputs", c.streams);
  std::vector<double> sparsity(c.sparsity.begin(), c.sparsity.end());
  if (sparsity.empty()) sparsity.assign(size_t(c.layers), -INFINITY);
  m.set("gemma3n.activation_sparsity_scale", std::move(sparsity));
  m.set("puna.laurel_rank", c.laurel_rank);
}

void gemma4_gguf(LlamaConfig& c, const GgufKeys& k) {
  read_gemma_of_layers(c, k);
  c.final_softcap = float(k.number("final_logit_softcapping", 0, 1e7, 0.0));
  c.layer_scale = true;
  const int64_t local = k.integer("attention.key_length_swa", 2, kMaxHeadDim, c.head_dim);
  if (local != c.head_dim && !c.slides.empty()) c.local_head_dim = local;
  c.experts = k.integer("expert_count", 0, kMaxExperts, 0);
  if (c.experts == 0) return;
  c.is_moe.assign(size_t(c.layers), 1);
  c.dense_beside_experts = true;
  c.experts_per_token = k.integer("expert_used_count", 1, kMaxExperts);
  c.expert_ffn = k.integer("expert_feed_forward_length", 1, kMaxFfn);
  c.router_score = RouterScore::softmax_chosen;
}
void gemma4_to_gguf(Metadata& m, const LlamaConfig& c) {
  write_gemma_of_layers(m, c);
  const int64_t local = c.local_head_dim != 0 ? c.local_head_dim : c.head_dim;
  for (const char* key : {"attention.key_length_swa", "attention.value_length_swa", "rope.dimension_count_swa"})
    m.set("gemma4." + std::string(key), local);
  if (c.experts > 0) write_experts(m, c);
}

void gpt_oss_gguf(LlamaConfig& c, const GgufKeys& k) {
  c.is_moe.assign(size_t(c.layers), 1);
  c.experts = k.integer("expert_count", 1, kMaxExperts);
  c.experts_per_token = k.integer("expert_used_count", 1, kMaxExperts, 4);
  c.expert_ffn = k.integer("expert_feed_forward_length", 1, kMaxFfn, c.ffn);
  c.router_score = RouterScore::softmax_chosen;
  c.expert_bias = c.sinks = true;
  c.qkv_bias = c.out_bias = k.m.boolean("puna.attention.bias", true);
  c.glu = {Glu::Kind::clamped, float(k.m.number("puna.swiglu.limit", 1e-4, 1e7, 7.0)),
           float(k.m.number("puna.swiglu.alpha", 1e-4, 1e7, 1.702))};
  read_sliding_layers(c, k, window_key(k), [](int64_t l) { return l % 2 == 0; });
}
void gpt_oss_to_gguf(Metadata& m, const LlamaConfig& c) {
  write_experts(m, c);
  m.set("puna.attention.bias", c.qkv_bias);
  m.set("puna.swiglu.limit", double(c.glu.limit));
  m.set("puna.swiglu.alpha", double(c.glu.alpha));
  write_window(m, c, true);
}

}  // namespace family
}  // namespace puna
