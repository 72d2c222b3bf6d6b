// mask_cache.h -- masks that were computed once. Of expressions, by their content, so that all grammars share what a
// string's inside allows; of configurations, by their automaton. Bounded in bytes: when it is full, what was not asked
// for since the last time goes. Thread-safe.
//
// A bitmap is as large as the vocabulary (25 KB of 200,000 tokens), and most places of most answers have one that
// another place has as well. So equal ones are kept once, and everything else refers to them.
#pragma once
#include <cstdint>
#include <iterator>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "puna/grammar/matcher.h"

namespace puna::grammar {

using Bitmap = std::vector<uint64_t>;
using BitmapPtr = std::shared_ptr<const Bitmap>;

class Bitmaps {
 public:
  // The one that is alive with this content, or a new one.
  BitmapPtr of(std::span<const uint64_t> bits);

 private:
  std::mutex mutex_;
  std::unordered_multimap<uint64_t, std::weak_ptr<const Bitmap>> known_;  // by a hash of the content
  size_t look_through_at_ = 64;                                           // so many, for those that are gone
};

struct StoredMask {
  TokenMask::Kind kind = TokenMask::Kind::nothing;
  std::vector<int32_t> ids;
  BitmapPtr bitmap;

  static StoredMask from_bits(std::span<const uint64_t> bits, Bitmaps& bitmaps);
  std::span<const uint64_t> bits() const noexcept {
    return bitmap ? std::span<const uint64_t>(*bitmap) : std::span<const uint64_t>();
  }
  void add_to(std::span<uint64_t> bits) const noexcept;
  size_t bytes_held() const noexcept { return sizeof *this + ids.capacity() * sizeof(int32_t); }  // of its own
  const Bitmap* shared() const noexcept { return bitmap.get(); }
};

// Of an expression and a group of tokens. `inside`: those that it goes on through or ends with. Exits: nodes of the
// group's trees where it may end and tokens go on.
struct ExpressionMask {
  StoredMask inside;
  std::vector<uint32_t> plain_exits, other_exits;
  uint64_t exit_nodes = 0;  // how many nodes lie below them, some more than once
  size_t bytes_held() const noexcept {
    return inside.bytes_held() + (plain_exits.capacity() + other_exits.capacity()) * sizeof(uint32_t);
  }
  const Bitmap* shared() const noexcept { return inside.shared(); }
};

template <class Key, class Value, class Hash = std::hash<Key>>
class BoundedCache {
 public:
  explicit BoundedCache(size_t most_bytes) : most_bytes_(most_bytes) {}
  std::shared_ptr<const Value> find(const Key& key) {
    const std::lock_guard lock(mutex_);
    const auto at = entries_.find(key);
    if (at == entries_.end()) return nullptr;
    at->second.asked_for = true;
    return at->second.value;
  }
  void put(const Key& key, std::shared_ptr<const Value> value, size_t key_bytes) {
    const std::lock_guard lock(mutex_);
    Entry entry{std::move(value), 0, true};
    entry.bytes = entry.value->bytes_held() + key_bytes + 64;
    const size_t most = entry.bytes + bytes_of(entry.value->shared());
    if (most > most_bytes_ / 4) return;
    if (bytes_ + most > most_bytes_) evict();
    const auto [at, is_new] = entries_.try_emplace(key, std::move(entry));
    if (!is_new) return;
    try {
      count(at->second);
    } catch (...) {
      entries_.erase(at);
      throw;
    }
  }
  size_t bytes_held() const {
    const std::lock_guard lock(mutex_);
    return bytes_;
  }
  size_t size() const {
    const std::lock_guard lock(mutex_);
    return entries_.size();
  }

 private:
  struct Entry {
    std::shared_ptr<const Value> value;
    size_t bytes;  // without what is shared
    bool asked_for;
  };
  static size_t bytes_of(const Bitmap* shared) noexcept {
    return shared ? shared->capacity() * sizeof(uint64_t) + 128 : 0;
  }
  size_t cost(const Entry& entry) const {
    const Bitmap* const shared = entry.value->shared();
    return entry.bytes + (counted_.contains(shared) ? 0 : bytes_of(shared));
  }
  void count(const Entry& entry) {
    const size_t bytes = cost(entry);
    counted_.insert(entry.value->shared());
    bytes_ += bytes;
  }
  void evict() {
    bytes_ = 0;
    counted_.clear();
    for (auto at = entries_.begin(); at != entries_.end();) {
      Entry& entry = at->second;
      const bool keep = entry.asked_for && bytes_ + cost(entry) < most_bytes_ / 2;
      if (keep) count(entry);
      entry.asked_for = false;
      at = keep ? std::next(at) : entries_.erase(at);
    }
  }
  size_t most_bytes_;
  mutable std::mutex mutex_;
  std::unordered_map<Key, Entry, Hash> entries_;
  std::unordered_set<const Bitmap*> counted_;  // bitmaps of the entries, each once in bytes_
  size_t bytes_ = 0;
};

}  // namespace puna::grammar
