// clamp.h -- an expression as a text of few bytes sees it: repetition counts that such a text cannot use up are all the
// same. A string of at most 1,000 characters is a new expression after each of them, and one and the same to a mask until
// its end comes near.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "grammar/regex.h"

namespace puna::grammar {

// One for a length. The clamped expression goes on, and may end, after any text of up to `bytes` bytes where the other
// does.
class Clamp {
 public:
  Clamp(RegexBuilder& arena, int bytes) : arena_(arena), most_(uint64_t(bytes) + 1) {}
  Regex of(Regex r);
  size_t bytes_held() const noexcept { return known_.size() * sizeof(uint32_t); }

 private:
  RegexBuilder& arena_;
  uint64_t most_;
  std::vector<uint32_t> known_;  // by expression, kNone
};

// The expression written down, the same for the same expression in any arena; empty where it has more nodes than
// `most_nodes`.
std::string written_down(const RegexBuilder& arena, Regex r, int most_nodes);

}  // namespace puna::grammar
