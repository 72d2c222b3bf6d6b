// inference.h -- the recorder that only computes: a stage is a fixed number of tiles run in parallel, then done.
// A pass can pause between tiles and be resumed: forward is called again from the top, finished stages return at once, scratch
// comes back at the same addresses, and the stage at the cursor goes on with its next tile (ARCHITECTURE 7).
#pragma once
#include <cstdint>

#include "kernels/kernel_table.h"
#include "ops/arena.h"
#include "puna/base/executor.h"
#include "puna/base/function_ref.h"
#include "puna/tensor/tensor.h"

namespace puna {

struct Cursor {  // where a pass is; survives a pause
  int64_t stage = 0, tile = 0;
};

class Inference {
 public:
  static constexpr bool records = false;

  // should_stop is asked between tiles, from any thread.
  Inference(const KernelTable& kernels, Executor& executor, Arena& arena, Cursor& cursor, bool exact, FunctionRef<bool()> should_stop)
      : kernels_(kernels), executor_(executor), arena_(arena), cursor_(cursor), exact_(exact), should_stop_(should_stop) {}

  const KernelTable& kernels() const noexcept { return kernels_; }
  bool exact() const noexcept { return exact_; }

  // Scratch of this pass, uninitialised. In a Frame it lives until the frame ends.
  View make(int64_t rows, int64_t cols) { return View(take<float>(rows * cols), DType::f32, {rows, cols}); }
  template <class T>
  T* take(int64_t count) { return static_cast<T*>(arena_.take(size_t(count) * sizeof(T))); }

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

  // Runs fn(0) ... fn(tiles-1), each exactly once over the life of the pass. fn is noexcept.
  void stage(int64_t tiles, FunctionRef<void(int64_t)> fn);
  bool finished() const noexcept { return !stopped_; }  // false: paused; call forward again to go on

 private:
  const KernelTable& kernels_;
  Executor& executor_;
  Arena& arena_;
  Cursor& cursor_;
  bool exact_;
  FunctionRef<bool()> should_stop_;
  int64_t next_stage_ = 0;
  bool stopped_ = false;
};

}  // namespace puna
