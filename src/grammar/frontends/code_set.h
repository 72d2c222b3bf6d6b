// code_set.h -- a set of Unicode code points, as ranges: what a character class stands for.
#pragma once
#include <cstdint>
#include <initializer_list>
#include <span>
#include <vector>

#include "grammar/regex.h"

namespace puna::grammar {

inline constexpr uint32_t kLastCode = 0x10FFFF;

class CodeSet {
 public:
  CodeSet() = default;
  CodeSet(std::initializer_list<CodeRange> ranges) : ranges_(ranges) { join(); }
  static CodeSet one(uint32_t code) { return CodeSet{{code, code}}; }
  static CodeSet all() { return CodeSet{{0, kLastCode}}; }

  // Ranges in any order; join() before anything is asked.
  void add(uint32_t first, uint32_t last) { ranges_.push_back({first, last}); }
  void add(const CodeSet& other) { ranges_.insert(ranges_.end(), other.ranges_.begin(), other.ranges_.end()); }
  void join();  // sorts, and joins neighbours

  CodeSet complement() const;
  CodeSet intersection(const CodeSet& other) const;
  bool has(uint32_t code) const noexcept;
  bool empty() const noexcept { return ranges_.empty(); }
  std::span<const CodeRange> ranges() const noexcept { return ranges_; }  // ascending, with gaps between them

 private:
  std::vector<CodeRange> ranges_;
};

}  // namespace puna::grammar
