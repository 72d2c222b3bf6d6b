// token_mask.h -- which tokens may be drawn: what a matcher tells a sampler.
#pragma once
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
};

}  // namespace puna
