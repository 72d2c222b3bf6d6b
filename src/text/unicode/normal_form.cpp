// normal_form.cpp -- NFC, NFD, NFKC, NFKD (Unicode 16.0, section 3.11): decompose, order the marks, and compose again.
// Text below the first character that any form touches passes unchanged, so that English pays nothing.
#include <algorithm>

#include "text/normalizer.h"
#include "text/unicode/unicode.h"

namespace puna::text {
namespace {
#include "text/unicode/normalization_tables.inc"

// Hangul syllables are arithmetic: leading consonant, vowel, optional trailing consonant (section 3.12).
constexpr uint32_t kSyllable = 0xAC00, kLead = 0x1100, kVowel = 0x1161, kTrail = 0x11A7;
constexpr uint32_t kVowels = 21, kTrails = 28, kSyllables = 19 * kVowels * kTrails;

constexpr uint32_t kByte = 0x80000000u;  // a byte that is not part of a character passes through as kByte | byte

// A character's mark (normalizer.h) travels in bits that no code point has.
constexpr uint32_t kMarkShift = 28, kMarks = uint32_t(kMarkContent | kMarkGap) << kMarkShift,
                   kContent = uint32_t(kMarkContent) << kMarkShift, kGap = uint32_t(kMarkGap) << kMarkShift;

template <size_t N>
size_t position(const uint32_t (&sorted)[N], uint32_t key) noexcept {  // N: not there
  const uint32_t* const at = std::lower_bound(sorted, sorted + N, key);
  return at != sorted + N && *at == key ? size_t(at - sorted) : N;
}

uint8_t combining_class(uint32_t code) noexcept {
  const size_t i = position(kCombining, code);
  return i < std::size(kCombining) ? kCombiningClass[i] : 0;
}

void decompose(uint32_t code, bool compatible, std::u32string& out) {
  if (code - kSyllable < kSyllables) {
    const uint32_t s = code - kSyllable, trail = s % kTrails;
    out += char32_t(kLead + s / (kVowels * kTrails));
    out += char32_t(kVowel + s / kTrails % kVowels);
    if (trail) out += char32_t(kTrail + trail);
    return;
  }
  const size_t i = position(kDecomposed, code);
  const size_t length = i == std::size(kDecomposed) ? 0 : compatible ? kCompatibleLength[i] : kCanonicalLength[i];
  if (length == 0) {
    out += char32_t(code);
    return;
  }
  const uint32_t* const to = kDecompositions + (compatible ? kCompatibleStart[i] : kCanonicalStart[i]);
  for (size_t k = 0; k < length; ++k) out += char32_t(to[k]);
}

uint8_t class_of(char32_t c) noexcept { return combining_class(c & ~kMarks); }

// Marks that follow one another are sorted by class, stably. A gap in front of one of them may be anywhere afterwards:
// it counts as content.
void order_marks(std::u32string& text, const Watch& watch) {
  for (size_t i = 0; i < text.size();) {
    watch.tick();
    if (class_of(text[i]) == 0) {
      ++i;
      continue;
    }
    size_t j = i;
    for (; j < text.size() && class_of(text[j]) != 0; ++j)
      if (text[j] & kGap) text[j] |= kContent;
    std::stable_sort(text.begin() + std::ptrdiff_t(i), text.begin() + std::ptrdiff_t(j), [&](char32_t a, char32_t b) {
      watch.tick();
      return class_of(a) < class_of(b);
    });
    i = j;
  }
}

uint32_t composed(uint32_t a, uint32_t b) noexcept {  // 0: the two do not join
  if (a - kLead < 19 && b - kVowel < kVowels) return kSyllable + ((a - kLead) * kVowels + (b - kVowel)) * kTrails;
  if (a - kSyllable < kSyllables && (a - kSyllable) % kTrails == 0 && b - kTrail - 1 < kTrails - 1)
    return a + (b - kTrail);
  const uint32_t *const first = std::lower_bound(kPairFirst, std::end(kPairFirst), a), *const last = std::upper_bound(
                                                                                           first, std::end(kPairFirst),
                                                                                           a);
  const uint32_t* const second = kPairSecond + (first - kPairFirst);
  const uint32_t* const end = second + (last - first);
  const uint32_t* const at = std::lower_bound(second, end, b);
  return at != end && *at == b ? kPairComposed[at - kPairSecond] : 0;
}

// A mark joins the last starter unless something of its own class or a starter stands between them.
void compose_all(std::u32string& text, const Watch& watch) {
  size_t starter = std::u32string::npos, out = 0;
  uint8_t between = 0;  // class of the last character kept after the starter; 0: none, or another starter
  for (size_t i = 0; i < text.size(); ++i) {
    watch.tick();
    const char32_t c = text[i];
    const uint8_t cc = class_of(c);
    const bool adjacent = starter != std::u32string::npos && out == starter + 1;
    if (starter != std::u32string::npos && (adjacent || (between != 0 && between < cc)))
      if (const uint32_t joined = composed(text[starter] & ~kMarks, c & ~kMarks)) {
        text[starter] = joined | (text[starter] & kMarks) | (c & kMarks ? kContent : 0);
        continue;
      }
    if (cc == 0) starter = out;
    between = cc;
    text[out++] = c;
  }
  text.resize(out);
}

}  // namespace

std::string normal_form(std::string_view utf8, bool compatible, bool compose, std::string* marks, const Watch& watch) {
  // The first characters that change: U+00A0 (compatible), U+00C0 (canonical); composing starts with marks, from U+0300
  // on.
  const unsigned char touched = compatible ? 0xC2 : compose ? 0xCC : 0xC3;
  if (std::none_of(utf8.begin(), utf8.end(), [&](char c) { return static_cast<unsigned char>(c) >= touched; }))
    return std::string(utf8);

  std::u32string text;
  text.reserve(utf8.size());
  const char* const end = utf8.data() + utf8.size();
  for (const char* p = utf8.data(); p < end;) {
    watch.tick();
    const Utf8 c = decode_utf8(p, end);
    const size_t first = text.size(), at = size_t(p - utf8.data());
    if (c.status == Utf8::valid) {
      decompose(c.code, compatible, text);
      const auto mark =
          marks ? uint32_t(joined_mark(std::string_view(*marks).substr(at, size_t(c.size)))) << kMarkShift : 0;
      for (size_t k = first; k < text.size(); ++k) text[k] |= k == first ? mark : mark & kContent;
    } else {
      for (int i = 0; i < c.size; ++i)
        text += char32_t(kByte | static_cast<unsigned char>(p[i]) |
                         (marks ? uint32_t((*marks)[at + size_t(i)]) << kMarkShift : 0));
    }
    p += c.size;
  }
  order_marks(text, watch);
  if (compose) compose_all(text, watch);

  std::string out;
  out.reserve(utf8.size());
  if (marks) marks->clear();
  for (const char32_t c : text) {
    const size_t first = out.size();
    if (c & kByte)
      out += char(c & 0xFF);
    else
      append_utf8(out, c & ~kMarks);
    if (!marks) continue;
    marks->append(out.size() - first, char((c & kContent) >> kMarkShift));
    (*marks)[first] = char((c & kMarks) >> kMarkShift);
  }
  return out;
}

}  // namespace puna::text
