// mask_cache.cpp -- the smallest form of a mask.
#include "grammar/mask_cache.h"

#include <algorithm>
#include <array>
#include <bit>

#include "grammar/intern.h"

namespace puna::grammar {
namespace {

// Four chains at once: one would wait for each multiplication.
uint64_t content_hash(std::span<const uint64_t> bits) noexcept {
  std::array<uint64_t, 4> lanes{1, 2, 3, 4};
  size_t i = 0;
  for (; i + 4 <= bits.size(); i += 4)
    for (size_t lane = 0; lane < 4; ++lane) lanes[lane] = mixed(lanes[lane], bits[i + lane]);
  uint64_t hash = bits.size();
  for (; i < bits.size(); ++i) hash = mixed(hash, bits[i]);
  for (const uint64_t lane : lanes) hash = mixed(hash, lane);
  return hash;
}

}  // namespace

BitmapPtr Bitmaps::of(std::span<const uint64_t> bits) {
  const uint64_t hash = content_hash(bits);
  const std::lock_guard lock(mutex_);
  const auto [first, last] = known_.equal_range(hash);
  for (auto at = first; at != last; ++at)
    if (BitmapPtr alive = at->second.lock(); alive && std::ranges::equal(*alive, bits)) return alive;
  if (known_.size() >= look_through_at_) {
    std::erase_if(known_, [](const auto& entry) { return entry.second.expired(); });
    look_through_at_ = 2 * known_.size() + 64;
  }
  auto made = std::make_shared<const Bitmap>(bits.begin(), bits.end());
  known_.emplace(hash, made);
  return made;
}

StoredMask StoredMask::from_bits(std::span<const uint64_t> bits, Bitmaps& bitmaps) {
  StoredMask mask;
  size_t count = 0;
  for (const uint64_t word : bits) count += size_t(std::popcount(word));
  if (count == 0) return mask;
  if (count * sizeof(int32_t) * 2 > bits.size() * sizeof(uint64_t)) {
    mask.kind = TokenMask::Kind::bitmap;
    mask.bitmap = bitmaps.of(bits);
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
  const std::span<const uint64_t> from = bits();
  for (size_t i = 0; i < from.size(); ++i) into[i] |= from[i];
}

}  // namespace puna::grammar
