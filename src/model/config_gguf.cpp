// config_gguf.cpp -- GGUF keys to a LlamaConfig and back. The format has no keys for Llama 4's attention pattern: existing files
// follow a convention (LLAMA4.md); ours write explicit puna.* keys, which win.
#include <cmath>
#include <string>

#include "model/config_common.h"
#include "puna/base/error.h"

namespace puna {
namespace {

constexpr int64_t kConventionChunk = 8192, kConventionNopeStep = 4, kMaverickExperts = 128;

// "llama4." + name. Some converters write one value a layer; we take it when all agree.
struct Keys {
  const Metadata& m;
  std::string prefix;
  std::string key(const char* k) const { return prefix + k; }
  int64_t integer(const char* k, int64_t low, int64_t high, std::optional<int64_t> fallback = {}) const {
    const MetadataValue* v = m.find(key(k));
    if (const auto* array = v ? std::get_if<std::vector<int64_t>>(v) : nullptr; array && !array->empty()) {
      for (const int64_t x : *array)
        if (x != array->front()) fail(Status::unsupported, "metadata '%s' differs by layer, which is not supported", key(k).c_str());
      Metadata one;
      one.set(key(k), array->front());
      return one.integer(key(k), low, high);
    }
    return m.integer(key(k), low, high, fallback);
  }
  double number(const char* k, double low, double high, std::optional<double> fallback = {}) const { return m.number(key(k), low, high, fallback); }
};

RopeScaling rope_scaling(const Keys& k) {
  RopeScaling s;
  const std::string kind = k.m.string(k.key("rope.scaling.type"), std::string("none"));
  if (kind == "linear") {
    s.kind = RopeScaling::Kind::linear;
    s.factor = k.number("rope.scaling.factor", 1e-6, 1e6, 1.0);
  } else if (kind != "none") {
    fail(Status::unsupported, "metadata '%s' is '%.40s', which is not supported; known: none, linear", k.key("rope.scaling.type").c_str(), kind.c_str());
  }
  return s;
}

void read_frequencies(LlamaConfig& c, const Keys& k, const std::vector<float>* rope_freqs) {
  const int64_t dims = k.integer("rope.dimension_count", 2, kMaxHeadDim, c.head_dim);
  if (dims != c.head_dim)
    fail(Status::unsupported, "metadata '%s' is %lld, expected the head size %lld", k.key("rope.dimension_count").c_str(),
         static_cast<long long>(dims), static_cast<long long>(c.head_dim));
  c.rope_theta = k.number("rope.freq_base", 1, 1e12, 10000.0);
  if (const auto* explicit_f = k.m.numbers("puna.rope.inverse_frequency")) {
    if (int64_t(explicit_f->size()) != c.head_dim / 2) fail(Status::bad_file, "metadata 'puna.rope.inverse_frequency' has %zu entries, expected %lld", explicit_f->size(), static_cast<long long>(c.head_dim / 2));
    c.inverse_frequency.assign(explicit_f->begin(), explicit_f->end());
    return;
  }
  c.inverse_frequency = rope_inverse_frequency(c.head_dim, c.rope_theta, rope_scaling(k));
  if (!rope_freqs) return;
  if (rope_freqs->size() != c.inverse_frequency.size())
    fail(Status::bad_file, "tensor 'rope_freqs.weight' has %zu values, expected %zu", rope_freqs->size(), c.inverse_frequency.size());
  for (size_t i = 0; i < rope_freqs->size(); ++i) {
    const float x = (*rope_freqs)[i];
    if (!std::isfinite(x) || x <= 0) fail(Status::bad_file, "tensor 'rope_freqs.weight'[%zu] is %g, expected a finite number above 0", i, double(x));
    c.inverse_frequency[i] /= x;
  }
}

std::vector<uint8_t> flags(const Metadata& m, const char* key, int64_t layers) {
  const auto* list = m.integers(key);
  if (!list) return {};
  if (int64_t(list->size()) != layers) fail(Status::bad_file, "metadata '%s' has %zu entries, the model has %lld layers", key, list->size(), static_cast<long long>(layers));
  std::vector<uint8_t> f;
  for (const int64_t x : *list) f.push_back(x != 0);
  return f;
}

void read_llama4(LlamaConfig& c, const Keys& k) {
  c.experts = k.integer("expert_count", 1, kMaxExperts);
  c.experts_per_token = k.integer("expert_used_count", 1, kMaxExperts, 1);
  c.expert_ffn = k.integer("expert_feed_forward_length", 1, kMaxFfn);
  const int64_t step = k.integer("interleave_moe_layer_step", 1, kMaxLayers, 1);
  c.is_moe = flags(k.m, "puna.moe_layers", c.layers);
  if (c.is_moe.empty())
    for (int64_t l = 0; l < c.layers; ++l) c.is_moe.push_back((l + 1) % step == 0);
  const bool iRope = k.integer("attention.sliding_window", 0, kMaxPositions, kConventionChunk) != 0;
  c.uses_rope = flags(k.m, "puna.rope_layers", c.layers);
  if (c.uses_rope.empty())
    for (int64_t l = 0; l < c.layers; ++l) c.uses_rope.push_back(!iRope || (l + 1) % kConventionNopeStep != 0);
  c.chunk = k.m.integer("puna.attention.chunk", 0, kMaxPositions, iRope ? kConventionChunk : 0);
  c.temperature = k.m.boolean("puna.attention.temperature", iRope);
  c.floor_scale = float(k.m.number("puna.attention.floor_scale", 1, 1e9, 8192.0));
  c.attn_scale = float(k.m.number("puna.attention.attn_scale", -1e6, 1e6, 0.1));
  c.qk_norm = k.m.boolean("puna.attention.qk_norm", c.experts != kMaverickExperts);
}

}  // namespace

LlamaConfig config_from_gguf(const Metadata& m, int64_t vocab, const std::vector<float>* rope_freqs) {
  LlamaConfig c;
  c.architecture = m.string("general.architecture");
  if (c.architecture != "llama" && c.architecture != "llama4")
    fail(Status::unsupported, "metadata 'general.architecture' is '%.40s', which is not supported; known: llama, llama4", c.architecture.c_str());
  const Keys k{m, c.architecture + "."};
  c.layers = k.integer("block_count", 1, kMaxLayers);
  c.hidden = k.integer("embedding_length", 1, kMaxHidden);
  c.heads = k.integer("attention.head_count", 1, kMaxHeads);
  c.kv_heads = k.integer("attention.head_count_kv", 1, kMaxHeads, c.heads);
  c.head_dim = k.integer("attention.key_length", 2, kMaxHeadDim, c.hidden / c.heads);
  if (k.integer("attention.value_length", 2, kMaxHeadDim, c.head_dim) != c.head_dim)
    fail(Status::unsupported, "metadata '%s': keys and values of different sizes are not supported", k.key("attention.value_length").c_str());
  c.vocab = vocab;
  c.ffn = k.integer("feed_forward_length", 1, kMaxFfn);
  c.max_positions = k.integer("context_length", 1, kMaxPositions, 2048);
  c.norm_eps = float(k.number("attention.layer_norm_rms_epsilon", kMinNormEps, 1.0, 1e-5));
  c.uses_rope.assign(size_t(c.layers), 1);
  c.is_moe.assign(size_t(c.layers), 0);
  if (c.architecture == "llama4") read_llama4(c, k);
  else if (k.integer("expert_count", 0, kMaxExperts, 0) > 0)
    fail(Status::unsupported, "metadata '%s': mixture-of-experts files of architecture llama (Mixtral) are not supported", k.key("expert_count").c_str());
  c.rope_style = m.boolean("puna.rope.half_split", false) ? RopeStyle::half_split : RopeStyle::interleaved;
  read_frequencies(c, k, rope_freqs);
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
