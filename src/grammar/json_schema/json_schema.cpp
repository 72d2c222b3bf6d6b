#include "grammar/json_schema/document.h"
#include "grammar/json_schema/json_rules.h"
#include "puna/grammar/grammar.h"

namespace puna {
namespace {

GrammarPtr compile(std::string_view schema, const JsonSchemaOptions& options, const Watch& watch) {
  grammar::SchemaDocument document(schema, watch);
  const std::unique_ptr<grammar::Builder> build = grammar::make_builder(options.limits, watch);
  grammar::JsonRules rules(document, *build, options, watch);
  const grammar::Symbol root = rules.value({{document.root()}});
  rules.complete();
  GrammarPtr grammar = build->finish(root);
  if (options.notes) *options.notes = rules.notes();
  return grammar;
}

}  // namespace

GrammarPtr grammar_from_json_schema(std::string_view schema, const JsonSchemaOptions& options, const Watch& watch) {
  PUNA_REQUIRE(options.max_whitespace >= 0 && options.max_whitespace <= 1000,
               "max_whitespace is %d, expected 0 to 1000", options.max_whitespace);
  return compile(schema, options, watch);
}

GrammarPtr grammar_from_any_json(const JsonSchemaOptions& options, const Watch& watch) {
  return grammar_from_json_schema("true", options, watch);
}

}  // namespace puna
