#include "grammar/frontends/regex_piece.h"

#include <algorithm>

namespace puna::grammar {
namespace {

void include(RegexBuilder& build, Piece::Language& sum, Regex regex, bool nullable) {
  const Regex both[] = {sum.regex, regex};
  sum.regex = sum.some ? build.either(both) : regex;
  sum.nullable = sum.nullable || nullable;
  sum.some = true;
}

// a, then b. Behind the end of the text, and before its beginning, there is only the empty string.
Piece join(RegexBuilder& build, const Piece& a, const Piece& b) {
  Piece whole;
  for (int begin = 0; begin < 2; ++begin)
    for (int end = 0; end < 2; ++end)
      for (int a_end = 0; a_end < 2; ++a_end)
        for (int b_begin = 0; b_begin < 2; ++b_begin) {
          // Where a must end at the end or b begin at the beginning, the other one's anchors are taken over as well.
          const Piece::Language& x = a.at[begin][a_end];
          const Piece::Language& y = b.at[b_begin][end];
          if (!x.some || !y.some) continue;
          if (a_end == 0 && b_begin == 0) {
            const Regex parts[] = {x.regex, y.regex};
            include(build, whole.at[begin][end], build.concat(parts), x.nullable && y.nullable);
          } else if (a_end == 1 && b_begin == 0) {
            if (y.nullable) include(build, whole.at[begin][1], x.regex, x.nullable);
          } else if (a_end == 0) {
            if (x.nullable) include(build, whole.at[1][end], y.regex, y.nullable);
          } else if (x.nullable && y.nullable) {
            include(build, whole.at[1][1], build.empty(), true);
          }
        }
  return whole;
}

}  // namespace

Piece sequence(RegexBuilder& build, std::span<const Piece> parts) {
  std::vector<Regex> run;  // of plain parts
  bool nullable = true, first = true;
  Piece whole;
  const auto append = [&](const Piece& next) {
    whole = first ? next : join(build, whole, next);
    first = false;
  };
  const auto flush = [&] {
    if (!run.empty()) append(Piece::of(build.concat(run), nullable));
    run.clear();
    nullable = true;
  };
  for (const Piece& part : parts) {
    if (part.plain() && part.at[0][0].some) {
      run.push_back(part.at[0][0].regex);
      nullable = nullable && part.at[0][0].nullable;
    } else {
      flush();
      append(part);
    }
  }
  flush();
  return first ? Piece::of(build.empty(), true) : whole;
}

Piece alternatives(RegexBuilder& build, std::span<const Piece> parts) {
  if (parts.size() == 1) return parts[0];
  Piece whole;
  for (int begin = 0; begin < 2; ++begin)
    for (int end = 0; end < 2; ++end) {
      std::vector<Regex> languages;
      Piece::Language& sum = whole.at[begin][end];
      for (const Piece& part : parts) {
        const Piece::Language& language = part.at[begin][end];
        if (!language.some) continue;
        languages.push_back(language.regex);
        sum.nullable = sum.nullable || language.nullable;
      }
      if (languages.empty()) continue;
      sum.some = true;
      sum.regex = build.either(languages);
    }
  return whole;
}

// Where there are anchors: one that begins at the beginning can only be the first, one that ends at the end the last,
// and between them stand those without.
Piece repeated(RegexBuilder& build, const Piece& piece, uint64_t min, uint64_t max) {
  if (max == 0) return Piece::of(build.empty(), true);
  const Piece::Language plain = piece.at[0][0];
  const auto between = [&](uint64_t others) {  // besides so many at the edges
    const uint64_t least = min - std::min(min, others), most = max == kUnbounded ? max : max - std::min(max, others);
    const bool nullable = least == 0 || plain.nullable;
    if (!plain.some) return least == 0 ? Piece::of(build.empty(), true) : Piece();
    return Piece::of(build.repeat(plain.regex, least, most), nullable);
  };
  const auto part = [&](int begin, int end) {
    Piece one;
    one.at[begin][end] = piece.at[begin][end];
    return one;
  };
  std::vector<Piece> ways{between(0)};
  if (!piece.plain()) {
    const Piece first[] = {part(1, 0), between(1)}, last[] = {between(1), part(0, 1)};
    ways.push_back(sequence(build, first));
    ways.push_back(sequence(build, last));
    if (max > 1) {
      const Piece both[] = {part(1, 0), between(2), part(0, 1)};
      ways.push_back(sequence(build, both));
    }
    if (min <= 1) ways.push_back(part(1, 1));
  }
  return alternatives(build, ways);
}

}  // namespace puna::grammar
