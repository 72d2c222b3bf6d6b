#include "base/nearest.h"

#include <algorithm>
#include <cstddef>

namespace puna {
namespace {

constexpr size_t kLongest = 128;  // no known word is longer; the cost grows with the square

char lower(char c) { return c >= 'A' && c <= 'Z' ? char(c - 'A' + 'a') : c; }

// Damerau's distance (optimal string alignment), three rows of the table at a time.
size_t distance(std::string_view a, std::string_view b) {
  std::vector<size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const bool same = lower(a[i - 1]) == lower(b[j - 1]);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (same ? 0 : 1)});
      const bool swapped = i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) && lower(a[i - 2]) == lower(b[j - 1]);
      if (swapped) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before.swap(last);
    last.swap(row);
  }
  return last[b.size()];
}

}  // namespace

std::string_view nearest_word(std::string_view word, const std::vector<std::string_view>& known) {
  if (word.size() > kLongest) return {};
  std::string_view best;
  size_t least = SIZE_MAX;
  for (const std::string_view k : known) {
    if (k.size() > kLongest) continue;
    const size_t d = distance(word, k);
    if (d < least && d <= std::max<size_t>(1, std::max(word.size(), k.size()) / 3)) {
      least = d;
      best = k;
    }
  }
  return best;
}

}  // namespace puna
