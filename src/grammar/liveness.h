// liveness.h -- whether an expression matches any string at all. An intersection or a complement may match none without
// looking so; a matcher must never walk into one.
#pragma once
#include <cstdint>
#include <vector>

#include "grammar/derivative.h"
#include "grammar/regex.h"

namespace puna::grammar {

class Liveness {
 public:
  // max_states: looked at by one search, while the arena holds max_bytes at most; Error{invalid_argument} beyond.
  Liveness(RegexBuilder& arena, Derivatives& derivatives, const ByteClasses& classes, uint64_t max_states,
           const Watch* watch = nullptr, uint64_t max_bytes = uint64_t(64) << 20)
      : arena_(arena),
        derivatives_(derivatives),
        classes_(classes),
        max_states_(max_states),
        max_bytes_(max_bytes),
        watch_(watch) {}

  bool alive(Regex r) {
    if (arena_.plain(r)) return r != arena_.nothing();
    return arena_.nullable(r) || search(r);
  }
  // It matches a string of at least one byte.
  bool goes_on(Regex r);
  size_t bytes_held() const noexcept { return found_.size(); }

 private:
  enum Found : uint8_t { unknown, is_alive, is_dead };
  bool search(Regex r);
  Found at_once(Regex r) const noexcept;
  Regex reduced(Regex r) const noexcept;

  RegexBuilder& arena_;
  Derivatives& derivatives_;
  const ByteClasses& classes_;
  uint64_t max_states_, max_bytes_;
  const Watch* watch_;
  std::vector<uint8_t> found_;  // by expression, as far as was needed
};

}  // namespace puna::grammar
