#include "grammars.h"

#include <algorithm>
#include <vector>

#include "base/json.h"
#include "common.h"
#include "interrupt.h"
#include "puna/base/error.h"

namespace puna::cli {
namespace {

std::vector<std::string> choices_of(const std::string& text, const Watch& watch) {
  OrderedJson list;
  const JsonGuard guard(list);
  list = parse_ordered_json(text, "choices", watch);
  PUNA_REQUIRE(list.is_array(), "choices: expected a JSON list of strings");
  std::vector<std::string> choices;
  for (const OrderedJson& choice : list) {
    PUNA_REQUIRE(choice.is_string(), "choices: /%zu: expected a string", choices.size());
    choices.push_back(choice.get<std::string>());
  }
  return choices;
}

GrammarPtr compile(const std::string& kind, const std::string& text, std::vector<std::string>& notes,
                   const Watch& watch) {
  if (kind == "json-schema")
    return grammar_from_json_schema(text, JsonSchemaOptions{.limits = {}, .notes = &notes}, watch);
  if (kind == "regex") return grammar_from_regex(text, {}, watch);
  if (kind == "gbnf") return grammar_from_gbnf(text, {}, watch);
  if (kind == "ebnf") return grammar_from_ebnf(text, {}, watch);
  if (kind == "choices") return grammar_from_choices(choices_of(text, watch), {}, watch);
  fail(Status::invalid_argument, "'%.40s' is no kind of grammar; there are: json-schema, regex, gbnf, ebnf, choices",
       kind.c_str());
}

}  // namespace

GrammarPtr compile_grammar(const std::string& kind, const std::string& text) {
  std::vector<std::string> notes;
  GrammarPtr grammar = stoppable([&](const Watch& watch) { return compile(kind, text, notes, watch); });
  for (const std::string& note : notes) warn(note);
  return grammar;
}

std::string grammar_kind_of(const std::string& path) {
  if (path.ends_with(".json")) return "json-schema";
  if (path.ends_with(".gbnf")) return "gbnf";
  if (path.ends_with(".ebnf")) return "ebnf";
  return "";
}

std::string read_grammar(const std::string& kind, const std::string& path) {
  std::string text = read_input(path);
  if (kind == "regex" && text.ends_with('\n')) text.pop_back();
  if (kind == "regex" && text.ends_with('\r')) text.pop_back();
  return text;
}

void GrammarFlags::add(const Verb& verb) {
  const Option schema =
      verb.option("--json-schema", json_schema_, "the answer is JSON by the schema in this file; - is standard input");
  const Option pattern = verb.option("--regex", regex_, "the whole answer matches this regular expression");
  const Option file = verb.option(
      "--grammar", grammar_, "the answer is by the grammar in this file: GBNF, or EBNF where its name ends in .ebnf");
  const Option list = verb.option("--choices", choices_, "the answer is one of these texts: A,B,C");
  pattern.excludes(schema);
  file.excludes(schema).excludes(pattern);
  list.excludes(schema).excludes(pattern).excludes(file);
  options_ = {schema, pattern, file, list};
}

void GrammarFlags::add_closing(const Verb& verb) {
  verb.flag("--close-answer", close_,
            "where --max-tokens would cut an answer in the middle of what its grammar asks for, its last tokens write "
            "the shortest end it can have");
}

void GrammarFlags::exclude(const Option& other) const {
  for (const Option& option : options_) other.excludes(option);
}

GrammarPtr GrammarFlags::open() const {
  if (options_[0].given()) return compile_grammar("json-schema", read_grammar("json-schema", json_schema_));
  if (options_[1].given()) return compile_grammar("regex", regex_);
  if (options_[2].given()) {
    const std::string kind = grammar_.ends_with(".ebnf") ? "ebnf" : "gbnf";
    return compile_grammar(kind, read_grammar(kind, grammar_));
  }
  if (!options_[3].given()) return nullptr;
  std::vector<std::string> list;
  for (size_t from = 0; from <= choices_.size();) {
    const size_t comma = std::min(choices_.find(',', from), choices_.size());
    list.push_back(choices_.substr(from, comma - from));
    from = comma + 1;
  }
  return stoppable([&](const Watch& watch) { return grammar_from_choices(list, {}, watch); });
}

std::string why_incomplete(const GenerateResult& result, bool cut_by_length) {
  const char* why = result.whole ? "" : "it was ended early";
  if (result.reason == StopReason::context_full) why = "the context is full (--ctx)";
  if (result.reason == StopReason::max_tokens && (cut_by_length || !result.whole)) why = "--max-tokens cut it";
  return *why ? std::string("the answer is incomplete: ") + why : "";
}

void require_complete(const GenerateResult& result, bool cut_by_length, bool close_answer) {
  const std::string why = why_incomplete(result, cut_by_length);
  if (!result.whole)
    fail(Status::wrong_state, "%s (%s)", why.c_str(),
         close_answer ? "so few tokens do not hold the shortest answer" : "--close-answer ends it in time");
  if (!why.empty()) warn(why);
}

}  // namespace puna::cli
