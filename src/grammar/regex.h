// regex.h -- regular expressions over bytes, kept once each: equal content has the same id, so that derivatives
// (Brzozowski, JACM 1964) find their states again by comparing numbers. Besides the usual operators there are
// intersection and complement, and bounds that are counters: x{0,2^63} is one node.
#pragma once
#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace puna::grammar {

enum class Regex : uint32_t {};  // an id in its arena

struct ByteSet {
  std::array<uint64_t, 4> bits{};
  void add(uint8_t byte) noexcept { bits[byte >> 6] |= uint64_t(1) << (byte & 63); }
  void add(uint8_t first, uint8_t last) noexcept {
    for (unsigned byte = first; byte <= last; ++byte) add(uint8_t(byte));
  }
  bool has(uint8_t byte) const noexcept { return bits[byte >> 6] >> (byte & 63) & 1; }
  bool operator==(const ByteSet&) const = default;
};

struct CodeRange {
  uint32_t first, last;  // code points, both included
};

inline constexpr uint64_t kUnbounded = UINT64_MAX;

// Makes expressions. Every function simplifies (the laws of Owens, Reppy and Turon, JFP 2009: empty and nothing
// absorbed, alternatives sorted and joined), never recurses on its arguments, and throws Error{invalid_argument} when
// the arena holds more than its limit of nodes.
class RegexBuilder {
 public:
  virtual ~RegexBuilder() = default;
  virtual Regex nothing() = 0;                                    // no string at all
  virtual Regex empty() = 0;                                      // the empty string
  virtual Regex bytes(const ByteSet& set) = 0;                    // one byte
  virtual Regex code_points(std::span<const CodeRange> set) = 0;  // one character in UTF-8; surrogates are left out
  virtual Regex literal(std::string_view bytes) = 0;
  virtual Regex concat(std::span<const Regex> parts) = 0;
  virtual Regex either(std::span<const Regex> parts) = 0;
  virtual Regex both(std::span<const Regex> parts) = 0;  // intersection
  virtual Regex complement(Regex regex) = 0;             // of all byte strings
  virtual Regex repeat(Regex regex, uint64_t min, uint64_t max) = 0;
};

}  // namespace puna::grammar
