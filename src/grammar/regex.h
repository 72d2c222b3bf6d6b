// regex.h -- regular expressions over bytes, kept once each: equal content has the same id, so that derivatives
// (Brzozowski, JACM 1964) find their states again by comparing numbers. Besides the usual operators there are
// intersection and complement, and bounds that are counters: x{0,2^63} is one node.
#pragma once
#include <array>
#include <bit>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "grammar/intern.h"
#include "puna/base/watch.h"

namespace puna::grammar {

enum class Regex : uint32_t {};  // an id in its arena

struct ByteSet {
  std::array<uint64_t, 4> bits{};
  void add(uint8_t byte) noexcept { bits[byte >> 6] |= uint64_t(1) << (byte & 63); }
  void add(uint8_t first, uint8_t last) noexcept {
    for (unsigned byte = first; byte <= last; ++byte) add(uint8_t(byte));
  }
  void remove(uint8_t byte) noexcept { bits[byte >> 6] &= ~(uint64_t(1) << (byte & 63)); }
  bool has(uint8_t byte) const noexcept { return bits[byte >> 6] >> (byte & 63) & 1; }
  bool none() const noexcept { return (bits[0] | bits[1] | bits[2] | bits[3]) == 0; }
  int count() const noexcept {
    return std::popcount(bits[0]) + std::popcount(bits[1]) + std::popcount(bits[2]) + std::popcount(bits[3]);
  }
  void operator|=(const ByteSet& other) noexcept {
    for (int i = 0; i < 4; ++i) bits[i] |= other.bits[i];
  }
  void operator&=(const ByteSet& other) noexcept {
    for (int i = 0; i < 4; ++i) bits[i] &= other.bits[i];
  }
  bool operator==(const ByteSet&) const = default;
  static constexpr ByteSet any() noexcept { return {{~uint64_t(0), ~uint64_t(0), ~uint64_t(0), ~uint64_t(0)}}; }
};

struct CodeRange {
  uint32_t first, last;  // code points, both included
  bool operator==(const CodeRange&) const = default;
};

inline constexpr uint64_t kUnbounded = UINT64_MAX;
// No text has as many characters: a larger maximum is none.
inline constexpr uint64_t kLargestMaximum = uint64_t(1) << 40;

// Makes expressions. Every function simplifies (the laws of Owens, Reppy and Turon, JFP 2009: empty and nothing
// absorbed, alternatives sorted and joined), never recurses on its arguments, and throws Error{invalid_argument} when
// the arena holds more than its limit of nodes, or when sets of characters have more than 32 times as many ranges.
class RegexBuilder {
 public:
  enum class Op : uint8_t { nothing, empty, bytes, concat, either, both, complement, repeat, multiple };
  struct Bounds {
    uint64_t min, max;
    bool operator==(const Bounds&) const = default;
  };

  // Of decimal_multiple(): what is known of the number so far.
  struct Multiple {
    uint64_t divisor, rest;
    uint32_t places_left;  // digits behind the point that still count; then there are only zeros
    enum Place : uint32_t { start, whole, point, fraction } place;
    bool operator==(const Multiple&) const = default;
  };

  // `watch` must outlive the arena; null: nobody asks.
  RegexBuilder(uint64_t max_nodes, const Watch* watch);

  Regex nothing() const noexcept { return Regex(0); }  // no string at all
  Regex empty() const noexcept { return Regex(1); }    // the empty string
  Regex all() const noexcept { return all_; }          // every string
  Regex bytes(const ByteSet& set);                     // one byte
  Regex code_points(std::span<const CodeRange> set);   // one character in UTF-8; surrogates are left out
  void count_ranges(size_t ranges);                    // of sets that are made or read; each is work
  Regex literal(std::string_view bytes);
  // One of these literals. A list of words joined by common beginnings: each step follows one branch, where either() of
  // a hundred thousand literals would look at them all.
  Regex words(std::span<const std::string_view> words);
  Regex concat(std::span<const Regex> parts);
  Regex concat(Regex a, Regex b);
  Regex either(std::span<const Regex> parts);
  Regex both(std::span<const Regex> parts);  // intersection
  Regex complement(Regex regex);             // of all byte strings
  Regex repeat(Regex regex, uint64_t min, uint64_t max);
  // Unsigned decimal numbers ("12", "0.50") whose value times 10^scale is a whole multiple of `divisor` (1 to 2^59).
  Regex decimal_multiple(uint64_t divisor, uint32_t scale);

