// json_text.h -- text as JSON writes it inside a string. A character has several spellings: itself, a short escape
// ("\n"), and \uXXXX where encoders are known to use it (not for ASCII letters, digits and most signs). Expressions
// here speak of all spellings of a text, so that intersection and complement mean what they mean for the text itself.
// The same of Python's literals in double quotes and of Gemma 4's texts, which calls of tools are written in.
#pragma once
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "grammar/frontends/code_set.h"
#include "puna/base/watch.h"

namespace puna::grammar {

// Between two lexemes: nothing, one space, or a line break and an indent of at most so many spaces and tabs; 0: always
// nothing. What people and programs write, and no more.
Regex json_space(RegexBuilder& build, int32_t most);

enum class JsonNotation : uint8_t {
  json,
  python,  // None, True, False, and Python's escapes; lists, objects and numbers are the same
  gemma,   // texts as they are between two <|"|>, keys bare; lists, numbers and words are the same
};

class JsonText {
 public:
  explicit JsonText(RegexBuilder& build, JsonNotation notation = JsonNotation::json)
      : notation_(notation), build_(build) {}

  Regex character(const CodeSet& set);          // one character of the set, in any spelling
  Regex any();                                  // any text
  Regex of_length(uint64_t min, uint64_t max);  // characters
  // Of any one of them. A tree by characters, so that each step follows one branch.
  Regex every_spelling(std::span<const std::string> texts);
  Regex quoted(Regex content);  // "content", in the notation's quotes
  // The one spelling that is written for a text that is known: raw where that may be, else the short escape.
  std::string spelling(std::string_view text) const;

 private:
  const JsonNotation notation_;
  std::map<std::vector<std::pair<uint32_t, uint32_t>>, Regex> known_;
  RegexBuilder& build_;
};

}  // namespace puna::grammar
