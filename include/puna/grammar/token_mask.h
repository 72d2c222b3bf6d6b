// token_mask.h -- which tokens may be drawn: what a matcher tells a sampler.
#pragma once
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

namespace puna {

// `ids` ascending; `bits`: bit id%64 of word id/64. Ids behind the last bit may not be drawn.
struct TokenMask {
  enum class Kind : uint8_t { nothing, everything, few, bitmap };
  Kind kind = Kind::nothing;
  std::span<const int32_t> ids;    // few
  std::span<const uint64_t> bits;  // bitmap
  static TokenMask everything() noexcept { return {.kind = Kind::everything, .ids = {}, .bits = {}}; }
  bool allows(int32_t id) const noexcept;
  int64_t count() const noexcept;
  // visit(id) of each token below `size` that may be drawn, ascending.
  template <class Visit>
  void for_each(size_t size, Visit visit) const {
    if (kind == Kind::everything)
      for (size_t id = 0; id < size; ++id) visit(id);
    if (kind == Kind::few)
      for (const int32_t id : ids)
        if (size_t(id) < size) visit(size_t(id));
    if (kind == Kind::bitmap)
      for (size_t word = 0; word < bits.size(); ++word)
        for (uint64_t left = bits[word]; left != 0; left &= left - 1)
          if (const size_t id = word * 64 + size_t(std::countr_zero(left)); id < size) visit(id);
  }
};

}  // namespace puna
