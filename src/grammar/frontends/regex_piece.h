// regex_piece.h -- a part of an expression with anchors. ^ and $ match no character, they say where in the text a part
// stands; so a part is up to four languages: by whether it must begin where the text begins, and end where it ends.
#pragma once
#include <array>
#include <span>
#include <vector>

#include "grammar/regex.h"

namespace puna::grammar {

struct Piece {
  struct Language {
    bool some = false;      // false: no strings
    bool nullable = false;  // the empty string is one of them
    Regex regex{};
  };
  Language at[2][2];  // [must begin at the beginning][must end at the end]

  bool plain() const noexcept { return !at[0][1].some && !at[1][0].some && !at[1][1].some; }

  static Piece of(Regex regex, bool nullable) {
    Piece piece;
    piece.at[0][0] = {true, nullable, regex};
    return piece;
  }
  static Piece beginning(RegexBuilder& build) {
    Piece piece;
    piece.at[1][0] = {true, true, build.empty()};
    return piece;
  }
  static Piece end(RegexBuilder& build) {
    Piece piece;
    piece.at[0][1] = {true, true, build.empty()};
    return piece;
  }
};

Piece sequence(RegexBuilder& build, std::span<const Piece> parts);
Piece alternatives(RegexBuilder& build, std::span<const Piece> parts);
Piece repeated(RegexBuilder& build, const Piece& piece, uint64_t min, uint64_t max);

}  // namespace puna::grammar
