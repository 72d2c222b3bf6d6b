// split_rules.inl.h -- one splitter for a family of patterns; included by splitters.cpp alone. In the order of the
// alternatives:
//   contraction | [prefix] letters | digits | [space] everything else | white space
// The comments quote the regular expression that each step stands for.
#pragma once
#include "text/unicode/unicode.h"

namespace puna::text {

enum class Contractions : uint8_t {
  none,
  first,           // 's|'t|'re|'ve|'m|'ll|'d  as pieces of their own
  first_any_case,  // (?i:...)
  suffix_any_case  // (?i:...)? at the end of a word
};
enum class Words : uint8_t {
  after_space,  // ' ?\p{L}+'
  after_any,    // '[^\r\n\p{L}\p{N}]?\p{L}+'
  cased         // the same prefix, then upper case before lower case: "JSONParser" is "JSON" "Parser"
};
struct SplitRules {
  Contractions contractions;
  Words words;
  uint8_t digits;  // longest run, as in \p{N}{1,3}; 0: ' ?\p{N}+'
  bool lines;      // line ends stay with what they end: '[\r\n]*' after symbols, '\s*[\r\n]+'
  bool slashes;    // '[\r\n/]*' after symbols
};

inline const char* skip(const char* p, const char* end, uint8_t classes) noexcept {
  while (p < end) {
    const Char c = char_at(p, end);
    if (!c.is(classes)) break;
    p += c.size;
  }
  return p;
}

// Bytes of the contraction at p, which points at an apostrophe; 0: none. Simple case folding adds one letter to the
// ASCII ones: U+017F, the long s, is an s.
inline int contraction(const char* p, const char* end, bool any_case) noexcept {
  const auto letter = [&](int i) -> char {
    if (end - p <= i) return 0;
    return any_case && p[i] >= 'A' && p[i] <= 'Z' ? char(p[i] + 32) : p[i];
  };
  const char a = letter(1), b = letter(2);
  if (a == 's' || a == 't' || a == 'm' || a == 'd') return 2;
  if ((a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l')) return 3;
  return any_case && a == '\xC5' && b == '\xBF' ? 3 : 0;
}

// U = [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}], W = [\p{Ll}\p{Lm}\p{Lo}\p{M}]: the end of U*W+ when it matches at p, otherwise
// of U+W*, which is then the run of U alone; p itself: neither. `cased` tells which.
inline const char* cased_word(const char* p, const char* end, bool& cased) noexcept {
  constexpr uint8_t kBoth = kOtherLetter | kMark;
  const char *q = p, *both = nullptr;  // `both`: where the last character that is in U and in W ends
  Char c{0, 0};
  while (q < end && (c = char_at(q, end)).is(kUpper | kBoth)) {
    q += c.size;
    if (c.is(kBoth)) both = q;
  }
  cased = true;
  if (q < end && c.is(kLower)) return skip(q, end, kLower | kBoth);
  if (both) return both;  // U* gives back until W+ has its one character
  cased = false;
  return q;
}

template <SplitRules R>
const char* end_of_word(const char* p, const char* end) noexcept {
  if constexpr (R.contractions == Contractions::suffix_any_case)
    if (p < end && *p == '\'') p += contraction(p, end, true);
  return p;
}

// The word that starts at p, possibly with a prefix; p itself when there is none.
template <SplitRules R>
const char* word(const char* p, const char* end, Char c) noexcept {
  const char* const next = p + c.size;
  if constexpr (R.words == Words::cased) {
    const bool prefix = !c.is(kLetter | kNumber) && *p != '\r' && *p != '\n';
    bool cased = false, cased_after = false;
    const char* const after = prefix ? cased_word(next, end, cased_after) : next;
    if (prefix && after > next && cased_after) return end_of_word<R>(after, end);
    const char* const here = c.is(kLetter | kMark) ? cased_word(p, end, cased) : p;
    if (here > p && cased) return end_of_word<R>(here, end);
    if (prefix && after > next) return end_of_word<R>(after, end);
    return here > p ? end_of_word<R>(here, end) : p;
  } else {
    if (c.is(kLetter)) return end_of_word<R>(skip(next, end, kLetter), end);
    const bool prefix = R.words == Words::after_space ? *p == ' ' : !c.is(kNumber) && *p != '\r' && *p != '\n';
    const char* const q = prefix ? skip(next, end, kLetter) : next;
    return q > next ? end_of_word<R>(q, end) : p;
  }
}

// '\s*[\r\n]+ | \s+(?!\S) | \s+' at a white space: a run up to its last line end; else without its last character,
// which belongs to the word that follows; else whole.
template <bool lines>
const char* white_space(const char* p, const char* end) noexcept {
  const char *q = p, *last = p, *line_end = nullptr;
  while (q < end) {
    const Char c = char_at(q, end);
    if (!c.is(kSpace)) break;
    last = q;
    q += c.size;
    if (*last == '\r' || *last == '\n') line_end = q;
  }
  if (lines && line_end) return line_end;
  return q == end || last == p ? q : last;
}

template <SplitRules R>
const char* next_piece(const char* p, const char* end) noexcept {
  const Char c = char_at(p, end);
  if constexpr (R.contractions == Contractions::first || R.contractions == Contractions::first_any_case)
    if (*p == '\'')
      if (const int n = contraction(p, end, R.contractions == Contractions::first_any_case)) return p + n;
  if (const char* q = word<R>(p, end, c); q > p) return q;

  const char* const next = p + c.size;
  const bool space = *p == ' ' && next < end;
  const Char d = space ? char_at(next, end) : c;  // what an optional space would lead
  const char* const from = space ? next + d.size : next;
  if constexpr (R.digits == 0) {
    if (d.is(kNumber)) return skip(from, end, kNumber);
  } else if (c.is(kNumber)) {
    const char* q = next;
    for (int i = 1; i < R.digits && q < end && char_at(q, end).is(kNumber); ++i) q += char_at(q, end).size;
    return q;
  }
  if (!d.is(kSpace | kLetter | kNumber)) {
    const char* q = from;
    for (; q < end; q += char_at(q, end).size)
      if (char_at(q, end).is(kSpace | kLetter | kNumber)) break;
    if constexpr (R.lines)
      while (q < end && (*q == '\r' || *q == '\n' || (R.slashes && *q == '/'))) ++q;
    return q;
  }
  return white_space<R.lines>(p, end);
}

}  // namespace puna::text
