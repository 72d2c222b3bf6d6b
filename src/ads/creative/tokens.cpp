#include "ads/creative/tokens.h"

#include <algorithm>

#include "base/utf8.h"
#include "chat/jinja/unicode.h"
#include "puna/text/graphemes.h"
#include "text/normalizer.h"
#include "text/unicode/unicode.h"

namespace puna::ads {
namespace {

using text::char_class;

constexpr uint8_t kWordClasses = text::kLetter | text::kMark | text::kNumber;

struct Code {
  uint32_t code;
  size_t size;
  uint8_t classes;
};
Code code_at(std::string_view text, size_t at) noexcept {
  const Utf8 c = decode_utf8(text.data() + at, text.data() + text.size());
  if (c.status != Utf8::valid) return {0xFFFD, c.size, 0};
  return {c.code, c.size, char_class(c.code)};
}

bool is_apostrophe(uint32_t c) noexcept { return c == '\'' || c == 0x2019; }
bool is_hyphen(uint32_t c) noexcept { return c == '-' || c == 0x2010 || c == 0x2011; }
bool joins_digits(uint32_t c) noexcept { return c == '.' || c == ',' || c == ':' || c == '/' || is_apostrophe(c); }
bool ends_sentence(uint32_t c) noexcept {
  return c == '.' || c == '!' || c == '?' || c == 0x2026 || c == 0x3002 || c == 0xFF01 || c == 0xFF1F || c == 0x61F ||
         c == 0x964 || c == ':' || c == ';' || c == '\n' || c == '|' || c == 0x2022;
}
// Joiners and variation selectors stay inside words; other format characters are invisible.
bool is_joiner(uint32_t c) noexcept { return c == 0x200C || c == 0x200D || (c >= 0xFE00 && c <= 0xFE0F); }

}  // namespace

bool is_letter(uint32_t code) noexcept { return (char_class(code) & text::kLetter) != 0; }
bool is_upper_letter(uint32_t code) noexcept { return (char_class(code) & text::kUpper) != 0; }
uint32_t first_code(std::string_view text) noexcept { return code_at(text, 0).code; }

std::vector<std::string_view> split_text(std::string_view text, char at) {
  std::vector<std::string_view> parts;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(at, begin), text.size());
    if (end > begin || at != ' ') parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

std::string folded(std::string_view text) {
  const std::string normal = text::normal_form(text, true, true);
  std::string out;
  for (size_t at = 0; at < normal.size();) {
    const Code c = code_at(normal, at);
    const bool hidden = c.code == 0xAD || (c.code >= 0x200B && c.code <= 0x200F) || c.code == 0xFEFF;
    if (is_apostrophe(c.code))
      out += '\'';
    else if (c.code == 0xFFFD)
      out.append(normal, at, c.size);
    else if (!hidden)
      jinja::append_lower(out, char32_t(c.code));
    at += c.size;
  }
  return out;
}

std::vector<Token> tokens_of(std::string_view text) {
  std::vector<Token> tokens;
  bool space = true, hyphen = false, sentence = true;
  for (size_t at = 0; at < text.size();) {
    const Code c = code_at(text, at);
    if (c.classes & text::kSpace) {
      space = true;
      hyphen = false;
      if (c.code == '\n') sentence = true;
      at += c.size;
      continue;
    }
    Token t;
    t.begin = at;
    t.space_before = space;
    t.hyphen_before = hyphen;
    const size_t cluster_end = grapheme_end(text, at);
    if (is_emoji_grapheme(text.substr(at, cluster_end - at))) {
      t.kind = Token::emoji;
      t.end = cluster_end;
    } else if (c.classes & kWordClasses) {
      bool letters = false, digits = false;
      while (at < text.size()) {
        const Code now = code_at(text, at);
        const size_t behind = at + now.size;
        const uint8_t next = behind < text.size() ? code_at(text, behind).classes : 0;
        if (now.classes & kWordClasses) {
          letters |= (now.classes & (text::kLetter | text::kMark)) != 0;
          digits |= (now.classes & text::kNumber) != 0;
        } else if (is_apostrophe(now.code) && letters && (next & text::kLetter)) {
        } else if (joins_digits(now.code) && digits && !letters && (next & text::kNumber)) {
        } else if (!is_joiner(now.code)) {
          break;
        }
        at = behind;
      }
      t.kind = letters ? (digits ? Token::mixed : Token::word) : Token::number;
      t.end = at;
    } else {
      t.kind = Token::mark;
      t.end = at + c.size;
      // A hyphen between two words.
      const uint8_t next = t.end < text.size() ? code_at(text, t.end).classes : 0;
      if (is_hyphen(c.code) && !space && !tokens.empty() && tokens.back().is_text() && (next & kWordClasses)) {
        hyphen = true;
        at = t.end;
        continue;
      }
    }
    at = t.end;
    t.folded = folded(text.substr(t.begin, t.end - t.begin));
    t.starts_sentence = sentence && (t.kind == Token::word || t.kind == Token::mixed);  // "No. 1" goes on
    if (t.is_text()) sentence = false;
    if (t.kind == Token::mark && ends_sentence(c.code)) sentence = true;
    tokens.push_back(std::move(t));
    space = hyphen = false;
  }
  return tokens;
}

}  // namespace puna::ads
