#include "grammar/frontends/regex_classes.h"

#include "text/unicode/unicode.h"

namespace puna::grammar {

const CodeSet& digits() {
  static const CodeSet set{{'0', '9'}};
  return set;
}

const CodeSet& word_letters() {
  static const CodeSet set{{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
  return set;
}

const CodeSet& white_space() {
  static const CodeSet set{{'\t', '\r'},     {' ', ' '},       {0xA0, 0xA0},     {0x1680, 0x1680}, {0x2000, 0x200A},
                           {0x2028, 0x2029}, {0x202F, 0x202F}, {0x205F, 0x205F}, {0x3000, 0x3000}, {0xFEFF, 0xFEFF}};
  return set;
}

CodeSet not_line_ends() { return CodeSet{{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}}.complement(); }

const char* const kCategories = "L, Ll, M, N, P, S, Letter, Lowercase_Letter, Mark, Number, Punctuation, Symbol";

bool find_category(std::string_view name, CodeSet& set) {
  static constexpr struct {
    std::string_view brief, name;
    uint8_t classes;
  } kTable[] = {
      {"L", "Letter", text::kLetter}, {"Ll", "Lowercase_Letter", text::kLower}, {"M", "Mark", text::kMark},
      {"N", "Number", text::kNumber}, {"P", "Punctuation", text::kPunctuation}, {"S", "Symbol", text::kSymbol}};
  for (const auto& row : kTable) {
    if (name != row.brief && name != row.name) continue;
    for (uint32_t code = 0; code <= kLastCode; ++code)
      if (text::char_class(code) & row.classes) set.add(code, code);
    set.join();
    return true;
  }
  return false;
}

}  // namespace puna::grammar
