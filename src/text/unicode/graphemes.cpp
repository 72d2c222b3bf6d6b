// graphemes.cpp -- the rules GB3 to GB999 of UAX 29, read from left to right: what has gone in front is remembered as
// far as a rule asks for it. Tables: grapheme_tables.inc, Unicode 16.0, written by generate_unicode.py.
#include "puna/text/graphemes.h"

#include <algorithm>
#include <iterator>

#include "base/utf8.h"

namespace puna {
namespace {
#include "text/unicode/grapheme_tables.inc"

enum Break : uint8_t { other, cr, lf, control, extend, zwj, regional, prepend, spacing, l, v, t, lv, lvt };
enum Conjunct : uint8_t { no_conjunct, consonant, linker, conjunct_extend };

struct Property {
  Break cls;
  bool pictographic, wide;
  Conjunct conjunct;
};

Property property_of(uint32_t code) noexcept {
  const size_t i = size_t(std::upper_bound(std::begin(kBreakStart), std::end(kBreakStart), code) - kBreakStart) - 1;
  const uint8_t bits = kBreakValue[i];
  Property p{Break(bits & 15), (bits & 16) != 0, (bits & 128) != 0, Conjunct(bits >> 5 & 3)};
  if (code - 0xAC00 < 11172) p.cls = (code - 0xAC00) % 28 == 0 ? lv : lvt;
  return p;
}

struct Step {
  Utf8 c;
  Property p;
};
Step step_at(std::string_view text, size_t at) noexcept {
  const auto byte = static_cast<unsigned char>(text[at]);
  if (byte >= 0x20 && byte < 0x7F) return {{byte, 1, Utf8::valid}, {other, false, false, no_conjunct}};
  Utf8 c = decode_utf8(text.data() + at, text.data() + text.size());
  if (c.status != Utf8::valid) return {{byte, 1, Utf8::invalid}, {control, false, false, no_conjunct}};
  return {c, property_of(c.code)};
}

bool ends_lines(Break b) noexcept { return b == cr || b == lf || b == control; }

}  // namespace

size_t grapheme_end(std::string_view text, size_t at) noexcept {
  Step last = step_at(text, at);
  at += last.c.size;
  bool joins_picture = last.p.pictographic;              // GB11: ExtPict Extend* ZWJ? so far
  bool consonant_before = last.p.conjunct == consonant;  // GB9c: Consonant [Extend Linker]* so far
  bool linked = false;                                   // with a linker among them
  bool odd_flag = last.p.cls == regional;                // GB12, GB13
  while (at < text.size()) {
    const Step next = step_at(text, at);
    const Break a = last.p.cls, b = next.p.cls;
    bool joins = false;
    if (a == cr && b == lf)
      joins = true;  // GB3
    else if (ends_lines(a) || ends_lines(b))
      joins = false;  // GB4, GB5
    else if ((a == l && (b == l || b == v || b == lv || b == lvt)) || ((a == lv || a == v) && (b == v || b == t)) ||
             ((a == lvt || a == t) && b == t))
      joins = true;  // GB6 to GB8
    else if (b == extend || b == zwj || b == spacing || a == prepend)
      joins = true;  // GB9, GB9a, GB9b
    else if (consonant_before && linked && next.p.conjunct == consonant)
      joins = true;  // GB9c
    else if (joins_picture && a == zwj && next.p.pictographic)
      joins = true;  // GB11
    else if (odd_flag && b == regional)
      joins = true;  // GB12, GB13
    if (!joins) break;

    joins_picture = next.p.pictographic || (joins_picture && a != zwj && (b == extend || b == zwj));
    if (next.p.conjunct == consonant) {
      consonant_before = true;
      linked = false;
    } else if (next.p.conjunct == linker) {
      linked = consonant_before;
    } else if (next.p.conjunct == no_conjunct) {
      consonant_before = false;
    }
    odd_flag = b == regional && !(odd_flag && a == regional);
    last = next;
    at += next.c.size;
  }
  return at;
}

bool is_emoji_grapheme(std::string_view cluster) noexcept {
  size_t at = 0;
  bool first = true;
  while (at < cluster.size()) {
    const Step s = step_at(cluster, at);
    const bool picture = s.p.pictographic && (s.p.wide || s.c.code >= 0x1F000);
    if (s.c.code == 0xFE0F || s.c.code == 0x20E3 || (first && s.p.cls == regional) || picture) return true;
    first = false;
    at += s.c.size;
  }
  return false;
}

bool is_wide_grapheme(std::string_view cluster) noexcept {
  return !cluster.empty() && (step_at(cluster, 0).p.wide || is_emoji_grapheme(cluster));
}

TextLength text_length(std::string_view text) noexcept {
  TextLength length;
  for (size_t at = 0; at < text.size();) {
    const size_t end = grapheme_end(text, at);
    const std::string_view cluster = text.substr(at, end - at);
    ++length.graphemes;
    length.columns += 1 + is_wide_grapheme(cluster);
    for (size_t i = at; i < end;) {
      const Step s = step_at(text, i);
      length.utf16 += s.c.status == Utf8::valid && s.c.code >= 0x10000 ? 2 : 1;
      i += s.c.size;
    }
    at = end;
  }
  return length;
}

}  // namespace puna
