// clamp.h -- an expression as a text of few bytes sees it: repetition counts that such a text cannot use up are all the
// same. A string of at most 1,000 characters is a new expression after each of them, and one and the same to a mask
// until its end comes near.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <utility>

#include "grammar/derivative.h"
#include "grammar/regex.h"

namespace puna::grammar {

// One for a length. The clamped expression goes on, and may end, after any text of up to `bytes` bytes where the other
// does.
class Clamp {
 public:
  Clamp(RegexBuilder& arena, Derivatives& derivatives, const ByteClasses& classes, int bytes)
      : arena_(arena), derivatives_(derivatives), classes_(classes), bytes_(uint64_t(bytes)) {}
  Regex of(Regex r);
  size_t bytes_held() const noexcept {
    return (known_.size() + extents_.size()) * 48 + (ends_within_.size() + included_.size()) * 64;
  }

 private:
  using Known = std::unordered_map<Regex, Regex>;
  // Every maximum above `most` is none, and with `minima_too` every minimum above is `most`. By parts, as far as
  // concatenations, alternatives and repetitions go; what else there is, `inner` does.
  template <class Inner>
  Regex rewritten(Regex r, uint64_t most, bool minima_too, Known& known, Inner&& inner);
  Regex of_intersection(Regex r);
  bool ends_within(Regex r, uint64_t bytes);
  bool is_included(Regex r, Regex in);
  bool is_included_by_parts(Regex r, Regex star);
  bool is_included_by_states(Regex r, Regex in);
  // In bytes: of the shortest match, or less; and of the shortest end that any text may need which a match can begin
  // with, or more.
  struct Extent {
    uint64_t shortest, end;
  };
  Extent extent(Regex r);
  Extent extent_of(Regex r) const;

  RegexBuilder& arena_;
  Derivatives& derivatives_;
  const ByteClasses& classes_;
  uint64_t bytes_;
  Known known_;
  std::unordered_map<Regex, Extent> extents_;
  std::map<std::pair<Regex, uint64_t>, bool> ends_within_;
  std::map<std::pair<Regex, Regex>, bool> included_;
};

// The expression written down, the same for the same expression in any arena; empty where it has more nodes than
// `most_nodes`.
std::string written_down(const RegexBuilder& arena, Regex r, int most_nodes);

}  // namespace puna::grammar
