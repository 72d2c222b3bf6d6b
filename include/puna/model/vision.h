// vision.h -- Llama 4's vision tower: a vision transformer over square tiles, whose patches become rows of the text
// model's residual stream.
//   x = [patches W_patch, class token] + positions;  x = norm(x)
//   per layer:  x += Wo attention(norm(x)) + bo;  x += mlp(norm(x))
//   features = W_projector gelu(W_2 gelu(W_1 shuffle(norm(x) without the class token)))
// Attention sees the whole tile and no other; q and k are rotated (RoPE) by the patch's column and row. Exact
// semantics: Hugging Face modeling_llama4.py (Llama4VisionModel, Llama4MultiModalProjector). Tiles do not see each
// other, so the bits of one do not depend on which are computed together.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "puna/base/context.h"
#include "puna/base/function_ref.h"
#include "puna/tensor/metadata.h"
#include "puna/tensor/tensor.h"

namespace puna {

struct VisionConfig {
  int64_t layers = 0;
  int64_t hidden = 0;       // D
  int64_t heads = 0;        // head_dim = D / heads
  int64_t ffn = 0;          // F
  int64_t tile = 0;         // pixels a side
  int64_t patch = 0;        // pixels a side
  int64_t shuffle = 2;      // shuffle x shuffle neighbouring patches become one feature
  int64_t adapter = 0;      // width inside the adapter
  int64_t text_hidden = 0;  // width of what comes out: the text model's
  float norm_eps = 1e-5f;
  double rope_theta = 10000;

  int64_t head_dim() const noexcept { return hidden / heads; }
  int64_t side() const noexcept { return tile / patch; }
  int64_t patches() const noexcept { return side() * side(); }
  int64_t positions() const noexcept { return patches() + 1; }                   // N: the class token is the last
  int64_t features() const noexcept { return patches() / (shuffle * shuffle); }  // rows a tile gives
  int64_t pixels() const noexcept { return 3 * tile * tile; }                    // floats a tile takes
};

// From a flattened config.json with a vision_config; from the metadata of an mmproj GGUF ("clip.vision.*", projector
// "llama4"). Error{bad_file} or {unsupported} naming the key.
VisionConfig vision_config_from_huggingface(const Metadata& metadata, int64_t text_hidden);
VisionConfig vision_config_from_mmproj(const Metadata& metadata, int64_t text_hidden);

// w and b: [D]
struct VisionNorm {
  const float *w = nullptr, *b = nullptr;
};
// y = x W^T + b
struct VisionLinear {
  Weight w;
  const float* b = nullptr;
};

struct VisionLayer {
  VisionNorm attn_norm, ffn_norm;
  VisionLinear wq, wk, wv, wo;  // [D,D]
  VisionLinear up;              // [F,D]
  VisionLinear down;            // [D,F]
};

struct VisionWeights {
  Weight patch;                        // [D, 3*patch*patch]
  Weight positions;                    // [N,D]
  const float* class_token = nullptr;  // [D]
  VisionNorm pre, post;
  std::vector<VisionLayer> layers;
  Weight adapter_in;   // [adapter, 4D]
  Weight adapter_out;  // [adapter, adapter]
  Weight projector;    // [text_hidden, adapter]
  std::vector<std::shared_ptr<const void>> owned;
};

class VisionTower {
 public:
  VisionConfig config;
  VisionWeights weights;

  // As Llama::from_*. `tensors` may hold the text model too.
  using Progress = FunctionRef<bool(uint64_t done, uint64_t total)>;
  static VisionTower from_huggingface(const Context& context, const Metadata& metadata, const TensorMap& tensors,
                                      int64_t text_hidden, bool mapped = false, Progress progress = {});
  static VisionTower from_mmproj(const Context& context, const Metadata& metadata, const TensorMap& tensors,
                                 int64_t text_hidden, bool mapped = false, Progress progress = {});
};

}  // namespace puna
