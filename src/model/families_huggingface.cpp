// families_huggingface.cpp -- what each family's config.json says beyond the common keys. Defaults are transformers'.
#include <cmath>

#include "base/det_math.h"
#include "model/config_common.h"
#include "model/family.h"
#include "model/huggingface_keys.h"
#include "model/leftovers.h"
#include "puna/base/error.h"

namespace puna {

int64_t read_window(const HuggingFaceKeys& k, int64_t usual) {
  const MetadataValue* v = k.m.find(k.key("sliding_window"));
  if (!v && !k.m.has(k.key("sliding_window"))) return usual;
  if (v && std::holds_alternative<std::monostate>(*v)) return 0;
  return k.integer("sliding_window", 1, kMaxPositions);
}

void read_sliding_layers(LlamaConfig& c, const HuggingFaceKeys& k, int64_t window, FunctionRef<bool(int64_t)> usual) {
  std::vector<uint8_t> slides;
  if (const auto* types = k.m.strings(k.key("layer_types"))) {
    if (int64_t(types->size()) != c.layers)
      fail(Status::bad_file, "layer_types has %zu entries, the model has %jd layers", types->size(), c.layers);
    for (size_t i = 0; i < types->size(); ++i) {
      const std::string& type = (*types)[i];
      if (type != "full_attention" && type != "sliding_attention")
        fail(Status::unsupported, "layer_types[%zu] is '%.40s', expected 'full_attention' or 'sliding_attention'", i,
             type.c_str());
      slides.push_back(type == "sliding_attention");
      if (slides.back() && window == 0)
        fail(Status::bad_file, "layer_types[%zu] is 'sliding_attention', but there is no sliding_window", i);
    }
  } else {
    for (int64_t l = 0; l < c.layers; ++l) slides.push_back(window > 0 && usual(l));
  }
  set_sliding_layers(c, window, std::move(slides));
}

namespace family {
namespace {

// layer_types of a family whose layers all see everything.
void require_full_attention(const LlamaConfig& c, const HuggingFaceKeys& k) {
  if (const auto* types = k.m.strings(k.key("layer_types")))
    for (size_t i = 0; i < types->size(); ++i)
      if ((*types)[i] != "full_attention" || int64_t(types->size()) != c.layers)
        fail(Status::unsupported, "layer_types[%zu] is '%.40s', expected 'full_attention'", i, (*types)[i].c_str());
}

// no_rope_layers[i] = 1 means that layer i does use RoPE (Hugging Face's name says the opposite). Empty: every 4th is
// NoPE.
void read_rope_layers(LlamaConfig& c, const HuggingFaceKeys& k) {
  const size_t layers = size_t(c.layers);
  const int64_t interval = k.integer("no_rope_layer_interval", 1, kMaxLayers, 4);
  c.uses_rope.assign(layers, 1);
  const auto* list = k.m.integers(k.key("no_rope_layers"));
  if (list && !list->empty()) {
    if (list->size() != layers)
      fail(Status::bad_file, "no_rope_layers has %zu entries, the model has %zu layers", list->size(), layers);
    for (size_t i = 0; i < layers; ++i) c.uses_rope[i] = (*list)[i] != 0;
  } else {
    for (size_t i = 0; i < layers; ++i) c.uses_rope[i] = (int64_t(i) + 1) % interval != 0;
  }
}

void read_dense(LlamaConfig& c, const HuggingFaceKeys& k) { c.ffn = k.integer("intermediate_size", 1, kMaxFfn); }

// Qwen: the upper layers slide, where use_sliding_window says so.
void read_qwen_window(LlamaConfig& c, const HuggingFaceKeys& k) {
  const bool use = k.boolean("use_sliding_window", false);
  const int64_t window = use ? read_window(k, 4096) : 0, lower = k.integer("max_window_layers", 0, kMaxLayers, 28);
  if (!use) require_full_attention(c, k);
  read_sliding_layers(c, k, window, [&](int64_t l) { return l >= lower; });
}

}  // namespace

void llama_huggingface(LlamaConfig& c, const HuggingFaceKeys& k) {
  read_dense(c, k);
  const std::string type = k.m.string(k.key("model_type"), std::string());
  if (type == "mistral" || type == "ministral") {
    read_sliding_layers(c, k, read_window(k, 4096), [](int64_t) { return true; });
    return;
  }
  if (k.m.has(k.key("sliding_window")) && k.integer("sliding_window", 1, kMaxPositions) < c.max_positions)
    fail(Status::unsupported, "sliding_window attention is not supported in model_type %s", type.c_str());
  require_full_attention(c, k);
}

void llama4_huggingface(LlamaConfig& c, const HuggingFaceKeys& k) {
  const size_t layers = size_t(c.layers);
  read_rope_layers(c, k);
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
  c.qk_norm = k.boolean("use_qk_norm", true) ? QkNorm::after_rope : QkNorm::none;
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

void qwen2_huggingface(LlamaConfig& c, const HuggingFaceKeys& k) {
  read_dense(c, k);
  c.qkv_bias = true;
  read_qwen_window(c, k);
}

void qwen3_huggingface(LlamaConfig& c, const HuggingFaceKeys& k) {
  read_dense(c, k);
  c.qk_norm = QkNorm::heads;
  read_qwen_window(c, k);
}

void qwen3moe_huggingface(LlamaConfig& c, const HuggingFaceKeys& k) {
  c.qk_norm = QkNorm::heads;
  const bool use = k.boolean("use_sliding_window", false);
  if (use) {
    const int64_t window = read_window(k, 4096);
    read_sliding_layers(c, k, window, [](int64_t) { return true; });
  } else {
    require_full_attention(c, k);
  }
  const int64_t step = k.integer("decoder_sparse_step", 1, kMaxLayers, 1);
  for (int64_t l = 0; l < c.layers; ++l) c.is_moe[size_t(l)] = (l + 1) % step == 0;
  if (const auto* dense = k.m.integers(k.key("mlp_only_layers")))
    for (const int64_t l : *dense) {
      if (l < 0 || l >= c.layers) fail(Status::bad_file, "mlp_only_layers names layer %jd of %jd", l, c.layers);
      c.is_moe[size_t(l)] = 0;
    }
  read_dense(c, k);
  c.experts = k.integer(k.m.has(k.key("num_experts")) ? "num_experts" : "num_local_experts", 1, kMaxExperts);
  c.experts_per_token = k.integer("num_experts_per_tok", 1, kMaxExperts, 8);
  c.expert_ffn = k.integer("moe_intermediate_size", 1, kMaxFfn);
  c.router_score = k.boolean("norm_topk_prob", false) ? RouterScore::softmax_chosen : RouterScore::softmax;
}

void mistral3_huggingface(LlamaConfig& c, const HuggingFaceKeys& k) {
  read_dense(c, k);
  read_sliding_layers(c, k, read_window(k, 0), [](int64_t) { return true; });
  for (const char* group : {"rope_parameters.", "rope_scaling."}) {
    const std::string at = k.key(group);
    if (!k.m.has(at + "llama_4_scaling_beta")) continue;
    c.query_growth = float(k.m.number(at + "llama_4_scaling_beta", 0, 1e3));
    c.growth_from = k.m.integer(at + "original_max_position_embeddings", 1, kMaxPositions, c.max_positions);
  }
}

void olmo2_huggingface(LlamaConfig& c, const HuggingFaceKeys& k) {
  read_dense(c, k);
  require_full_attention(c, k);
  c.pre_norm = false;
  c.post_norm = true;
  c.qk_norm = QkNorm::whole;
}

void granite_huggingface(LlamaConfig& c, const HuggingFaceKeys& k) {
  read_dense(c, k);
  require_full_attention(c, k);
  c.embedding_scale = float(k.number("embedding_multiplier", 1e-6, 1e6, 1.0));
  c.attention_scale = float(k.number("attention_multiplier", 1e-6, 1e6, 1.0));
  c.residual_scale = float(k.number("residual_multiplier", 1e-6, 1e6, 1.0));
  c.logit_scale = float(1 / k.number("logits_scaling", 1e-6, 1e6, 1.0));
}

void smollm3_huggingface(LlamaConfig& c, const HuggingFaceKeys& k) {
  read_dense(c, k);
  read_rope_layers(c, k);
  if (k.boolean("use_sliding_window", false))
    fail(Status::unsupported, "use_sliding_window is true, which is not supported in model_type smollm3");
  require_full_attention(c, k);
}

void phi3_huggingface(LlamaConfig& c, const HuggingFaceKeys& k) {
  read_dense(c, k);
  read_sliding_layers(c, k, read_window(k, 0), [](int64_t) { return true; });
}

namespace {

// null says that there is none.
double cap(const HuggingFaceKeys& k, const char* key, double usual) {
  const MetadataValue* v = k.m.find(k.key(key));
  return v && std::holds_alternative<std::monostate>(*v) ? 0 : k.number(key, 1e-3, 1e6, usual);
}

void require_gelu(const HuggingFaceKeys& k) {
  const std::string kind = k.m.string(k.key("hidden_activation"), std::string("gelu_pytorch_tanh"));
  if (kind != "gelu_pytorch_tanh")  // hidden_act of published files is not read by transformers either
    fail(Status::unsupported, "hidden_activation is '%.40s', expected 'gelu_pytorch_tanh'", kind.c_str());
}

void read_gemma(LlamaConfig& c, const HuggingFaceKeys& k) {
  read_dense(c, k);
  c.post_norm = true;
  c.embedding_scale = float(std::sqrt(double(c.hidden)));
  c.attention_scale = float(1 / std::sqrt(k.number("query_pre_attn_scalar", 1e-6, 1e6, 256.0)));
  c.final_softcap = float(cap(k, "final_logit_softcapping", c.architecture == "gemma2" ? 30.0 : 0.0));
  require_gelu(k);
  c.glu.kind = Glu::Kind::gelu;
  if (k.m.has(k.key("use_bidirectional_attention")) && k.truth("use_bidirectional_attention", false))
    fail(Status::unsupported, "use_bidirectional_attention is true, which is not supported");
}

}  // namespace

void gemma2_huggingface(LlamaConfig& c, const HuggingFaceKeys& k) {
  read_gemma(c, k);
  c.attention_softcap = float(cap(k, "attn_logit_softcapping", 50.0));
  read_sliding_layers(c, k, read_window(k, 4096), [](int64_t l) { return l % 2 == 0; });
}

void gemma3_huggingface(LlamaConfig& c, const HuggingFaceKeys& k) {
  read_gemma(c, k);
  c.qk_norm = QkNorm::heads;
  const int64_t old = k.integer("_sliding_window_pattern", 1, kMaxLayers, 6),
                pattern = k.integer("sliding_window_pattern", 1, kMaxLayers, old);
  read_sliding_layers(c, k, read_window(k, 4096), [&](int64_t l) { return (l + 1) % pattern != 0; });
}

namespace {

// A number a layer; one number is every layer's. Empty: the key is missing or null.
std::vector<double> numbers_of_layers(const LlamaConfig& c, const HuggingFaceKeys& k, const char* key, double low,
                                      double high) {
  const MetadataValue* v = k.m.find(k.key(key));
  if ((!v && !k.m.has(k.key(key))) || (v && std::holds_alternative<std::monostate>(*v))) return {};
  std::vector<double> list;
  if (v && std::holds_alternative<std::vector<int64_t>>(*v)) {
    const auto& integers = std::get<std::vector<int64_t>>(*v);
    list.assign(integers.begin(), integers.end());
  } else if (v && std::holds_alternative<std::vector<double>>(*v)) {
    list = std::get<std::vector<double>>(*v);
  } else {
    return std::vector<double>(size_t(c.layers), k.number(key, low, high));
  }
  if (int64_t(list.size()) != c.layers)
    fail(Status::bad_file, "%s has %zu entries, the model has %jd layers", key, list.size(), c.layers);
  for (size_t i = 0; i < list.size(); ++i)
    if (!(list[i] >= low && list[i] <= high))
      fail(Status::bad_file, "%s[%zu] is %g, expected %g to %g", key, i, list[i], low, high);
  return list;
}

// The x below which a normal distribution has `part` of its mass.
double normal_quantile(double part) {
  double low = -10, high = 10;
  for (int i = 0; i < 80; ++i) {
    const double middle = (low + high) / 2;
    (0.5 * (1 + det::erf(middle / std::sqrt(2.0))) < part ? low : high) = middle;
  }
  return (low + high) / 2;
}

// activation_sparsity_pattern: the part of a gate's values that become zero, if they were normally distributed.
void read_sparsity(LlamaConfig& c, const HuggingFaceKeys& k) {
  constexpr int64_t kUsuallySparse = 10;
  constexpr double kMost = 0.999999;
  std::vector<double> parts = numbers_of_layers(c, k, "activation_sparsity_pattern", 0, kMost);
  if (parts.empty())
    for (int64_t l = 0; l < c.layers; ++l) parts.push_back(c.layers > kUsuallySparse && l < kUsuallySparse ? 0.95 : 0);
  bool any = false;
  for (const double part : parts) {
    c.sparsity.push_back(part > 0 ? float(normal_quantile(double(float(part)))) : -INFINITY);
    any = any || part > 0;
  }
  if (!any) c.sparsity.clear();
}

}  // namespace

void gemma3n_huggingface(LlamaConfig& c, const HuggingFaceKeys& k) {
  set_gemma_of_layers(c);
  require_gelu(k);
  c.final_softcap = float(cap(k, "final_logit_softcapping", 30.0));
  read_sliding_layers(c, k, read_window(k, 512), [](int64_t l) { return (l + 1) % 5 != 0; });
  const std::vector<double> widths = numbers_of_layers(c, k, "intermediate_size", 1, double(kMaxFfn));
  std::vector<int64_t> ffn(size_t(c.layers), 16384);
  for (size_t l = 0; l < widths.size(); ++l) {
    ffn[l] = int64_t(widths[l]);
    if (double(ffn[l]) != widths[l])
      fail(Status::bad_file, "intermediate_size[%zu] is %g, expected an integer", l, widths[l]);
  }
  set_layer_ffn(c, std::move(ffn));
  c.shared_kv = k.integer("num_kv_shared_layers", 0, kMaxLayers, 15);
  c.per_layer = k.integer("hidden_size_per_layer_input", 1, kMaxHidden, 256);
  c.per_layer_vocab = k.integer("vocab_size_per_layer_input", 1, kMaxVocab, 262144);
  if (c.per_layer_vocab > c.vocab)
    fail(Status::unsupported, "vocab_size_per_layer_input is %jd, expected at most vocab_size, %jd", c.per_layer_vocab,
         c.vocab);
  c.laurel_rank = k.integer("laurel_rank", 1, kMaxHidden, 64);
  c.streams = k.integer("altup_num_inputs", 2, kMaxStreams, 4);
  const NeutralKey fixed[] = {{"altup_active_idx", {int64_t{0}}}, {"altup_correct_scale", {true}}};
  require_neutral(k.m, k.prefix, fixed);
  read_sparsity(c, k);
}

namespace {

// The sizes of layers that see everything: global_head_dim and num_global_key_value_heads of published files, or what
// transformers 5 writes, layer by layer: per_layer_config.N.head_dim, .num_key_value_heads.
void read_sizes_of_layers(LlamaConfig& c, const HuggingFaceKeys& k) {
  const size_t layers = size_t(c.layers);
  std::vector<int64_t> head_dims(layers, c.head_dim), kv_heads(layers, c.kv_heads);
  const std::string group = k.key("per_layer_config");
  if (k.m.has(group) || k.m.has_group(group)) {
    if (!k.m.has_group(group)) fail(Status::bad_file, "per_layer_config is no object");
    const std::string prefix = group + ".";
    for (auto at = k.m.values().lower_bound(prefix); at != k.m.values().end() && at->first.starts_with(prefix); ++at) {
      const int64_t l = layer_of(at->first, prefix);
      const std::string name = at->first.substr(at->first.rfind('.') + 1);
      if (l < 0 || l >= c.layers || at->first != prefix + std::to_string(l) + "." + name)
        fail(Status::bad_file, "per_layer_config: '%.80s' names no layer of %jd", at->first.c_str(), c.layers);
      if (name == "head_dim")
        head_dims[size_t(l)] = k.m.integer(at->first, 2, kMaxHeadDim);
      else if (name == "num_key_value_heads")
        kv_heads[size_t(l)] = k.m.integer(at->first, 1, kMaxHeads);
      else
        fail(Status::unsupported, "metadata '%.80s': layers may differ in head_dim and num_key_value_heads alone",
             at->first.c_str());
    }
  } else {
    const int64_t head_dim = k.integer("global_head_dim", 2, kMaxHeadDim, 512);
    const bool own = c.keys_are_values && k.m.has(k.key("num_global_key_value_heads"));
    const int64_t shared = own ? k.integer("num_global_key_value_heads", 1, kMaxHeads) : c.kv_heads;
    for (size_t l = 0; l < layers; ++l)
      if (!c.sliding(int64_t(l))) {
        head_dims[l] = head_dim;
        kv_heads[l] = shared;
      }
  }
  const auto of_kind = [&](bool sliding) {
    int64_t all = 0;
    for (size_t l = 0; l < layers; ++l) {
      if (c.sliding(int64_t(l)) != sliding) continue;
      if (all != 0 && head_dims[l] != all)
        fail(Status::unsupported,
             "per_layer_config: head_dim of layer %zu is %jd, that of other layers of its kind %jd", l, head_dims[l],
             all);
      all = head_dims[l];
    }
    return all;
  };
  const int64_t full = of_kind(false), local = of_kind(true);
  c.head_dim = full != 0 ? full : local;
  c.local_head_dim = local != 0 && local != c.head_dim ? local : 0;
  set_layer_kv_heads(c, std::move(kv_heads));
}

// Layers of a mixture have the dense block as well.
void read_gemma4_experts(LlamaConfig& c, const HuggingFaceKeys& k) {
  c.is_moe.assign(size_t(c.layers), 1);
  c.dense_beside_experts = true;
  c.experts = k.integer("num_experts", 1, kMaxExperts);
  c.experts_per_token = k.integer("top_k_experts", 1, kMaxExperts);
  c.expert_ffn = k.integer("moe_intermediate_size", 1, kMaxFfn);
  c.router_score = RouterScore::softmax_chosen;
}

}  // namespace

void gemma4_huggingface(LlamaConfig& c, const HuggingFaceKeys& k) {
  set_gemma_of_layers(c);
  require_gelu(k);
  c.layer_scale = true;
  c.final_softcap = float(cap(k, "final_logit_softcapping", 0.0));
  const int64_t last = c.layers - 1;
  read_sliding_layers(c, k, read_window(k, 512), [&](int64_t l) { return (l + 1) % 6 != 0 && l != last; });
  if (c.sliding(last))
    fail(Status::unsupported, "layer_types[%jd] is 'sliding_attention', expected 'full_attention' in the last layer",
         last);
  c.keys_are_values = k.boolean("attention_k_eq_v", false);
  read_sizes_of_layers(c, k);
  read_dense(c, k);
  c.shared_kv = k.integer("num_kv_shared_layers", 0, kMaxLayers, 0);
  if (k.boolean("use_double_wide_mlp", false)) {
    std::vector<int64_t> ffn(size_t(c.layers), c.ffn);
    for (int64_t l = std::max<int64_t>(0, c.kv_layers()); l < c.layers; ++l) ffn[size_t(l)] *= 2;
    set_layer_ffn(c, std::move(ffn));
  }
  c.per_layer = k.integer("hidden_size_per_layer_input", 0, kMaxHidden, 256);
  if (c.per_layer > 0) {
    c.per_layer_vocab = k.integer("vocab_size_per_layer_input", 1, kMaxVocab, 262144);
    if (c.per_layer_vocab != c.vocab)
      fail(Status::unsupported, "vocab_size_per_layer_input is %jd, expected vocab_size, %jd", c.per_layer_vocab,
           c.vocab);
  }
  if (k.boolean("enable_moe_block", false)) read_gemma4_experts(c, k);
  const NeutralKey causal[] = {{"use_bidirectional_attention", {std::string("vision")}}};  // images alone, or null
  require_neutral(k.m, k.prefix, causal);
}

void gpt_oss_huggingface(LlamaConfig& c, const HuggingFaceKeys& k) {
  c.ffn = c.expert_ffn = k.integer("intermediate_size", 1, kMaxFfn);
  c.is_moe.assign(size_t(c.layers), 1);
  c.experts = k.integer("num_local_experts", 1, kMaxExperts, 128);
  c.experts_per_token = k.integer("num_experts_per_tok", 1, kMaxExperts, 4);
  c.router_score = RouterScore::softmax_chosen;
  c.expert_bias = c.sinks = true;
  c.qkv_bias = c.out_bias = k.boolean("attention_bias", true);
  c.glu = {Glu::Kind::clamped, float(k.number("swiglu_limit", 1e-3, 1e6, 7.0)),
           float(k.number("swiglu_alpha", 1e-3, 1e6, 1.702))};
  read_sliding_layers(c, k, read_window(k, 128), [](int64_t l) { return l % 2 == 0; });
}

}  // namespace family
}  // namespace puna
