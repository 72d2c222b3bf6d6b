#include "grammar/frontends/regex_classes.h"

#include <array>
#include <cstdint>
#include <iterator>

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

namespace {

constexpr struct {
  std::string_view brief, name;
  uint8_t classes;
} kRows[] = {{"L", "Letter", text::kLetter}, {"Ll", "Lowercase_Letter", text::kLower}, {"M", "Mark", text::kMark},
             {"N", "Number", text::kNumber}, {"P", "Punctuation", text::kPunctuation}, {"S", "Symbol", text::kSymbol}};
using CategorySets = std::array<CodeSet, std::size(kRows)>;

CategorySets category_sets() {
  CategorySets sets;
  for (size_t row = 0; row < sets.size(); ++row) {
    const auto is_in = [&](uint32_t code) { return (text::char_class(code) & kRows[row].classes) != 0; };
    for (uint32_t code = 0; code <= kLastCode; ++code) {
      if (!is_in(code)) continue;
      const uint32_t first = code;
      while (code < kLastCode && is_in(code + 1)) ++code;
      sets[row].add(first, code);
    }
  }
  return sets;
}

}  // namespace

const CodeSet* find_category(std::string_view name) {
  static const CategorySets sets = category_sets();  // some milliseconds: over all code points, once
  for (size_t row = 0; row < sets.size(); ++row)
    if (name == kRows[row].brief || name == kRows[row].name) return &sets[row];
  return nullptr;
}

}  // namespace puna::grammar
