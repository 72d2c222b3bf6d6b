// tape.h -- the recorder that can run backward. It computes the very stages that Inference does, hence the same bits,
// and notes for each what its gradient needs; backward() runs the notes in reverse. Every gradient adds, but for values
// changed in place (a rotation), whose gradient is changed in place too.
// A value's scratch is never given back while the tape lives, so the address of a value is its identity and its
// gradient is found by it. Gradients lie above the values; those made inside a frame (a layer) end where the frame
// began.
#pragma once
#include <cstring>
#include <functional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "ops/inference.h"

namespace puna {

// Where the gradients of trained parameters are added up: by the address of a parameter's values, in their layout. Not
// there: frozen.
using ParameterGradients = std::unordered_map<const void*, float*>;

class Tape : public Inference {
 public:
  static constexpr bool records = true;

  Tape(const KernelTable& kernels, Executor& executor, Arena& arena, Cursor& cursor, bool exact,
       FunctionRef<bool()> should_stop, const ParameterGradients& parameters)
      : Inference(kernels, executor, arena, cursor, exact, should_stop), parameters_(parameters) {}

  // Layers are to be computed again when running backward, and keep their input alone until then.
  void checkpoint_layers(bool on) noexcept { checkpoints_ = on; }
  bool checkpoints() const noexcept { return checkpoints_; }

  // A value as it is now, for values that are changed later.
  View copy(View x);
  float* parameter_gradient(const void* values) const noexcept {
    const auto found = parameters_.find(values);
    return found == parameters_.end() ? nullptr : found->second;
  }
  // The gradient of a value made by this tape: zero when first asked for. A value may be asked for in another shape of
  // as many numbers, or, where it begins, in a smaller one.
  View gradient(View value);
  // From here on the gradients of so many equal blocks of rows are parts of the whole's.
  void gradient_in_parts(View whole, int64_t parts);
  void on_backward(std::function<void()> fn) { notes_.push_back(std::move(fn)); }

  // Runs the notes made since `mark`, last first, and drops them.
  size_t mark() const noexcept { return notes_.size(); }
  void backward(size_t mark = 0);

  // fn(rec) changes x. Only x is kept; backward() runs fn again, this time noting (arXiv:1604.06174).
  template <class Layer>
  void checkpoint(View x, Layer fn) {
    const View before = copy(x);
    fn(static_cast<Inference&>(*this));
    on_backward([this, x, before, fn] {
      const size_t notes = mark(), gradients = made_.size(), top = arena().mark();
      stage(1, [&](int64_t) { memcpy(x.data, before.data, size_t(x.dims[0] * x.dims[1]) * 4); });
      fn(*this);
      backward(notes);
      drop(gradients, top);
    });
  }

  // The outermost frames bound the life of gradients; scratch lives as long as the tape.
  class Frame {
   public:
    explicit Frame(Tape& tape) : tape_(tape) {
      if (tape_.depth_++ == 0) tape_.begin_frame();
    }
    ~Frame() {
      if (--tape_.depth_ == 0) tape_.end_frame();
    }
    Frame(const Frame&) = delete;
    Frame& operator=(const Frame&) = delete;

   private:
    Tape& tape_;
  };
  [[nodiscard]] Frame frame() { return Frame(*this); }
  // Scratch of one note: to be given back at its end. No gradient is made meanwhile.
  [[nodiscard]] Inference::Frame scratch() { return Inference::frame(); }

 private:
  struct Bounds {
    size_t gradients, top;
  };
  void begin_frame();
  void end_frame();
  void drop(size_t gradients, size_t top);

  const ParameterGradients& parameters_;
  std::vector<std::function<void()>> notes_;
  std::unordered_map<const void*, View> gradients_;
  std::vector<const void*> made_;  // whose gradients exist, in order
  std::vector<Bounds> bounds_;     // of the frames being run backward
  int depth_ = 0;
  bool checkpoints_ = false;
};

}  // namespace puna
