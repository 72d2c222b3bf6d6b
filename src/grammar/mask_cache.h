// mask_cache.h -- masks that were computed once. Of expressions, by their content, so that all grammars share what a
// string's inside allows; of configurations, by their automaton. Bounded in bytes: when it is full, what was not asked
// for since the last time goes. Thread-safe.
#pragma once
#include <cstdint>
#include <iterator>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "puna/grammar/matcher.h"

namespace puna::grammar {

class Automaton;

struct StoredMask {
  TokenMask::Kind kind = TokenMask::Kind::nothing;
  std::vector<int32_t> ids;
  std::vector<uint64_t> bits;

  static StoredMask from_bits(std::span<const uint64_t> bits);
  void add_to(std::span<uint64_t> bits) const noexcept;
  size_t bytes_held() const noexcept {
    return sizeof *this + ids.capacity() * sizeof(int32_t) + bits.capacity() * sizeof(uint64_t);
  }
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
    const size_t bytes = value->bytes_held() + key_bytes + 64;
    if (bytes > most_bytes_ / 4) return;
    const std::lock_guard lock(mutex_);
    if (bytes_ + bytes > most_bytes_) evict();
    const auto [at, is_new] = entries_.try_emplace(key, Entry{std::move(value), bytes, true});
    if (is_new) bytes_ += bytes;
  }

 private:
  struct Entry {
    std::shared_ptr<const Value> value;
    size_t bytes;
    bool asked_for;
  };
  void evict() {
    size_t kept = 0;
    for (auto at = entries_.begin(); at != entries_.end();) {
      Entry& entry = at->second;
      const bool keep = entry.asked_for && kept + entry.bytes < most_bytes_ / 2;
      if (keep) kept += entry.bytes;
      entry.asked_for = false;
      at = keep ? std::next(at) : entries_.erase(at);
    }
    bytes_ = kept;
  }
  size_t most_bytes_;
  std::mutex mutex_;
  std::unordered_map<Key, Entry, Hash> entries_;
  size_t bytes_ = 0;
};

}  // namespace puna::grammar
