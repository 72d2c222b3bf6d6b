// llama_gguf.cpp -- a GGUF checkpoint's tensors to LlamaWeights. Names: github.com/ggml-org/llama.cpp, gguf-py
// constants. Experts are stacked tensors in newer files and one tensor an expert in older ones; both load.
#include <string>

#include "kernels/kernel_table.h"
#include "model/config_common.h"
#include "model/layer_reader.h"
#include "model/leftovers.h"
#include "puna/base/error.h"

namespace puna {
namespace {

int64_t vocabulary_of(const TensorMap& tensors) {
  const TensorEntry* t = tensors.find("token_embd.weight");
  if (!t) fail(Status::bad_file, "tensor 'token_embd.weight' is missing");
  if (t->shape.rank != 2 || t->shape[0] < 1 || t->shape[0] > kMaxVocab)
    fail(Status::bad_file, "tensor 'token_embd.weight' has shape %s, expected [vocab, embedding_length]",
         t->shape.text().c_str());
  return t->shape[0];
}

ExpertWeights read_expert(const WeightReader& r, const std::string& block, const std::string& suffix, int64_t F,
                          int64_t D) {
  return {r.matrix(block + "ffn_gate" + suffix + ".weight", F, D),
          r.matrix(block + "ffn_up" + suffix + ".weight", F, D),
          r.matrix(block + "ffn_down" + suffix + ".weight", D, F)};
}

void read_experts(LlamaLayer& L, const WeightReader& r, const std::string& block, const LlamaConfig& c, int64_t l) {
  L.router = r.matrix(block + "ffn_gate_inp.weight", c.experts, c.hidden);
  if (c.expert_bias) L.router_bias = r.vector(block + "ffn_gate_inp.bias", c.experts);
  const bool stacked = !r.has(block + "ffn_gate.0.weight");
  const std::string both = block + "ffn_gate_up_exps.weight";
  const bool fused = r.has(both);
  for (int64_t e = 0; e < c.experts; ++e) {
    if (fused) {
      const int64_t E = c.experts, F = c.expert_ffn, D = c.hidden;
      L.experts.push_back({r.stacked_rows(both, e, E, 2 * F, 0, F, D), r.stacked_rows(both, e, E, 2 * F, F, F, D),
                           r.stacked(block + "ffn_down_exps.weight", e, E, D, F)});
    } else if (stacked) {
      L.experts.push_back({r.stacked(block + "ffn_gate_exps.weight", e, c.experts, c.expert_ffn, c.hidden),
                           r.stacked(block + "ffn_up_exps.weight", e, c.experts, c.expert_ffn, c.hidden),
                           r.stacked(block + "ffn_down_exps.weight", e, c.experts, c.hidden, c.expert_ffn)});
    } else {
      L.experts.push_back(read_expert(r, block, "." + std::to_string(e), c.expert_ffn, c.hidden));
    }
  }
  for (int64_t e = 0; c.expert_bias && e < c.experts; ++e) {
    const auto bias = [&](const char* name, int64_t count) {
      return r.part_of_row(block + name, e, c.experts, count, 0, 1, count);
    };
    ExpertWeights& expert = L.experts[size_t(e)];
    expert.gate_bias = bias("ffn_gate_exps.bias", c.expert_ffn);
    expert.up_bias = bias("ffn_up_exps.bias", c.expert_ffn);
    expert.down_bias = bias("ffn_down_exps.bias", c.hidden);
  }
  if (r.has(block + "ffn_gate_shexp.weight") || r.has(block + "ffn_up_shexp.weight") ||
      r.has(block + "ffn_down_shexp.weight"))
    L.ffn = read_expert(r, block, "_shexp", c.expert_ffn, c.hidden);
  require_same_types(L, l);
}

// Gemma 4: whether its full layers have no weights for values.
bool lacks_values(const LlamaConfig& c, const WeightReader& r) {
  if (c.architecture != "gemma4") return false;
  for (int64_t l = 0; l < c.kv_layers(); ++l)
    if (!c.sliding(l)) return !r.has(gguf_names(c, l).v + ".weight");
  return false;
}

// Of a tensor that the loader did not read. llama.cpp opens no file with one; here it may lie there when it is
// surely no part of the model.
std::string why_not_without(std::string_view name, const LlamaConfig& c, int64_t predicting) {
  const int64_t layers = c.layers;
  constexpr std::string_view kOfTheStream[] = {
      "token_embd.",   "token_embd_norm.", "output.", "output_norm.", "position_embd.", "token_types.", "rope_freqs.",
      "rope_factors_", "per_layer_",       "enc.",    "dec.",         "altup_",         "laurel_"};
  if (name.starts_with("blk.")) {
    const int64_t l = layer_of(name, "blk.");
    if (l >= layers && l < layers + predicting) return "";  // multi-token prediction layers: nextn_predict_layers
    if (l >= layers)
      return "is of layer " + std::to_string(l) + ", but the metadata says that the model has " +
             std::to_string(layers) + " layers";
    if (name.ends_with(".attn_rot_embd.weight"))
      return "";  // the plain RoPE frequencies once more, in the first files of the format
    if (l >= 0 && is_unused_kv(c, gguf_names(c, l), l, name)) return "";
    return "would change what its layer computes, and is not supported";
  }
  for (const std::string_view start : kOfTheStream)
    if (name.starts_with(start)) return "would change what the model computes, and is not supported";
  return "";
}

}  // namespace

Llama Llama::from_gguf(const Context& context, const Metadata& metadata, const TensorMap& tensors, bool mapped,
                       Progress progress, WeightStore* store) {
  Llama model;
  LlamaConfig& c = model.config;
  LlamaWeights& w = model.weights;
  const WeightReader r(context, tensors, w, mapped, progress, store);
  const auto read_factors = [&](const char* name) {
    std::vector<float> factors;
    const TensorEntry* f = tensors.find(name);
    if (!f) return factors;
    if (f->shape.rank != 1)
      fail(Status::bad_file, "tensor '%s' has shape %s, expected one dimension", name, f->shape.text().c_str());
    const float* values = r.vector(name, f->shape[0]);
    factors.assign(values, values + f->shape[0]);
    return factors;
  };
  const bool phi = metadata.string("general.architecture", std::string()) == "phi3";  // others are judged as unread
  const std::vector<float> all = read_factors("rope_freqs.weight"),
                           longer = phi ? read_factors("rope_factors_long.weight") : std::vector<float>(),
                           shorter = phi ? read_factors("rope_factors_short.weight") : std::vector<float>();
  const auto given = [&](const char* name, const std::vector<float>& f) { return tensors.find(name) ? &f : nullptr; };
  const RopeFactors factors{given("rope_freqs.weight", all), phi ? given("rope_factors_long.weight", longer) : nullptr,
                            phi ? given("rope_factors_short.weight", shorter) : nullptr};
  c = config_from_gguf(metadata, vocabulary_of(tensors), factors);
  c.tied = !r.has("output.weight");
  w.embedding = r.matrix("token_embd.weight", c.vocab, c.hidden);
  w.lm_head = c.tied ? w.embedding : r.matrix("output.weight", c.vocab, c.hidden);
  w.final_norm = r.vector("output_norm.weight", c.hidden);
  read_extras(r, extra_tensors(c, w, ""), true);
  c.keys_are_values = lacks_values(c, r);
  for (int64_t l = 0; l < c.layers; ++l) {
    const LayerNames names = gguf_names(c, l);
    LlamaLayer L = read_attention(r, c, names, l, 0);
    if (c.is_moe[size_t(l)]) read_experts(L, r, names.block, c, l);
    if (!c.is_moe[size_t(l)] || c.dense_beside_experts) L.ffn = read_ffn(r, c, names, l);
    read_extras(r, extra_tensors(c, L, l, names.block), true);
    w.layers.push_back(std::move(L));
  }
  const int64_t predicting = metadata.integer(c.architecture + ".nextn_predict_layers", 0, kMaxLayers, 0);
  judge_unread(tensors, [&](std::string_view name) { return why_not_without(name, c, predicting); });
  r.finish();
  return model;
}

}  // namespace puna
