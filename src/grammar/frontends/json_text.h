// json_text.h -- text as JSON writes it inside a string. A character has several spellings: itself, a short escape
// ("\n"), and \uXXXX where encoders are known to use it (not for ASCII letters, digits and most signs). Expressions
// here speak of all spellings of a text, so that intersection and complement mean what they mean for the text itself.
#pragma once
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "grammar/frontends/code_set.h"
#include "puna/base/watch.h"

namespace puna::grammar {

class JsonText {
 public:
  explicit JsonText(RegexBuilder& build) : build_(build) {}

  Regex character(const CodeSet& set);          // one character of the set, in any spelling
  Regex any();                                  // any text
  Regex of_length(uint64_t min, uint64_t max);  // characters
  Regex every_spelling(std::string_view text);
  Regex quoted(Regex content);  // "content"

 private:
  std::map<std::vector<std::pair<uint32_t, uint32_t>>, Regex> known_;
  RegexBuilder& build_;
};

// The one spelling that is written for a text that is known: raw where JSON allows it, else the short escape.
std::string json_spelling(std::string_view text);
}  // namespace puna::grammar