  // What an expression is.
  Op op(Regex r) const noexcept { return nodes_[size_t(r)].op; }
  bool nullable(Regex r) const noexcept { return nodes_[size_t(r)].nullable; }  // matches the empty string
  // Neither both() nor complement() below: it matches some string unless it is nothing().
  bool plain(Regex r) const noexcept { return nodes_[size_t(r)].plain; }
  // The bytes that a match may begin with; more of them below both() and complement().
  const ByteSet& first(Regex r) const noexcept { return sets_[nodes_[size_t(r)].first]; }
  const ByteSet& set(Regex r) const noexcept { return sets_[nodes_[size_t(r)].a]; }  // of bytes()
  // Of concat: two; either and both: two or more; complement and repeat: one.
  std::span<const Regex> children(Regex r) const noexcept;
  const Bounds& bounds(Regex r) const noexcept { return bounds_[nodes_[size_t(r)].b]; }  // of repeat()
  const Multiple& multiple(Regex r) const noexcept { return multiples_[nodes_[size_t(r)].a]; }
  Regex after(const Multiple& multiple, uint8_t byte);
  Regex intern_multiple(const Multiple& multiple);
  // Of the content: the same in every arena.
  uint64_t content_hash(Regex r) const noexcept { return nodes_[size_t(r)].hash; }

  uint32_t size() const noexcept { return uint32_t(nodes_.size()); }
  size_t bytes_held() const noexcept;
  const std::vector<ByteSet>& sets() const noexcept { return sets_; }
  uint64_t max_nodes() const noexcept { return max_nodes_; }
  void set_limit(uint64_t max_nodes, const Watch* watch) noexcept {
    max_nodes_ = max_nodes;
    watch_ = watch;
  }
  // The same expression in this arena, from another one. `known`: what was brought over already, an entry for each of
  // its nodes, kNone at first.
  Regex import(const RegexBuilder& from, Regex r, std::vector<uint32_t>& known);

 private:
  struct Node {
    Op op;
    bool nullable, plain;
    uint32_t first;          // number of a byte set
    std::array<Regex, 2> x;  // of concat, complement and repeat
    uint32_t a, b;           // either, both: b children from a. bytes: set a. repeat: bounds b. multiple: number a
    uint64_t hash;
  };
  uint32_t set_number(const ByteSet& set);
  uint32_t bounds_number(Bounds bounds);
  Regex intern(Node node, const ByteSet& first);
  Regex intern_many(Op op, std::span<const Regex> parts);
  Regex joined_repetitions(Regex a, Regex b);
  Regex chain(Regex a, Regex b);
  void sort_parts(std::vector<Regex>& parts) const;
  void tick(size_t work) const {
    if (watch_) watch_->tick(1 + work / 16);
  }
  uint64_t hash_of(Regex r) const noexcept { return nodes_[size_t(r)].hash; }
  Regex continuation_bytes(int count, uint32_t first, uint32_t last);

  uint64_t max_nodes_;
  const Watch* watch_;
  std::vector<Node> nodes_;
  std::vector<Regex> children_;  // of either and both
  std::vector<ByteSet> sets_;
  std::vector<Bounds> bounds_;
  std::vector<Multiple> multiples_;
  InternTable node_table_, set_table_, bounds_table_, multiple_table_;
  struct KnownSet {
    std::vector<CodeRange> ranges;
    Regex regex{};
  };
  std::array<KnownSet, 16> known_sets_;  // what code_points() made last, by a hash
  uint64_t ranges_counted_ = 0;
  Regex all_{};
};

}  // namespace puna::grammar
