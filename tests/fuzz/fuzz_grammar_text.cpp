// fuzz_grammar_text.cpp -- any bytes as GBNF (the first byte is even) or EBNF.
#include "target.h"
#include "use_grammar.h"

FUZZ_TARGET(grammar_text) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  puna::test::expect_error_only([&] {
    const puna::GrammarLimits limits = puna::test::small_limits();
    puna::test::use_grammar(
        data[0] % 2 == 0 ? puna::grammar_from_gbnf(text, limits) : puna::grammar_from_ebnf(text, limits), text);
  });
  return 0;
}
