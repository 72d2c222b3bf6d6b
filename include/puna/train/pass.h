// pass.h -- the loss of a few sequences and its gradient: forward on a tape, the loss in chunks, backward. Scratch is
// kept from pass to pass.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "puna/base/function_ref.h"
#include "puna/train/parameters.h"

namespace puna {
struct Lora;
}

namespace puna::train {

// A document: its tokens, and which of them count in the loss (token 0 never does: nothing predicts it). It attends to
// itself alone, from position 0 on, so packing documents into one pass changes no number.
struct Sequence {
  std::vector<int32_t> tokens;
  std::vector<uint8_t> counted;  // [tokens]
};

struct PassOptions {
  // f32 activations and keys. false: as sessions by default (a quantised base under an adapter).
  bool exact = true;
  bool checkpoint = false;  // layers are computed twice and keep only their input: memory for a third more time
  // The context's provider computes products where it is faster. never: the same bits everywhere.
  AllowProviders providers = AllowProviders::f32;
};

class Pass {
 public:
  Pass(const Context& context, const Llama& model, const PassOptions& options)
      : context_(context), model_(model), options_(options) {}

  // Adds to the gradients of `parameters`, through `adapter` (may be NULL). Counted tokens are numbered through all
  // sequences in order.
  struct Target {
    const std::unordered_map<const void*, float*>* parameters = nullptr;  // NULL: no gradient, no tape
    const std::unordered_map<const std::byte*, Lora>* adapter = nullptr;
    FunctionRef<bool()> should_stop;  // asked between tiles; stops with Error{cancelled}
  };
  // -log p of each counted token; and the gradient of the sum of weight * nll.
  std::vector<double> losses(std::span<const Sequence> sequences, float weight, const Target& target);
  // The same when the weights follow from the losses: weigh(nll, weights) is called between forward and backward.
  using Weigh = FunctionRef<void(std::span<const double> nll, std::span<float> weights)>;
  std::vector<double> losses(std::span<const Sequence> sequences, Weigh weigh, const Target& target);

 private:
  struct Rows;
  std::vector<double> run(std::span<const Sequence> sequences, float weight, Weigh weigh, const Target& target);
  template <class Rec>
  void compute(Rec& rec, const Rows& rows, std::vector<double>& nll, std::vector<float>& weights, Weigh weigh) const;

  const Context& context_;
  const Llama& model_;
  PassOptions options_;
  Buffer scratch_;
};

}  // namespace puna::train
