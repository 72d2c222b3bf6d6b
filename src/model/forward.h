// forward.h -- the forward passes of the text model and of the vision encoder, and what they take. Rec is a recorder of
// ops/: Inference, or Tape for what also runs backward. Straight-line over stages, so a paused pass is resumed by
// calling it again.
#pragma once
#include <cstdint>
#include <vector>

#include "puna/model/kv_cache.h"
#include "puna/model/llama.h"
#include "puna/model/vision.h"
#include "puna/tensor/tensor.h"

namespace puna {

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

// Intermediate values, copied out as they are made; NULL = not wanted. For golden tests and for finding where two runs
// part.
struct ForwardTaps {
  float* embedded = nullptr;          // [streams][rows][hidden]
  float* after_attention = nullptr;   // [layers][rows][hidden] residual stream
  float* hidden = nullptr;            // [layers][streams][rows][hidden] residual streams after the layer
  float* final_norm = nullptr;        // [wanted][hidden]
  float* router_logits = nullptr;     // [MoE layers][rows][experts]
  int32_t* router_experts = nullptr;  // [MoE layers][rows][top_k]
  float* router_scores = nullptr;     // [MoE layers][rows][top_k]
  float* last_hidden = nullptr;       // [rows][hidden] what the final norm reads
};

// logits: [batch.wanted.size(), vocab].
template <class Rec>
void forward(Rec& rec, const Llama& model, const Batch& batch, View logits, const ForwardTaps* taps = nullptr);
// What the head multiplies: [batch.wanted.size(), hidden]. For losses, which never need all logits at once. On a Tape
// model and batch must live until the tape has run backward.
template <class Rec>
View forward_hidden(Rec& rec, const Llama& model, const Batch& batch);

// T tiles.
struct VisionTaps {
  float* patches = nullptr;  // [T][patches][D] before class token and positions
  float* pre = nullptr;      // [T][N][D] after the first norm
  float* layers = nullptr;   // [layers][T][N][D]
  float* post = nullptr;     // [T][N][D] after the last norm
  float* adapted = nullptr;  // [T][features][adapter]
};

// features [tiles * config.features(), text_hidden] of pixels [tiles, 3, tile, tile].
template <class Rec>
void forward(Rec& rec, const VisionTower& tower, const float* pixels, int64_t tiles, View features,
             const VisionTaps* taps = nullptr);

}  // namespace puna
