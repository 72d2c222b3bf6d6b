#include "grammar/json_schema/document.h"
#include "grammar/json_schema/json_in_rules.h"
#include "grammar/json_schema/json_rules.h"
#include "puna/grammar/grammar.h"

namespace puna {
namespace grammar {

Symbol add_json_schema(Builder& build, std::string_view schema, JsonForm form, const JsonSchemaOptions& options,
                       const Watch& watch) {
  PUNA_REQUIRE(options.max_whitespace >= 0 && options.max_whitespace <= 1000,
               "max_whitespace is %d, expected 0 to 1000", options.max_whitespace);
  const JsonNotation notation = form == JsonForm::python_keywords ? JsonNotation::python
                                : form == JsonForm::gemma_members ? JsonNotation::gemma
                                                                  : JsonNotation::json;
  SchemaDocument document(schema, watch);
  JsonRules rules(document, build, options, watch, notation);
  const Parts root{{document.root()}};
  const Symbol symbol = form == JsonForm::json ? rules.value(root) : rules.keywords(root);
  rules.complete();
  if (options.notes) options.notes->insert(options.notes->end(), rules.notes().begin(), rules.notes().end());
  return symbol;
}

}  // namespace grammar

GrammarPtr grammar_from_json_schema(std::string_view schema, const JsonSchemaOptions& options, const Watch& watch) {
  grammar::require_text_within(schema, options.limits);
  std::vector<std::string> notes;
  JsonSchemaOptions noted = options;
  noted.notes = &notes;
  const std::unique_ptr<grammar::Builder> build = grammar::make_builder(options.limits, watch);
  const grammar::Symbol root = grammar::add_json_schema(*build, schema, grammar::JsonForm::json, noted, watch);
  GrammarPtr grammar = build->finish(root);
  if (options.notes) *options.notes = std::move(notes);
  return grammar;
}

GrammarPtr grammar_from_any_json(const JsonSchemaOptions& options, const Watch& watch) {
  return grammar_from_json_schema("true", options, watch);
}

}  // namespace puna
