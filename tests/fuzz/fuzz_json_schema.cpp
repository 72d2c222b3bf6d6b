// fuzz_json_schema.cpp -- any bytes as a JSON Schema: an error, or a grammar under which no answer comes to a dead end.
#include "target.h"
#include "use_grammar.h"

FUZZ_TARGET(json_schema) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  puna::test::expect_error_only([&] {
    puna::JsonSchemaOptions options;
    options.limits = puna::test::small_limits();
    puna::test::use_grammar(puna::grammar_from_json_schema(text, options), text);
  });
  return 0;
}
