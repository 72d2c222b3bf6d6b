// best.h -- the k best of a stream of scores: larger first, ties by the smaller number. Once there are k, a heap whose
// top is the worst that is kept.
#pragma once
#include <algorithm>
#include <limits>
#include <vector>

#include "puna/recsys/search.h"

namespace puna::recsys {

// Value: what decides, at least as exact as Hit's float.
template <class Value>
class Best {
 public:
  // `most`: how many add() will see at most before the first merge; within that it does not allocate.
  Best(int64_t k, int64_t most) : k_(size_t(k)) { heap_.reserve(size_t(std::min(k, most))); }
  // As a float, what a score must reach to be worth a look; rounding to float keeps order, so nothing is missed.
  float least() const noexcept {
    return heap_.size() < k_ ? -std::numeric_limits<float>::infinity() : float(heap_.front().value);
  }
  void add(Value value, int64_t item) {
    const Entry e{value, item};
    if (heap_.size() < k_) {
      heap_.push_back(e);
      if (heap_.size() == k_) std::make_heap(heap_.begin(), heap_.end(), before);
    } else if (before(e, heap_.front())) {
      std::pop_heap(heap_.begin(), heap_.end(), before);
      heap_.back() = e;
      std::push_heap(heap_.begin(), heap_.end(), before);
    }
  }
  void add(const Best& other) {
    for (const Entry& e : other.heap_) add(e.value, e.item);
  }
  // score(value) as the caller wants to see it.
  template <class Score>
  std::vector<Hit> sorted(Score&& score) {
    std::sort(heap_.begin(), heap_.end(), before);
    std::vector<Hit> hits;
    for (const Entry& e : heap_) hits.push_back({e.item, float(score(e.value))});
    return hits;
  }

 private:
  struct Entry {
    Value value;
    int64_t item;
  };
  static bool before(const Entry& a, const Entry& b) noexcept {
    return a.value != b.value ? a.value > b.value : a.item < b.item;
  }
  size_t k_;
  std::vector<Entry> heap_;
};

}  // namespace puna::recsys
