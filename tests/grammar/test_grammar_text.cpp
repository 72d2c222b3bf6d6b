// GBNF and the two kinds of EBNF.
#include "grammar/schema_texts.h"
#include "puna/grammar/grammar.h"
#include "support/catch.h"
#include "support/status.h"

namespace puna::test {

TEST_CASE("GBNF is read as llama.cpp reads it", "[grammar]") {
  const GrammarPtr list = grammar_from_gbnf(R"(
# a list
root  ::= "[" ws (item ("," ws item)*)? "]"   # a comment
item  ::= "\"" [^"\\\x00-\x1F]* "\""
        | number
number ::= "-"? ([0-9] | [1-9] [0-9]{1,14}) ("." [0-9]+)?
ws ::= [ \t\n]{0,3}
)");
  for (const char* yes : {"[]", "[ ]", "[1]", "[\"a\", -1.5,2]", "[\n  123]"}) CHECK(accepts(list, yes));
  for (const char* no : {"", "[", "[1,]", "[01]", "[    ]", "[\"\n\"]", "[] "}) CHECK_FALSE(accepts(list, no));
}

TEST_CASE("the three notations say the same", "[grammar]") {
  const GrammarPtr grammars[] = {
      grammar_from_gbnf("root ::= \"a\" (\"b\" | \"c\")+ [x-z]? t{2,3}\nt ::= \"t\""),
      grammar_from_ebnf("doc ::= 'a' ('b' | 'c')+ [#x78-z]? t{2,3} /* c */ t ::= #x74"),
      grammar_from_ebnf(
          "doc = 'a', ( 'b' | 'c' ), { 'b' | 'c' }, [ 'x' | 'y' | 'z' ], t, t, [ t ] ; (* c *) t = 't';")};
  for (const GrammarPtr& grammar : grammars) {
    for (const char* yes : {"abtt", "acbxttt", "accctt"}) CHECK(accepts(grammar, yes));
    for (const char* no : {"att", "abt", "abtttt", "abwtt"}) CHECK_FALSE(accepts(grammar, no));
  }
}

TEST_CASE("rules may refer to themselves, on either side", "[grammar]") {
  const GrammarPtr sums = grammar_from_gbnf("root ::= root \"+\" term | term\nterm ::= \"(\" root \")\" | [0-9]+");
  CHECK(accepts(sums, "1+(2+3)+4"));
  CHECK_FALSE(accepts(sums, "1+(2+3"));
  const GrammarPtr right = grammar_from_gbnf("root ::= \"a\" root | \"b\"");
  CHECK(accepts(right, std::string(2000, 'a') + "b"));
}

TEST_CASE("a grammar that cannot be read is an error with its line and column", "[grammar]") {
  const std::pair<const char*, const char*> wrong[] = {
      {"root ::= itm\nitem ::= \"a\"", "GBNF, line 1, column 10: there is no rule 'itm', did you mean 'item'?"},
      {"a ::= \"x\"", "there is no rule 'root'"},
      {"root ::= \"x\nroot", "line 1, column 10: a string is not closed"},
      {"root ::= (\"x\"", "line 1, column 10: a ( is not closed"},
      {"root = \"x\"", "expected ::="},
      {"root ::= \"x\"\nroot ::= \"y\"", "line 2, column 1: the rule 'root' is defined twice"},
      {"root ::= [a", "a [ is not closed"},
      {"root ::= \"\\q\"", "unknown escape"},
      {"root ::= \"a\"{3,2}", "second number"},
      {"root ::= root", "no text"}};
  for (const auto& [text, message] : wrong) {
    CAPTURE(text);
    CHECK_THAT(message_of([&] { grammar_from_gbnf(text); }), Catch::Contains(message));
  }
}

TEST_CASE("choices are exactly these, however many", "[grammar]") {
  std::vector<std::string> choices;
  for (int i = 0; i < 5000; ++i) choices.push_back("choice " + std::to_string(i));
  choices.push_back("");
  const GrammarPtr grammar = grammar_from_choices(choices);
  Matcher matcher = byte_matcher(grammar);
  for (int i = 0; i < 5000; i += 61) CHECK(accepts(matcher, "choice " + std::to_string(i)));
  CHECK(accepts(matcher, ""));
  CHECK_FALSE(accepts(matcher, "choice 5000"));
  CHECK_FALSE(accepts(matcher, "choice "));
}

}  // namespace puna::test
