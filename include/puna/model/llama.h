// llama.h -- Llama, Llama 4 text and the decoders of the other families (src/model/family.h): one set of weights, one
// forward pass (src/model/forward.h).
//   x = embed;  per layer  x += Wo attention(rms_norm(x));  x += ffn(rms_norm(x));  logits = W_head rms_norm(x)
// Llama 4 (iRoPE): RoPE layers attend inside their chunk with QK norm, NoPE layers attend to everything with a
// temperature; MoE layers route by the sigmoid of the chosen logit. Exact semantics: Hugging Face modeling_llama4.py.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "puna/base/context.h"
#include "puna/base/function_ref.h"
#include "puna/model/config.h"
#include "puna/tensor/tensor.h"

namespace puna {

class WeightStore;

// Of Gemma 3n and 4 alone; what is not there is empty.
struct LaurelWeights {
  Weight left;                  // [rank,D]
  Weight right;                 // [D,rank]
  const float* norm = nullptr;  // [D]
};
struct AltUpWeights {
  Weight router;                 // [S,D]
  Weight predict;                // [S*S,S]
  Weight correct;                // [S,S]
  const float* norm = nullptr;   // [D], before the router
  const float* scale = nullptr;  // [D], of the first stream before the per-layer input
};
struct PerLayerWeights {
  Weight gate;                  // [P,D]
  Weight project;               // [D,P]
  const float* norm = nullptr;  // [D]
};
struct ExpertsBesideWeights {
  const float* dense_norm = nullptr;    // [D], behind the dense block
  const float* pre_norm = nullptr;      // [D], before the experts
  const float* post_norm = nullptr;     // [D], behind them
  const float* router_scale = nullptr;  // [D]
  const float* expert_scale = nullptr;  // [E]
};

struct LlamaLayer {
  const float* attn_norm = nullptr;                  // [D]; NULL without pre-norms
  const float* ffn_norm = nullptr;                   // [D]
  const float* post_attn_norm = nullptr;             // [D]; NULL without post-norms
  const float* post_ffn_norm = nullptr;              // [D]
  Weight wq;                                         // [H*K,D]
  Weight wk, wv;                                     // [KV*K,D]; empty where others' keys or values are used
  Weight wo;                                         // [D,H*K]
  const float* bq = nullptr;                         // [H*K], or NULL
  const float *bk = nullptr, *bv = nullptr;          // [KV*K]
  const float* bo = nullptr;                         // [D]
  const float *q_norm = nullptr, *k_norm = nullptr;  // [K], or [H*K] and [KV*K]
  const float* sinks = nullptr;                      // [H]
  // dense layers; on MoE layers the shared expert (may be empty), or the dense block beside them
  ExpertWeights ffn;
  Weight router;                       // [E,D]
  const float* router_bias = nullptr;  // [E]
  std::vector<ExpertWeights> experts;
  ExpertsBesideWeights beside;
  LaurelWeights laurel;
  AltUpWeights altup;
  PerLayerWeights per_layer;
  const float* scale = nullptr;  // [1]
};

struct LlamaWeights {
  Weight embedding, lm_head;              // [V,D]
  const float* final_norm = nullptr;      // [D]
  Weight per_layer_table;                 // [tokens,L*P]
  Weight per_layer_project;               // [L*P,D]
  const float* per_layer_norm = nullptr;  // [P]
  std::vector<Weight> widen, narrow;      // [D,D] of each stream but the first: from the embedding, and back
  std::vector<LlamaLayer> layers;
  bool mapped = false;  // the matrices lie in a file: experts are asked for before they are read
  std::vector<std::shared_ptr<const void>> owned;  // panels, and vectors converted to f32
};

class Llama {
 public:
  LlamaConfig config;
  LlamaWeights weights;

  // Checks every tensor's name, shape and type, and packs matrices into panels of the context's memory; the tensors are
  // not needed afterwards. `mapped`: they lie in a file mapping of ours, whose pages are dropped as they are packed.
  // progress(done, total) counts the bytes packed, after each matrix; false = Error{cancelled}. A store gives matrices
  // another place than the context's memory and must outlive the model.
  using Progress = FunctionRef<bool(uint64_t done, uint64_t total)>;
  static Llama from_gguf(const Context& context, const Metadata& metadata, const TensorMap& tensors,
                         bool mapped = false, Progress progress = {}, WeightStore* store = nullptr);
  static Llama from_huggingface(const Context& context, const Metadata& metadata, const TensorMap& tensors,
                                bool mapped = false, Progress progress = {}, WeightStore* store = nullptr);
};

}  // namespace puna
