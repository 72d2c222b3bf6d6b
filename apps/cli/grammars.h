// grammars.h -- what an answer may be, from the command line: a schema, a regular expression, a grammar, choices.
#pragma once
#include <string>
#include <vector>

#include "command_line.h"
#include "puna/grammar/grammar.h"
#include "puna/runtime/generate.h"

namespace puna::cli {

// json-schema, regex, gbnf, ebnf, or choices (a JSON list of strings). What constrains nothing is told on standard
// error.
GrammarPtr compile_grammar(const std::string& kind, const std::string& text);
// By the ending of a file's name: .json, .gbnf, .ebnf; "" for any other.
std::string grammar_kind_of(const std::string& path);
// A file's text, without the line's end that an editor puts behind a regular expression.
std::string read_grammar(const std::string& kind, const std::string& path);

class GrammarFlags {
 public:
  void add(const Verb& verb);
  void exclude(const Option& other) const;  // not together with any of them
  // For verbs that answer: --close-answer as well.
  void add_closing(const Verb& verb);
  bool close() const noexcept { return close_; }
  GrammarPtr open() const;  // NULL when none was given
  // Says on standard error that the answer was cut, where it was.
  static void report(const GenerateResult& result);

 private:
  bool close_ = false;
  std::string json_schema_, regex_, grammar_, choices_;
  std::vector<Option> options_;  // in that order; a text that is empty is given as well
};

}  // namespace puna::cli
