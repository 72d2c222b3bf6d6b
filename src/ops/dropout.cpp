#include "ops/dropout.h"

#include "puna/base/philox.h"

namespace puna {
namespace {

// fn(i, kept) for n values; 16 random bits each.
template <class Fn>
void each(const Dropout& d, int64_t row, int64_t n, Fn&& fn) {
  const auto threshold = uint32_t(d.rate * 65536.0f);
  for (int64_t i = 0; i < n; i += 8) {
    const Philox p = philox(d.seed, uint64_t(d.first_row + row) << 16 | uint64_t(i / 8), d.site);
    for (int64_t j = 0; j < 8 && i + j < n; ++j) fn(i + j, (p.word[j / 2] >> j % 2 * 16 & 0xFFFFu) >= threshold);
  }
}

}  // namespace

void Dropout::apply(float* y, int64_t row, int64_t n) const noexcept {
  if (rate <= 0) return;
  const float factor = scale();
  each(*this, row, n, [&](int64_t i, bool kept) { y[i] = kept ? y[i] * factor : 0.0f; });
}

void Dropout::draw(uint8_t* kept, int64_t row, int64_t n) const noexcept {
  each(*this, row, n, [&](int64_t i, bool k) { kept[i] = k; });
}

}  // namespace puna
