// constrained.cpp -- what a grammar costs and brings: the same answers decoded plainly and by their JSON Schemas, in
// turns, in one process. Prints JSON; a ratio is tokens a second by the grammar over tokens a second without.
//   constrained MODEL [--threads 1] [--isa LEVEL] [--rounds 5] [--tokens 96] [--cpu-time]
//     --cpu-time: of one thread, where others keep the machine busy
// The answers are the model's own at temperature 1, by the schemas; then each token is made the most likely one, with a
// grammar and without. "schemas": texts, numbers and lists of them, where little is forced; once with the same grammar
// objects again and again, once with new ones each time. "ten keys": an object of which most is forced text.
#include <string>

#include "base/json.h"
#include "bench/bench_options.h"
#include "bench/scripted.h"
#include "puna/grammar/grammar.h"

using namespace puna;
using namespace puna::bench;

namespace {

struct Asked {
  const char *question, *schema;
};

constexpr Asked kSchemas[] = {
    {"Describe a village by the sea.", R"({"type": "object", "additionalProperties": false, "required": ["text"],
      "properties": {"text": {"type": "string", "minLength": 400}}})"},
    {"Three people who live there, with their ages.", R"({"type": "array", "minItems": 3, "maxItems": 3, "items":
      {"type": "object", "additionalProperties": false, "required": ["name", "age", "about"], "properties": {
      "name": {"type": "string", "pattern": "^[A-Z][a-z]+ [A-Z][a-z]+$", "maxLength": 40},
      "age": {"type": "integer", "minimum": 1, "maximum": 120}, "about": {"type": "string", "maxLength": 200}}}})"},
    {"What was caught on each day of the week?", R"({"type": "object", "minProperties": 5, "additionalProperties":
      {"type": "array", "items": {"type": "number"}, "minItems": 4}, "propertyNames": {"pattern": "^[a-z]{4,20}$"}})"},
    {"A letter to the mayor, and what it is about.", R"({"type": "object", "additionalProperties": false, "required":
      ["letter", "topics"], "properties": {"letter": {"type": "string", "minLength": 200, "maxLength": 600},
      "topics": {"type": "array", "items": {"type": "string", "maxLength": 30}, "maxItems": 5}}})"}};

constexpr Asked kTenKeys = {"Fill in the form.",
                            R"({"type": "object", "additionalProperties": false, "required": ["first_name", "last_name",
      "year_of_birth", "country_of_residence", "preferred_language", "newsletter_subscription", "account_type",
      "number_of_children", "has_driving_licence", "comment"], "properties": {
      "first_name": {"type": "string", "maxLength": 12}, "last_name": {"type": "string", "maxLength": 12},
      "year_of_birth": {"type": "integer", "minimum": 1900, "maximum": 2020},
      "country_of_residence": {"enum": ["France", "Germany", "Italy", "Spain"]},
      "preferred_language": {"enum": ["fr", "de", "it", "es"]}, "newsletter_subscription": {"type": "boolean"},
      "account_type": {"enum": ["private", "business"]},
      "number_of_children": {"type": "integer", "minimum": 0, "maximum": 9},
      "has_driving_licence": {"type": "boolean"}, "comment": {"type": "string", "maxLength": 20}}})"};

GrammarPtr grammar_of(const Asked& asked, int32_t whitespace) {
  JsonSchemaOptions options;
  options.max_whitespace = whitespace;
  return grammar_from_json_schema(asked.schema, options);
}

Task task_of(const ModelPtr& model, const Asked& asked, int64_t tokens, int32_t whitespace) {
  // What is asked for stands in the prompt as well: a grammar forbids, it does not explain.
  const std::string chat = R"({"messages": [{"role": "user", "content": )" +
                           quoted(std::string(asked.question) + " Answer in JSON, by this schema: " + asked.schema) +
                           R"(}], "tools": null, "add_generation_prompt": true})";
  Task task;
  task.prompt = model->require_tokenizer().encode_chat(model->render_chat(chat, "2026-11-30"));
  task.grammar = grammar_of(asked, whitespace);
  GenerateOptions o;
  o.grammar = task.grammar;
  o.sampler.temperature = 1;
  o.max_tokens = tokens;
  Session s(model, {});
  task.answer = generate(s, task.prompt, o).tokens;
  return task;
}

// Pairs task by task, the one or the other first in turn, so that what else the machine does meets both.
void compare(const char* name, const ModelPtr& model, std::vector<Task> tasks, int64_t rounds,
             FunctionRef<void(std::vector<Task>&)> before_each) {
  GenerateOptions plain, constrained;
  plain.ignore_eos = true;
  std::vector<double> ratios;
  Run by_grammar, without;
  for (int64_t i = 0; i < rounds; ++i) {
    before_each(tasks);
    for (Task& t : tasks) {
      constrained.grammar = t.grammar;
      Run a, b;
      if (i % 2 == 0) answer(model, t, plain, a);
      answer(model, t, constrained, b);
      if (i % 2 == 1) answer(model, t, plain, a);
      ratios.push_back(b.tokens_per_second() / a.tokens_per_second());
      without.tokens += a.tokens, without.seconds += a.seconds;
      by_grammar.tokens += b.tokens, by_grammar.seconds += b.seconds;
      by_grammar.accepted += b.accepted, by_grammar.rejected += b.rejected;
    }
  }
  printf(
      " \"%s\": {\"without\": %.2f, \"by grammar\": %.2f, \"ratio of all\": %.3f, \"median of pairs\": %.3f, "
      "\"pairs\": "
      "%zu, \"tokens\": %.0f, \"accepted\": %jd, \"rejected\": %jd},\n",
      name, without.tokens_per_second(), by_grammar.tokens_per_second(),
      by_grammar.tokens_per_second() / without.tokens_per_second(), median(ratios), ratios.size(), by_grammar.tokens,
      by_grammar.accepted, by_grammar.rejected);
  fflush(stdout);
}

void run_all(const Words& words) {
  PUNA_REQUIRE(words.rest.size() == 1, "expected MODEL");
  const ModelPtr model = Model::open(context_of(words), words.rest[0]);
  cpu_time = words.has("--cpu-time");
  const int64_t rounds = words.number("--rounds", 5), tokens = words.number("--tokens", 96);
  printf("{\"model\": \"%s\",\n", words.rest[0].c_str());
  std::vector<Task> tasks;
  for (const Asked& asked : kSchemas) tasks.push_back(task_of(model, asked, tokens, 24));
  const auto keep = [](std::vector<Task>&) {};
  const auto renew = [](std::vector<Task>& all) {
    for (size_t i = 0; i < all.size(); ++i) all[i].grammar = grammar_of(kSchemas[i], 24);
  };
  compare("schemas", model, tasks, rounds, keep);
  compare("schemas, new grammars", model, tasks, rounds, renew);
  compare("ten keys", model, {task_of(model, kTenKeys, 400, 24)}, 2 * rounds, keep);
  compare("ten keys, no white space", model, {task_of(model, kTenKeys, 400, 0)}, 2 * rounds, keep);
  printf(" \"rounds\": %jd}\n", rounds);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    run_all(Words(argc, argv, "--threads --isa --rounds --tokens --providers"));
  } catch (const Error& e) {
    fprintf(stderr, "constrained: %s\n", e.what());
    return 1;
  }
}
