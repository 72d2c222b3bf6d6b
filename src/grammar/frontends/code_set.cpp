#include "grammar/frontends/code_set.h"

#include <algorithm>

namespace puna::grammar {

void CodeSet::join() {
  std::sort(ranges_.begin(), ranges_.end(), [](CodeRange a, CodeRange b) { return a.first < b.first; });
  size_t kept = 0;
  for (const CodeRange& range : ranges_) {
    if (kept > 0 && range.first <= ranges_[kept - 1].last + 1)
      ranges_[kept - 1].last = std::max(ranges_[kept - 1].last, range.last);
    else
      ranges_[kept++] = range;
  }
  ranges_.resize(kept);
}

CodeSet CodeSet::complement() const {
  CodeSet rest;
  uint32_t next = 0;
  for (const CodeRange& range : ranges_) {
    if (range.first > next) rest.add(next, range.first - 1);
    next = range.last + 1;
  }
  if (next <= kLastCode) rest.add(next, kLastCode);
  return rest;
}

CodeSet CodeSet::intersection(const CodeSet& other) const {
  CodeSet common;
  auto a = ranges_.begin(), b = other.ranges_.begin();
  while (a != ranges_.end() && b != other.ranges_.end()) {
    const uint32_t first = std::max(a->first, b->first), last = std::min(a->last, b->last);
    if (first <= last) common.add(first, last);
    if (a->last < b->last)
      ++a;
    else
      ++b;
  }
  return common;
}

bool CodeSet::has(uint32_t code) const noexcept {
  const auto next = std::upper_bound(ranges_.begin(), ranges_.end(), code,
                                     [](uint32_t c, CodeRange range) { return c < range.first; });
  return next != ranges_.begin() && code <= (next - 1)->last;
}

}  // namespace puna::grammar
