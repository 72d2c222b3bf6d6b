#include "model/extra_tensors.h"

namespace puna {

std::vector<ExtraTensor> extra_tensors(const LlamaConfig& c, LlamaWeights& w, const std::string& model) {
  std::vector<ExtraTensor> list;
  const int64_t D = c.hidden, P = c.per_layer, S = c.streams;
  if (P > 0) {
    list.push_back({.huggingface = model + "embed_tokens_per_layer.weight",
                    .gguf = "per_layer_token_embd.weight",
                    .rows = c.per_layer_vocab,
                    .cols = c.layers * P,
                    .matrix = &w.per_layer_table,
                    .gguf_rows = c.vocab,
                    .is_table = true});
    list.push_back({.huggingface = model + "per_layer_model_projection.weight",
                    .gguf = "per_layer_model_proj.weight",
                    .rows = c.layers * P,
                    .cols = D,
                    .matrix = &w.per_layer_project,
                    .is_fine = true});
    list.push_back({.huggingface = model + "per_layer_projection_norm.weight",
                    .gguf = "per_layer_proj_norm.weight",
                    .rows = 1,
                    .cols = P,
                    .vector = &w.per_layer_norm});
  }
  w.widen.resize(size_t(S - 1));
  w.narrow.resize(size_t(S - 1));
  const auto stack = [&](const char* huggingface, const char* gguf, std::vector<Weight>& matrices) {
    for (int64_t i = 0; i < S - 1; ++i)
      list.push_back({.huggingface = model + huggingface + "." + std::to_string(i) + ".weight",
                      .gguf = gguf,
                      .rows = D,
                      .cols = D,
                      .matrix = &matrices[size_t(i)],
                      .index = i,
                      .count = S - 1,
                      .is_fine = true});
  };
  stack("altup_projections", "altup_proj.weight", w.widen);
  stack("altup_unembed_projections", "altup_unembd_proj.weight", w.narrow);
  return list;
}

std::vector<ExtraTensor> extra_tensors(const LlamaConfig& c, LlamaLayer& L, int64_t index, const std::string& block) {
  std::vector<ExtraTensor> list;
  const std::string gguf = "blk." + std::to_string(index) + ".";
  const int64_t D = c.hidden, P = c.per_layer, S = c.streams;
  const auto matrix = [&](const char* here, const char* there, Weight& w, int64_t rows, int64_t cols, bool is_fine) {
    list.push_back({.huggingface = block + here,
                    .gguf = gguf + there,
                    .rows = rows,
                    .cols = cols,
                    .matrix = &w,
                    .is_fine = is_fine});
  };
  const auto vector = [&](const char* here, const char* there, const float*& values, int64_t count) {
    list.push_back({.huggingface = block + here, .gguf = gguf + there, .rows = 1, .cols = count, .vector = &values});
  };
  if (c.is_moe[size_t(index)] && c.dense_beside_experts) {
    vector("post_feedforward_layernorm_1.weight", "post_ffw_norm_1.weight", L.beside.dense_norm, D);
    vector("pre_feedforward_layernorm_2.weight", "pre_ffw_norm_2.weight", L.beside.pre_norm, D);
    vector("post_feedforward_layernorm_2.weight", "post_ffw_norm_2.weight", L.beside.post_norm, D);
    vector("router.scale", "ffn_gate_inp.scale", L.beside.router_scale, D);
    vector("router.per_expert_scale", "ffn_down_exps.scale", L.beside.expert_scale, c.experts);
  }
  if (c.laurel_rank > 0) {
    matrix("laurel.linear_left.weight", "laurel_l.weight", L.laurel.left, c.laurel_rank, D, true);
    matrix("laurel.linear_right.weight", "laurel_r.weight", L.laurel.right, D, c.laurel_rank, true);
    vector("laurel.post_laurel_norm.weight", "laurel_post_norm.weight", L.laurel.norm, D);
  }
  if (S > 1) {
    matrix("altup.modality_router.weight", "altup_router.weight", L.altup.router, S, D, true);
    matrix("altup.prediction_coefs.weight", "altup_predict_coef.weight", L.altup.predict, S * S, S, true);
    matrix("altup.correction_coefs.weight", "altup_correct_coef.weight", L.altup.correct, S, S, true);
    vector("altup.router_norm.weight", "altup_router_norm.weight", L.altup.norm, D);
    vector("altup.correct_output_scale", "altup_correct_scale.weight", L.altup.scale, D);
  }
  if (P > 0) {
    matrix("per_layer_input_gate.weight", "inp_gate.weight", L.per_layer.gate, P, D, false);
    matrix("per_layer_projection.weight", "proj.weight", L.per_layer.project, D, P, false);
    vector("post_per_layer_input_norm.weight", "post_norm.weight", L.per_layer.norm, D);
  }
  if (c.layer_scale) {
    vector("layer_scalar", "layer_output_scale.weight", L.scale, 1);
    list.back().is_buffer = true;
  }
  return list;
}

}  // namespace puna
