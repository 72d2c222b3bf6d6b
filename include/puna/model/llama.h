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

struct LlamaLayer {
  const float* attn_norm = nullptr;                  // [D]; NULL without pre-norms
  const float* ffn_norm = nullptr;                   // [D]
  const float* post_attn_norm = nullptr;             // [D]; NULL without post-norms
  const float* post_ffn_norm = nullptr;              // [D]
  Weight wq;                                         // [H*K,D]
  Weight wk, wv;                                     // [KV*K,D]
  Weight wo;                                         // [D,H*K]
  const float* bq = nullptr;                         // [H*K], or NULL
  const float *bk = nullptr, *bv = nullptr;          // [KV*K]
  const float* bo = nullptr;                         // [D]
  const float *q_norm = nullptr, *k_norm = nullptr;  // [K], or [H*K] and [KV*K]
  const float* sinks = nullptr;                      // [H]
  ExpertWeights ffn;                                 // dense layers; on MoE layers the shared expert (may be empty)
  Weight router;                                     // [E,D]
  const float* router_bias = nullptr;                // [E]
  std::vector<ExpertWeights> experts;
};

struct LlamaWeights {
  Weight embedding, lm_head;          // [V,D]
  const float* final_norm = nullptr;  // [D]
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
