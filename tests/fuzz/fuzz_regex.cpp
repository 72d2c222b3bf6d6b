// fuzz_regex.cpp -- any bytes as a regular expression.
#include "target.h"
#include "use_grammar.h"

FUZZ_TARGET(regex) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  puna::test::expect_error_only(
      [&] { puna::test::use_grammar(puna::grammar_from_regex(text, puna::test::small_limits()), text); });
  return 0;
}
