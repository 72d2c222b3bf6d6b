#include "runtime/opening/weight_block.h"

#include "kernels/panel.h"
#include "puna/base/allocator.h"
#include "puna/base/checked.h"
#include "runtime/rehearsal.h"

namespace puna {
namespace {

// Gives out places one behind the other; without a block it only counts.
class Places final : public WeightStore {
 public:
  explicit Places(std::byte* block) : block_(block) {}
  Place place(const Weight& w) override {
    const uint64_t at = bytes_;
    bytes_ = (Size(bytes_) + uint64_t(packed_bytes(w)))
                 .round_up(Allocator::kAlignment)
                 .take(INT64_MAX, "the packed weights");
    if (!block_) return {nowhere_, nullptr};
    return {block_ + at, block_ + at};
  }
  uint64_t bytes() const noexcept { return bytes_; }

 private:
  std::byte* block_;
  uint64_t bytes_ = 0;
  std::byte nowhere_[1] = {};
};

}  // namespace

Llama in_one_block(const Context& context, LoadProgress progress, BuildLlama build) {
  Places counted(nullptr);
  build(*rehearsal_context(), &counted, {});
  auto block = std::make_shared<Buffer>(context.allocate(size_t(counted.bytes()), "packed weights"));
  Places places(block->data());
  Llama llama = build(context, &places, progress);
  llama.weights.owned.push_back(std::move(block));
  return llama;
}

}  // namespace puna
