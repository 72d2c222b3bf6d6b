// The whole JSON-Schema-Test-Suite. A grammar writes keys in the schema's order, so an instance counts as accepted when
// some order of its keys is.
#include <fstream>
#include <map>
#include <set>

#include "grammar/schema_texts.h"
#include "puna/grammar/grammar.h"
#include "support/catch.h"

namespace puna::test {
namespace {

const std::string kFolder = std::string(PUNA_SOURCE_DIR) + "/tests/data/json_schema/";

std::set<std::string> known_differences() {
  std::set<std::string> lines;
  std::ifstream file(kFolder + "differences.txt");
  for (std::string line; std::getline(file, line);)
    if (!line.empty() && line[0] != '#') lines.insert(line);
  return lines;
}

}  // namespace

TEST_CASE("no invalid instance of the JSON Schema suite is accepted, and no valid one is refused but for known reasons",
          "[grammar]") {
  std::set<std::string> differences = known_differences();
  std::set<std::string> met;
  std::ifstream suite(kFolder + "test_suite.jsonl");
  size_t tests = 0, refused_schemas = 0, schemas = 0;
  for (std::string line; std::getline(suite, line);) {
    const OrderedJson item = parse_ordered_json(line, "suite", Watch(), true);
    OrderedJson schema = item["schema"];
    // Each draft is a folder of the suite, whose schemas need not say which they are of.
    if (item["draft"] == "draft7" && schema.is_object() && !schema.contains("$schema"))
      schema["$schema"] = "http://json-schema.org/draft-07/schema#";
    ++schemas;
    GrammarPtr grammar;
    try {
      grammar = grammar_from_json_schema(json_text(schema));
    } catch (const Error& error) {
      CAPTURE(item["description"].get<std::string>(), error.what());
      CHECK((error.status() == Status::unsupported || error.status() == Status::invalid_argument));
      ++refused_schemas;
      continue;
    }
    Matcher matcher = byte_matcher(grammar);
    for (const OrderedJson& test : item["tests"]) {
      bool accepted = false;
      for (const std::string& text : texts_in_every_order(test["data"], 200))
        accepted = accepted || accepts(matcher, text);
      const std::string name = item["file"].get<std::string>() + ": " + item["description"].get<std::string>() + ": " +
                               test["description"].get<std::string>();
      CAPTURE(item["draft"].get<std::string>(), name, json_text(schema), json_text(test["data"]));
      ++tests;
      if (accepted == test["valid"].get<bool>()) continue;
      CHECK_FALSE(accepted);
      CHECK(differences.count(name) == 1);
      met.insert(name);
    }
  }
  CHECK(met == differences);  // a difference that is none any more leaves the list
  CHECK(schemas == 782);
  CHECK(tests > 2900);
  CHECK(refused_schemas < 240);
}

}  // namespace puna::test
