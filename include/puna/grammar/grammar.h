// grammar.h -- what an answer may be: a JSON Schema, a regular expression, a GBNF or EBNF text, a list of choices, or
// any JSON. Immutable, thread-safe, and independent of any vocabulary. A keyword that is not supported, or that makes
// the grammar empty, is an error that says where: an answer is never constrained by less than was asked for.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "puna/base/watch.h"

namespace puna {

// Bounds of one grammar: counts, never clocks, so that the same text compiles or fails alike on every machine.
struct GrammarLimits {
  uint64_t nodes = 500'000;   // of regular expressions and rules, made by compiling: some 30 MB
  uint64_t states = 250'000;  // of automata and parser columns that one matcher's step, or a compile, may add
  // Derivatives that compiling looks at to see whether an intersection or a negation matches anything.
  uint64_t searched = 20'000;
  uint64_t bytes = 64ull << 20;  // of the compiled form, and of the states that are kept
};

struct JsonSchemaOptions {
  GrammarLimits limits;
  // Between two lexemes of JSON there is nothing, one space, or a line break and at most this many spaces and tabs; 0:
  // always nothing. A small model that may write any white space writes it for ever.
  int32_t max_whitespace = 24;
  // Receives what was found and does not constrain anything: unknown keywords, formats that are not checked.
  std::vector<std::string>* notes = nullptr;
};

class Grammar;
using GrammarPtr = std::shared_ptr<const Grammar>;

// All throw Error{invalid_argument}: the sentence names the place (a JSON pointer, or line and column) and the reason;
// {unsupported} for a keyword that exists and is not supported; {cancelled} by the watch.
GrammarPtr grammar_from_json_schema(std::string_view schema, const JsonSchemaOptions& options = {},
                                    const Watch& watch = Watch());
GrammarPtr grammar_from_any_json(const JsonSchemaOptions& options = {}, const Watch& watch = Watch());
// The whole answer matches (no anchors needed). Syntax: docs/grammars.md.
GrammarPtr grammar_from_regex(std::string_view pattern, const GrammarLimits& limits = {}, const Watch& watch = Watch());
// llama.cpp's GBNF, root rule `root`; and ISO-like EBNF (`name = ...;` or `name ::= ...`), whose first rule is the
// root.
GrammarPtr grammar_from_gbnf(std::string_view text, const GrammarLimits& limits = {}, const Watch& watch = Watch());
GrammarPtr grammar_from_ebnf(std::string_view text, const GrammarLimits& limits = {}, const Watch& watch = Watch());
GrammarPtr grammar_from_choices(std::span<const std::string> choices, const GrammarLimits& limits = {},
                                const Watch& watch = Watch());

}  // namespace puna
