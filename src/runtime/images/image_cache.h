// image_cache.h -- encoded images of one model, found by content; the least recently used are evicted first.
// Thread-safe.
#pragma once
#include <list>
#include <mutex>

#include "puna/runtime/image.h"

namespace puna {

class ImageCache {
 public:
  explicit ImageCache(uint64_t budget_bytes) : budget_(budget_bytes) {}

  using Shared = std::shared_ptr<const Buffer>;
  Shared find(const ImageId& id, const Buffer& pixels);  // NULL when it is not there
  // Keeps both, if they fit into the budget at all.
  void keep(const ImageId& id, Shared pixels, Shared features);
  void clear() noexcept;
  uint64_t bytes() const;

 private:
  struct Entry {
    ImageId id;
    Shared pixels, features;
    uint64_t bytes() const noexcept { return pixels->size() + features->size(); }
  };
  mutable std::mutex mutex_;
  std::list<Entry> entries_;  // the one asked for last in front
  uint64_t budget_, bytes_ = 0;
};

}  // namespace puna
