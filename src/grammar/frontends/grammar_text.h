// grammar_text.h -- grammars written as text, in three spellings of one language:
//   GBNF (llama.cpp)   root ::= "yes" | [a-z]+ ("," item){0,3}   # comment     a rule ends with its line, root: `root`
//   EBNF (W3C)         doc ::= 'a' | [a-z#x41-#x5A]* /* comment */             a rule ends where the next begins
//   EBNF (ISO 14977)   doc = "a", [ "b" ], { "c" } | item ; (* comment *)      a rule ends with ;
// In all: ( ), |, and behind an item * + ? {n} {n,} {n,m}; in GBNF also <|special token|>.
#pragma once
#include <string_view>

#include "grammar/builder.h"

namespace puna::grammar {

enum class Notation { gbnf, ebnf };

// The root symbol. Error{invalid_argument} "GBNF, line 3, column 7: ..."
Symbol parse_grammar_text(std::string_view text, Notation notation, Builder& build, const Watch& watch);

}  // namespace puna::grammar
