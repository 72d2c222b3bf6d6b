#include "ops/tape.h"

namespace puna {

View Tape::copy(View x) {
  const View to = make(x.dims[0], x.dims[1]);
  stage(x.dims[0], [&](int64_t t) { memcpy(to.row(t), x.row(t), size_t(x.dims[1]) * 4); });
  return to;
}

View Tape::gradient(View value) {
  const auto found = gradients_.find(value.data);
  if (found != gradients_.end()) return found->second;
  const View g = make_zero(value.dims[0], value.dims[1]);
  gradients_.emplace(value.data, g);
  made_.push_back(value.data);
  return g;
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
