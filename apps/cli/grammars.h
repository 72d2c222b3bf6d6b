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

 private:
  bool close_ = false;
  std::string json_schema_, regex_, grammar_, choices_;
  std::vector<Option> options_;  // in that order; a text that is empty is given as well
};

// "the answer is incomplete: --max-tokens cut it"; "" = it ended by itself. cut_by_length: whether --max-tokens counts
// where there is no grammar.
std::string why_incomplete(const GenerateResult& result, bool cut_by_length);
// An answer that a grammar holds and that is cut does not parse: an error. Else a warning, where there is one.
void require_complete(const GenerateResult& result, bool cut_by_length, bool close_answer);

}  // namespace puna::cli
