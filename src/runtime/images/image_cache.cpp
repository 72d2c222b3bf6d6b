#include "runtime/images/image_cache.h"

#include <cstring>

namespace puna {

ImageCache::Shared ImageCache::find(const ImageId& id, const Buffer& pixels) {
  const std::lock_guard lock(mutex_);
  for (auto entry = entries_.begin(); entry != entries_.end(); ++entry) {
    const bool same = entry->id == id && entry->pixels->size() == pixels.size();
    if (!same || memcmp(entry->pixels->data(), pixels.data(), pixels.size()) != 0) continue;
    entries_.splice(entries_.begin(), entries_, entry);
    return entry->features;
  }
  return nullptr;
}

void ImageCache::keep(const ImageId& id, Shared pixels, Shared features) {
  std::list<Entry> added;
  added.push_back({id, std::move(pixels), std::move(features)});
  const uint64_t more = added.front().bytes();
  if (more > budget_) return;
  const std::lock_guard lock(mutex_);
  while (bytes_ + more > budget_) {
    bytes_ -= entries_.back().bytes();
    entries_.pop_back();
  }
  entries_.splice(entries_.begin(), added);
  bytes_ += more;
}

void ImageCache::clear() noexcept {
  const std::lock_guard lock(mutex_);
  entries_.clear();
  bytes_ = 0;
}

uint64_t ImageCache::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

}  // namespace puna
