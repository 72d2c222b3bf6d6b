// mask_cache.cpp -- the smallest form of a mask.
#include "grammar/mask_cache.h"

#include <bit>

namespace puna::grammar {

StoredMask StoredMask::from_bits(std::span<const uint64_t> bits) {
  StoredMask mask;
  size_t count = 0;
  for (const uint64_t word : bits) count += size_t(std::popcount(word));
  if (count == 0) return mask;
  if (count * sizeof(int32_t) * 2 > bits.size() * sizeof(uint64_t)) {
    mask.kind = TokenMask::Kind::bitmap;
    mask.bits.assign(bits.begin(), bits.end());
    return mask;
  }
  mask.kind = TokenMask::Kind::few;
  mask.ids.reserve(count);
  for (size_t i = 0; i < bits.size(); ++i)
    for (uint64_t word = bits[i]; word != 0; word &= word - 1)
      mask.ids.push_back(int32_t(64 * i + size_t(std::countr_zero(word))));
  return mask;
}

void StoredMask::add_to(std::span<uint64_t> into) const noexcept {
  for (const int32_t id : ids) into[size_t(id) / 64] |= uint64_t(1) << (id % 64);
  for (size_t i = 0; i < bits.size(); ++i) into[i] |= bits[i];
}

}  // namespace puna::grammar
