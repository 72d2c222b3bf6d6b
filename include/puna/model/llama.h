// llama.h -- dense Llama (2, 3, 3.x, SmolLM2, Mistral in llama layout) and Llama 4 text: one set of weights, one
// forward.
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
#include "puna/model/kv_cache.h"
#include "puna/tensor/tensor.h"

namespace puna {

class WeightStore;

// Rows of (sequence, position, token): what a pass computes. Several sessions may share one batch; the bits do not
// change.
struct BatchRow {
  int32_t sequence = 0;  // index into Batch::sequences
  int64_t position = 0;
  int32_t token = 0;
  const float* embedding = nullptr;  // [hidden]; replaces the token's (image features)
};

struct Batch {
  std::vector<BatchRow> rows;
  std::vector<KvCache*> sequences;  // prepared for the rows' positions
  std::vector<int64_t> wanted;      // rows whose logits are computed, ascending
};

struct LlamaLayer {
  const float* attn_norm = nullptr;  // [D]
  const float* ffn_norm = nullptr;   // [D]
  Weight wq;                         // [H*K,D]
  Weight wk, wv;                     // [KV*K,D]
  Weight wo;                         // [D,H*K]
  ExpertWeights ffn;                 // dense layers; on MoE layers the shared expert (may be empty)
  Weight router;                     // [E,D]
  std::vector<ExpertWeights> experts;
};

struct LlamaWeights {
  Weight embedding, lm_head;          // [V,D]
  const float* final_norm = nullptr;  // [D]
  std::vector<LlamaLayer> layers;
  bool mapped = false;  // the matrices lie in a file: experts are asked for before they are read
  std::vector<std::shared_ptr<const void>> owned;  // panels, and vectors converted to f32
};

// Intermediate values, copied out as they are made; NULL = not wanted. For golden tests and for finding where two runs
// part.
struct ForwardTaps {
  float* embedded = nullptr;          // [rows][hidden]
  float* after_attention = nullptr;   // [layers][rows][hidden] residual stream
  float* hidden = nullptr;            // [layers][rows][hidden] residual stream after the layer
  float* final_norm = nullptr;        // [wanted][hidden]
  float* router_logits = nullptr;     // [MoE layers][rows][experts]
  int32_t* router_experts = nullptr;  // [MoE layers][rows][top_k]
  float* router_scores = nullptr;     // [MoE layers][rows][top_k]
  float* last_hidden = nullptr;       // [rows][hidden] what the final norm reads
};

// cos and sin of position * inverse_frequency for the rows of a batch: [rows, head_dim/2] each. minus_sine exists on a
// Tape only: gradients are rotated backward.
struct RopeTable {
  View cosine, sine, minus_sine;
};

struct Activations;   // src/ops/linear.h
struct SequenceRows;  // src/ops/attention.h

// Checks that a batch's rows are whole sequences, one after the other, from position 0 on: what a tape can take a
// gradient of.
std::vector<SequenceRows> whole_sequences(const Batch& batch);

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

  // logits: [batch.wanted.size(), vocab]. Straight-line over stages, so a paused pass is resumed by calling it again.
  template <class Rec>
  void forward(Rec& rec, const Batch& batch, View logits, const ForwardTaps* taps = nullptr) const;
  // What the head multiplies: [batch.wanted.size(), hidden]. For losses, which never need all logits at once. On a Tape
  // the batch must live until the tape has run backward.
  template <class Rec>
  View hidden(Rec& rec, const Batch& batch) const;

 private:
  template <class Rec>
  View body(Rec& rec, const Batch& batch, const ForwardTaps* taps) const;
  template <class Rec>
  Activations head_input(Rec& rec, View x, const Batch& batch) const;
  template <class Rec>
  void layer(Rec& rec, const Batch& batch, View x, int64_t l, const RopeTable& rope, const ForwardTaps* taps) const;
};

}  // namespace puna
