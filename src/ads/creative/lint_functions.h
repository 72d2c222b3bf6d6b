// lint_functions.h -- the rules that are no patterns of words: what rules.inc calls "function".
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ads/creative/tokens.h"
#include "puna/ads/lint.h"

namespace puna::ads {

struct LintText {
  std::string_view text;
  std::vector<Token> tokens;
  std::string_view of(const Token& t) const { return text.substr(t.begin, t.end - t.begin); }
  // `word` is one of a rule's own words, which are sorted.
  static bool listed(std::span<const std::string> words, std::string_view word);
};

struct LintSpan {
  size_t begin, end;
  std::string detail;  // behind the rule's reason
};

// `words`: of the rule, folded and sorted.
using LintFunction = void (*)(const LintText& text, const LintContext& context, std::span<const std::string> words,
                              std::vector<LintSpan>& to);

struct NamedLintFunction {
  const char* name;
  LintFunction run;
};
std::span<const NamedLintFunction> lint_functions();

}  // namespace puna::ads
