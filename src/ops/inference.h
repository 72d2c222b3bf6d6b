// inference.h -- the recorder that only computes: a stage is a fixed number of tiles run in parallel, then done. A pass
// can pause between tiles and be resumed: forward is called again from the top, finished stages return at once, scratch
// comes back at the same addresses, and the stage at the cursor goes on with its next tile (docs/architecture.md,
// section 7).
#pragma once
#include <cstdint>
#include <cstring>
#include <span>
#include <unordered_map>

#include "kernels/kernel_table.h"
#include "ops/arena.h"
#include "puna/base/executor.h"
#include "puna/base/function_ref.h"
#include "puna/base/gemm_provider.h"
#include "puna/tensor/tensor.h"

namespace puna {

struct Cursor {  // where a pass is; survives a pause
  int64_t stage = 0, tile = 0;
};

class Inference;

// A low-rank addition to a weight: y = x W^T + scale (x a^T) b^T.   a: [r,K], b: [N,r], plain types
// arXiv:2106.09685
struct Lora {
  Weight a, b;
  float scale = 1;
};
// By the address of the base weight's panels.
using LoraMap = std::unordered_map<const std::byte*, Lora>;

// Rows of a pass that one adapter holds for, or several together, each with its weight. Groups have no row in common.
struct RowLoras {
  struct Share {
    const LoraMap* loras;
    float weight;
  };
  std::span<const Share> shares;
  std::span<const int32_t> rows, wanted;  // of the batch; of the rows that the head sees
};

// Is shown what every linear layer multiplies; see() may run stages. For calibration: such a pass is neither paused nor
// timed.
class ActivationObserver {
 public:
  virtual ~ActivationObserver() = default;
  virtual void see(Inference& rec, const Weight& w, std::span<const float* const> rows) = 0;
};

// rows [first, first + rows), the first cols columns
inline View slice(View v, int64_t first, int64_t rows, int64_t cols) noexcept {
  v.data = v.row(first);
  v.dims[0] = rows;
  v.dims[1] = cols;
  return v;
}

class Inference {
 public:
  static constexpr bool records = false;

  // should_stop is asked between tiles, from any thread.
  Inference(const KernelTable& kernels, Executor& executor, Arena& arena, Cursor& cursor, bool exact,
            FunctionRef<bool()> should_stop)
      : kernels_(kernels),
        executor_(executor),
        arena_(arena),
        cursor_(cursor),
        exact_(exact),
        should_stop_(should_stop) {}

  const KernelTable& kernels() const noexcept { return kernels_; }
  bool exact() const noexcept { return exact_; }
  bool measuring() const noexcept {
    return arena_.measuring();
  }  // nothing is computed: views have no memory behind them

  // Products of this pass may be made by a provider; without it they are made by kernels() alone, with the same bits
  // everywhere.
  void allow(const GemmPermission& permission) noexcept { permission_ = permission; }
  const GemmPermission& permission() const noexcept { return permission_; }

  // Linear layers of this pass add what the adapter has for them; NULL = none. Borrowed.
  void use(const LoraMap* adapter) noexcept { adapter_ = adapter; }
  // Or what the groups of rows have, each its own. group_of: of each row of the batch, -1 = none. Borrowed.
  void use(std::span<const RowLoras> groups, std::span<const int32_t> group_of) noexcept {
    groups_ = groups;
    group_of_ = group_of;
  }
  std::span<const RowLoras> row_loras() const noexcept { return groups_; }
  int32_t group_of(int64_t row) const noexcept { return group_of_[size_t(row)]; }
  // From here on linear layers see the wanted rows alone.
  void begin_head() noexcept { at_head_ = true; }
  std::span<const int32_t> rows_of(const RowLoras& group) const noexcept {
    return at_head_ ? group.wanted : group.rows;
  }
  void observe(ActivationObserver* observer) noexcept { observer_ = observer; }
  ActivationObserver* observer() const noexcept { return observer_; }
  const Lora* lora_of(const Weight& w) const noexcept {
    if (!adapter_) return nullptr;
    const auto found = adapter_->find(w.panels);
    return found == adapter_->end() ? nullptr : &found->second;
  }

  // Scratch of this pass, uninitialised. In a Frame it is valid until the frame ends.
  View make(int64_t rows, int64_t cols) { return View(take<float>(rows * cols), DType::f32, {rows, cols}); }
  View make_zero(int64_t rows, int64_t cols);  // a stage fills it
  template <class T>
  T* take(int64_t count) {
    return static_cast<T*>(arena_.take(size_t(count) * sizeof(T)));
  }

  class Frame {
   public:
    explicit Frame(Arena& arena) : arena_(arena), mark_(arena.mark()) {}
    ~Frame() { arena_.release_to(mark_); }
    Frame(const Frame&) = delete;
    Frame& operator=(const Frame&) = delete;

   private:
    Arena& arena_;
    size_t mark_;
  };
  [[nodiscard]] Frame frame() { return Frame(arena_); }

  // Runs fn(0) ... fn(tiles-1), each exactly once over the life of the pass. fn is noexcept. A thread claims up to
  // `at_once` of them together, and finishes those before it asks whether to stop.
  void stage(int64_t tiles, FunctionRef<void(int64_t)> fn, int64_t at_once = 1);
  bool finished() const noexcept { return !stopped_; }  // false: paused; call forward again to go on
  // What was taken for the next `stages` stages may be written to besides by them: one of them is the next to compute.
  // Before and behind them the same memory is that of others, which a pass that is gone on with still needs.
  bool next_is_in(int64_t stages) const noexcept {
    return !stopped_ && !measuring() && cursor_.stage < next_stage_ + stages;
  }

 protected:
  Arena& arena() noexcept { return arena_; }

 private:
  const KernelTable& kernels_;
  Executor& executor_;
  Arena& arena_;
  Cursor& cursor_;
  bool exact_;
  FunctionRef<bool()> should_stop_;
  GemmPermission permission_;
  const LoraMap* adapter_ = nullptr;
  std::span<const RowLoras> groups_;
  std::span<const int32_t> group_of_;
  bool at_head_ = false;
  ActivationObserver* observer_ = nullptr;
  int64_t next_stage_ = 0;
  bool stopped_ = false;
};

// Copies the rows of x to `to`, unless it is NULL.
inline void tap(Inference& rec, float* to, View x) {
  if (to)
    rec.stage(1, [&](int64_t) {
      for (int64_t t = 0; t < x.dims[0]; ++t) memcpy(to + t * x.dims[1], x.row(t), size_t(x.dims[1]) * 4);
    });
}

}  // namespace puna
