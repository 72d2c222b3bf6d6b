// llama_huggingface.cpp -- a Hugging Face checkpoint's tensors to LlamaWeights, and the text part of a model with
// vision ("language_model."). Fused experts are stored [E, in, out] and are read in place through strides.
#include <algorithm>
#include <atomic>
#include <cstring>
#include <string>

#include "model/layer_reader.h"
#include "model/leftovers.h"
#include "puna/base/error.h"

namespace puna {
namespace {

ExpertWeights read_expert(const WeightReader& r, const std::string& prefix, int64_t F, int64_t D) {
  return {r.matrix(prefix + "gate_proj.weight", F, D), r.matrix(prefix + "up_proj.weight", F, D),
          r.matrix(prefix + "down_proj.weight", D, F)};
}

void read_stacked(LlamaLayer& L, const WeightReader& r, const std::string& experts, const LlamaConfig& c) {
  const int64_t E = c.experts, F = c.expert_ffn, D = c.hidden;
  for (int64_t e = 0; e < E; ++e)
    L.experts.push_back({r.stacked_transposed(experts + ".gate_up_proj", e, E, 2 * F, 0, F, D),
                         r.stacked_transposed(experts + ".gate_up_proj", e, E, 2 * F, F, F, D),
                         r.stacked_transposed(experts + ".down_proj", e, E, D, 0, D, F)});
}

void read_stacked_rows(LlamaLayer& L, const WeightReader& r, const std::string& experts, const LlamaConfig& c) {
  const int64_t E = c.experts, F = c.expert_ffn, D = c.hidden;
  for (int64_t e = 0; e < E; ++e)
    L.experts.push_back({r.stacked_rows(experts + ".gate_up_proj", e, E, 2 * F, 0, F, D),
                         r.stacked_rows(experts + ".gate_up_proj", e, E, 2 * F, F, F, D),
                         r.stacked(experts + ".down_proj", e, E, D, F)});
}

void read_interleaved(LlamaLayer& L, const WeightReader& r, const std::string& experts, const LlamaConfig& c) {
  const int64_t E = c.experts, F = c.expert_ffn, D = c.hidden;
  const std::string gate_up = experts + ".gate_up_proj", down = experts + ".down_proj";
  const bool quantised = r.has(gate_up + "_blocks");
  for (int64_t e = 0; e < E; ++e) {
    ExpertWeights x;
    if (quantised)
      x = {r.mxfp4(gate_up, e, E, 2 * F, 0, 2, F, D), r.mxfp4(gate_up, e, E, 2 * F, 1, 2, F, D),
           r.mxfp4(down, e, E, D, 0, 1, D, F)};
    else
      x = {r.stacked_transposed(gate_up, e, E, 2 * F, 0, F, D, 2),
           r.stacked_transposed(gate_up, e, E, 2 * F, 1, F, D, 2), r.stacked_transposed(down, e, E, D, 0, D, F)};
    x.gate_bias = r.part_of_row(experts + ".gate_up_proj_bias", e, E, 2 * F, 0, 2, F);
    x.up_bias = r.part_of_row(experts + ".gate_up_proj_bias", e, E, 2 * F, 1, 2, F);
    x.down_bias = r.part_of_row(experts + ".down_proj_bias", e, E, D, 0, 1, D);
    L.experts.push_back(x);
  }
}

void read_moe(LlamaLayer& L, const WeightReader& r, const LayerNames& n, const LlamaConfig& c, int64_t l) {
  L.router = r.matrix(n.router + ".weight", c.experts, c.hidden);
  if (c.expert_bias) L.router_bias = r.vector(n.router + ".bias", c.experts);
  switch (family_of(c).experts) {
    case ExpertLayout::stacked: read_stacked(L, r, n.experts, c); break;
    case ExpertLayout::stacked_rows: read_stacked_rows(L, r, n.experts, c); break;
    case ExpertLayout::interleaved: read_interleaved(L, r, n.experts, c); break;
    case ExpertLayout::one_by_one:
      for (int64_t e = 0; e < c.experts; ++e)
        L.experts.push_back(read_expert(r, n.experts + "." + std::to_string(e) + ".", c.expert_ffn, c.hidden));
  }
  if (c.architecture == "llama4")
    L.ffn = read_expert(r, n.experts.substr(0, n.experts.rfind('.')) + ".shared_expert.", c.expert_ffn, c.hidden);
  require_same_types(L, l);
}

// Bit for bit, in pieces, so that it can be cancelled. In a rehearsal nothing is read, and all are the same.
bool same_values(const Context& context, const TensorEntry& a, const TensorEntry& b) {
  constexpr uint64_t kPiece = 1 << 20;
  if (a.dtype != b.dtype || !(a.shape == b.shape) || a.bytes != b.bytes) return false;
  std::atomic<bool> same{true};
  context.executor().run(int64_t((a.bytes + kPiece - 1) / kPiece), [&](int64_t i) {
    const uint64_t at = uint64_t(i) * kPiece;
    if (memcmp(a.data + at, b.data + at, std::min(kPiece, a.bytes - at)) != 0)
      same.store(false, std::memory_order_relaxed);
  });
  return same.load();
}

// In quantised folders: scales for activations, keys and values, which are kept in their own way here; biases that are
// zero, as GPTQ writes them to models without. In a rehearsal nothing is read, and all are zero.
bool changes_nothing(const Context& context, const TensorMap& tensors, std::string_view name) {
  for (const char* end : {".input_scale", ".activation_scale", ".output_scale", ".k_scale", ".v_scale"})
    if (name.ends_with(end)) return true;
  if (!name.ends_with(".bias")) return false;
  const auto& all = tensors.entries();
  const auto t = std::find_if(all.begin(), all.end(), [&](const TensorEntry& e) { return e.name == name; });
  if (t == all.end()) return false;
  std::atomic<bool> zero{true};
  context.executor().run(1, [&](int64_t) {
    for (uint64_t i = 0; i < t->bytes; ++i)
      if (t->data[i] != std::byte{0}) zero.store(false, std::memory_order_relaxed);
  });
  return zero.load();
}

// What the names of the text model's tensors begin with: a model that also sees keeps it under a name of its own, of
// two kinds.
struct Root {
  std::string model = "model.", head = "lm_head.";
};
Root root_of(const TensorMap& tensors) {
  const auto any = [&](const char* start) {
    const auto& all = tensors.entries();
    return std::any_of(all.begin(), all.end(), [&](const TensorEntry& t) { return t.name.starts_with(start); });
  };
  if (any("model.language_model.")) return {"model.language_model.", "lm_head."};
  if (any("language_model.")) return {"language_model.model.", "language_model.lm_head."};
  return {};
}

// Of a tensor that the loader did not read: transformers warns of it and goes on; here it may lie there when it is
// surely no part of the model.
std::string why_not_without(std::string_view name, const Root& root, const LlamaConfig& c, bool quantised,
                            const Context& context, const TensorMap& tensors) {
  if (name.ends_with("rotary_emb.inv_freq")) return "";  // follows from the configuration; old files carry it
  if (quantised && changes_nothing(context, tensors, name)) return "";
  if (name == root.head + "weight" && c.tied) {
    const auto is = [&](const std::string& wanted) { return [&](const TensorEntry& t) { return t.name == wanted; }; };
    const auto& all = tensors.entries();
    const auto head = std::find_if(all.begin(), all.end(), is(root.head + "weight")),
               embedding = std::find_if(all.begin(), all.end(), is(root.model + "embed_tokens.weight"));
    if (head != all.end() && same_values(context, *head, *embedding)) return "";
    return "is not " + root.model + "embed_tokens.weight, though tie_word_embeddings is true";
  }
  constexpr const char* kOther = "would change what the model computes, and is not supported";
  if (name.starts_with(root.head)) return kOther;
  if (!name.starts_with(root.model)) return "";
  name.remove_prefix(root.model.size());
  if (name.starts_with("layers.")) {
    const int64_t l = layer_of(name, "layers.");
    if (l >= c.layers) return "";  // of another model, or for multi-token prediction
    if (l >= 0 && is_unused_kv(c, huggingface_names(c, "", l), l, name)) return "";
    return "would change what its layer computes, and is not supported";
  }
  for (const std::string_view start : {"embed_tokens.", "norm.", "embed_tokens_per_layer.", "per_layer_", "altup_"})
    if (name.starts_with(start)) return kOther;
  return "";
}

}  // namespace

Llama Llama::from_huggingface(const Context& context, const Metadata& metadata, const TensorMap& tensors, bool mapped,
                              Progress progress, WeightStore* store) {
  Llama model;
  LlamaConfig& c = model.config;
  LlamaWeights& w = model.weights;
  c = config_from_huggingface(metadata);
  const ScaledLayout scaled = scaled_layout(metadata, c.architecture == "gpt-oss");
  const WeightReader r(context, tensors, w, mapped, progress, store, scaled);
  const Root root = root_of(tensors);
  w.embedding = r.matrix(root.model + "embed_tokens.weight", c.vocab, c.hidden);
  w.lm_head = c.tied ? w.embedding : r.matrix(root.head + "weight", c.vocab, c.hidden);
  const float added = family_of(c).one_more ? 1 : 0;
  w.final_norm = r.vector(root.model + "norm.weight", c.hidden, added);
  read_extras(r, extra_tensors(c, w, root.model), false);
  for (int64_t l = 0; l < c.layers; ++l) {
    const LayerNames names = huggingface_names(c, root.model, l);
    LlamaLayer L = read_attention(r, c, names, l, added);
    if (c.is_moe[size_t(l)]) read_moe(L, r, names, c, l);
    if (!c.is_moe[size_t(l)] || c.dense_beside_experts) L.ffn = read_ffn(r, c, names, l);
    read_extras(r, extra_tensors(c, L, l, names.block), false);
    w.layers.push_back(std::move(L));
  }
  judge_unread(tensors, [&](std::string_view name) {
    return why_not_without(name, root, c, !scaled.text.empty(), context, tensors);
  });
  r.finish();
  return model;
}

}  // namespace puna
