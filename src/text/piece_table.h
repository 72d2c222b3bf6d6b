// piece_table.h -- the strings of a vocabulary, by id: one arena, and one flat hash table from bytes to id.
// Keys come from files and lookups from users, so probing is bounded: a table crafted to collide is an error when it is
// built, and then no lookup can be slow.
#pragma once
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace puna::text {

uint64_t hash_bytes(const char* p, size_t n) noexcept;

// Byte strings numbered 0, 1, 2, ...
class PieceList {
 public:
  void reserve(size_t pieces, size_t bytes) { ends_.reserve(pieces), arena_.reserve(bytes); }
  void add(std::string_view piece);  // Error{unsupported} when the arena would pass 4 GiB
  int32_t size() const noexcept { return int32_t(ends_.size()); }
  std::string_view operator[](int32_t id) const noexcept {
    const uint32_t begin = id == 0 ? 0 : ends_[size_t(id) - 1];
    return {arena_.data() + begin, ends_[size_t(id)] - begin};
  }

 private:
  std::string arena_;
  std::vector<uint32_t> ends_;
};

// Finds ids by their bytes. Refers to a PieceList that the caller keeps alive and passes to each call.
class PieceIndex {
 public:
  void reserve(size_t pieces);
  // The id that was there already, or -1 after inserting `id`.
  int32_t insert(const PieceList& pieces, int32_t id);
  int32_t find(const PieceList& pieces, std::string_view key) const noexcept;  // -1: none
  size_t longest() const noexcept { return longest_; }

 private:
  // id -1: free
  struct Slot {
    uint32_t tag;
    int32_t id;
  };
  void grow(const PieceList& pieces, size_t slots);

  std::vector<Slot> slots_;  // a power of two, at most half full
  size_t used_ = 0, longest_ = 0;
};

}  // namespace puna::text
