#include "ops/tape.h"

namespace puna {

View Tape::copy(View x) {
  const View to = make(x.dims[0], x.dims[1]);
  stage(x.dims[0], [&](int64_t t) { memcpy(to.row(t), x.row(t), size_t(x.dims[1]) * 4); });
  return to;
}

View Tape::gradient(View value) {
  const auto found = gradients_.find(value.data);
  const bool is_whole = value.strides[0] == value.dims[1];
  if (found != gradients_.end()) return is_whole ? View(found->second.data, DType::f32, value.shape()) : found->second;
  const View g = make_zero(value.dims[0], value.dims[1]);
  gradients_.emplace(value.data, g);
  made_.push_back(value.data);
  return g;
}

void Tape::gradient_in_parts(View whole, int64_t parts) {
  const View g = gradient(whole);
  const int64_t rows = whole.dims[0] / parts;
  for (int64_t i = 1; i < parts; ++i) {
    const void* const part = slice(whole, i * rows, rows, whole.dims[1]).data;
    gradients_.emplace(part, slice(g, i * rows, rows, g.dims[1]));
    made_.push_back(part);
  }
}

void Tape::backward(size_t mark) {
  while (notes_.size() > mark) {
    const std::function<void()> note = std::move(notes_.back());
    notes_.pop_back();
    note();
  }
}

void Tape::drop(size_t gradients, size_t top) {
  for (; made_.size() > gradients; made_.pop_back()) gradients_.erase(made_.back());
  arena().release_to(top);
}

void Tape::begin_frame() {  // where running backward ends
  on_backward([this] {
    drop(bounds_.back().gradients, bounds_.back().top);
    bounds_.pop_back();
  });
}

void Tape::end_frame() {
  on_backward([this] { bounds_.push_back({made_.size(), arena().mark()}); });
}

}  // namespace puna
