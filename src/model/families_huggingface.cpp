// families_huggingface.cpp -- what each family's config.json says beyond the common keys. Defaults are transformers'.
#include <cmath>

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

void read_gemma(LlamaConfig& c, const HuggingFaceKeys& k) {
  read_dense(c, k);
  c.post_norm = true;
  c.embedding_scale = float(std::sqrt(double(c.hidden)));
  c.attention_scale = float(1 / std::sqrt(k.number("query_pre_attn_scalar", 1e-6, 1e6, 256.0)));
  c.final_softcap = float(cap(k, "final_logit_softcapping", c.architecture == "gemma2" ? 30.0 : 0.0));
  const std::string kind = k.m.string(k.key("hidden_activation"), std::string("gelu_pytorch_tanh"));
  if (kind != "gelu_pytorch_tanh")  // hidden_act of published files is not read by transformers either
    fail(Status::unsupported, "hidden_activation is '%.40s', expected 'gelu_pytorch_tanh'", kind.c_str());
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
