// intern.h -- equal content, equal number: the hash table behind every kind of thing that the grammar engine keeps once
// (expressions, lexer states, columns, configurations). It holds numbers only; the content lies with its owner, who
// compares.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace puna::grammar {

inline constexpr uint32_t kNone = UINT32_MAX;

inline uint64_t mixed(uint64_t hash, uint64_t value) noexcept {
  hash = (hash ^ value) * 0x9E3779B97F4A7C15u;
  return hash ^ hash >> 32;
}

// Linear probing, at most half full. A slot is the low half of the hash and the number + 1; 0 is empty.
class InternTable {
 public:
  // equal(number): whether that one has the content looked for.
  template <class Equal>
  uint32_t find(uint64_t hash, Equal&& equal) const {
    if (slots_.empty()) return kNone;
    for (size_t i = hash & (slots_.size() - 1); slots_[i] != 0; i = (i + 1) & (slots_.size() - 1)) {
      const uint32_t number = uint32_t(slots_[i]) - 1;
      if (slots_[i] >> 32 == (hash & UINT32_MAX) && equal(number)) return number;
    }
    return kNone;
  }
  // Room for one more, so that insert() cannot fail once the content is in its place.
  void reserve_one() {
    if (2 * (count_ + 1) <= slots_.size()) return;
    std::vector<uint64_t> old(slots_.empty() ? 64 : 2 * slots_.size());
    old.swap(slots_);
    for (const uint64_t slot : old)
      if (slot != 0) put(slot);
  }
  void insert(uint64_t hash, uint32_t number) noexcept {
    put(hash << 32 | (uint64_t(number) + 1));
    ++count_;
  }
  void clear() noexcept {  // a small table keeps its memory
    if (slots_.size() > 256) slots_ = {};
    std::fill(slots_.begin(), slots_.end(), 0);
    count_ = 0;
  }
  size_t bytes() const noexcept { return slots_.size() * sizeof(uint64_t); }

 private:
  void put(uint64_t slot) noexcept {
    size_t i = slot >> 32 & (slots_.size() - 1);
    while (slots_[i] != 0) i = (i + 1) & (slots_.size() - 1);
    slots_[i] = slot;
  }
  std::vector<uint64_t> slots_;
  size_t count_ = 0;
};

// Lists of T, each kept once and known by its number.
template <class T>
class InternedLists {
 public:
  uint32_t intern(std::span<const T> list) {
    uint64_t hash = list.size();
    for (const T& item : list) hash = item.mix_into(hash);
    const uint32_t known = table_.find(hash, [&](uint32_t number) {
      const std::span<const T> other = (*this)[number];
      if (other.size() != list.size()) return false;
      for (size_t i = 0; i < list.size(); ++i)
        if (!(other[i] == list[i])) return false;
      return true;
    });
    if (known != kNone) return known;
    table_.reserve_one();
    ends_.reserve(ends_.size() + 1 > ends_.capacity() ? 2 * ends_.size() + 16 : 0);
    const uint32_t number = uint32_t(ends_.size());
    pool_.insert(pool_.end(), list.begin(), list.end());
    ends_.push_back(pool_.size());
    table_.insert(hash, number);
    return number;
  }
  std::span<const T> operator[](uint32_t number) const noexcept {
    const size_t begin = number == 0 ? 0 : ends_[number - 1];
    return {pool_.data() + begin, ends_[number] - begin};
  }
  uint32_t size() const noexcept { return uint32_t(ends_.size()); }
  size_t bytes() const noexcept { return table_.bytes() + pool_.size() * sizeof(T) + ends_.size() * sizeof(size_t); }

 private:
  std::vector<T> pool_;
  std::vector<size_t> ends_;
  InternTable table_;
};

}  // namespace puna::grammar
