// groups.h -- examples that are computed together.
#pragma once
#include <cstddef>
#include <cstdint>

namespace puna::train {

// [first, last) runs of `items` whose sizes add up to at most `limit`, at least one each: visit(first, last).
template <class Size, class Visit>
void in_groups(size_t items, int64_t limit, Size&& size_of, Visit&& visit) {
  for (size_t first = 0; first < items;) {
    size_t last = first + 1;
    for (int64_t sum = size_of(first); last < items && sum + size_of(last) <= limit; ++last) sum += size_of(last);
    visit(first, last);
    first = last;
  }
}

}  // namespace puna::train
