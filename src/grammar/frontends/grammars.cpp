// The simple front ends: each builds the intermediate form and freezes it.
#include "grammar/builder.h"
#include "grammar/frontends/grammar_text.h"
#include "grammar/frontends/regex_syntax.h"
#include "puna/base/error.h"
#include "puna/grammar/grammar.h"

namespace puna {

using grammar::Builder;
using grammar::CodeSet;
using grammar::Regex;
using grammar::Symbol;

GrammarPtr grammar_from_regex(std::string_view pattern, const GrammarLimits& limits, const Watch& watch) {
  grammar::require_text_within(pattern, limits);
  const std::unique_ptr<Builder> build = grammar::make_builder(limits, watch);
  grammar::RegexBuilder& regexes = build->regexes();
  const auto character = [&](const CodeSet& set) { return regexes.code_points(set.ranges()); };
  const Regex any = regexes.repeat(character(CodeSet::all()), 0, grammar::kUnbounded);
  const grammar::RegexDialect dialect{.character = character, .any_text = any, .search = false};
  return build->finish(build->lexeme(parse_regex(pattern, regexes, dialect, "the grammar", watch)));
}

GrammarPtr grammar_from_gbnf(std::string_view text, const GrammarLimits& limits, const Watch& watch) {
  grammar::require_text_within(text, limits);
  const std::unique_ptr<Builder> build = grammar::make_builder(limits, watch);
  return build->finish(parse_grammar_text(text, grammar::Notation::gbnf, *build, watch));
}

GrammarPtr grammar_from_ebnf(std::string_view text, const GrammarLimits& limits, const Watch& watch) {
  grammar::require_text_within(text, limits);
  const std::unique_ptr<Builder> build = grammar::make_builder(limits, watch);
  return build->finish(parse_grammar_text(text, grammar::Notation::ebnf, *build, watch));
}

GrammarPtr grammar_from_choices(std::span<const std::string> choices, const GrammarLimits& limits, const Watch& watch) {
  PUNA_REQUIRE(!choices.empty(), "choices: the list is empty, expected at least one");
  const std::unique_ptr<Builder> build = grammar::make_builder(limits, watch);
  const std::vector<std::string_view> words(choices.begin(), choices.end());
  return build->finish(build->lexeme(build->regexes().words(words)));
}

}  // namespace puna
