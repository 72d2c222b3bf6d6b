// test_grammar_attacks.cpp -- grammars that strangers send to a server: small texts that would take hours or all memory
// where a list is looked through for each of its elements, or a name is copied for each place below it. Each compiles,
// or is an error, within so many units of work, which are at most a microsecond each (puna/base/watch.h), and so much
// memory.
#include <string>
#include <vector>

#include "attacks/heap_meter.h"
#include "grammar/small_vocabulary.h"
#include "puna/base/error.h"
#include "puna/base/watch.h"
#include "puna/grammar/grammar.h"
#include "puna/grammar/matcher.h"
#include "support/catch.h"

using namespace puna;
using namespace puna::test;

namespace test_grammar_attacks {
namespace {

constexpr uint64_t kMostWork = 8'000'000, kMostWorkAByte = 8;
// Half a million nodes, which is the limit, take some 30 MB, and the JSON a text of 4 MB twice as much.
constexpr size_t kMostMemory = size_t(90) << 20, kMuch = size_t(140) << 20;

std::string times(size_t count, const std::string& text) {
  std::string all;
  all.reserve(count * text.size());
  while (count-- > 0) all += text;
  return all;
}

// make(0), make(1), ... with something between them.
template <class Make>
std::string list(size_t count, Make make, const char* between = ",") {
  std::string all;
  for (size_t i = 0; i < count; ++i) all += (i ? between : "") + make(i);
  return all;
}
const auto number = [](size_t i) { return std::to_string(i * 7919 % 1000003); };
const auto key_name = [](size_t i) { return "\"key" + number(i) + "\""; };

struct Outcome {
  std::string error;
  uint64_t work = 0;
  size_t memory = 0;
  GrammarPtr grammar;
};

template <class Compile>
Outcome compiled(Compile compile) {
  Outcome out;
  uint64_t looks = 0;
  const auto go_on = [&] { return ++looks > 0; };
  const Watch watch{FunctionRef<bool()>(go_on), std::chrono::microseconds(0)};
  const HeapMeter heap;
  try {
    out.grammar = compile(watch);
  } catch (const Error& e) {
    out.error = e.what();
  }
  out.memory = HeapMeter::peak();
  out.work = 256 * looks;  // it is asked once in as many
  return out;
}

struct HostileText {
  const char* what;
  std::string text;
  const char* error;            // "" = it compiles
  std::string answer = {};      // of what compiles: goes on with it
  size_t memory = kMostMemory;  // beyond the text itself
};

template <class Compile>
void check_all(const std::vector<HostileText>& attacks, Compile compile) {
  const GrammarVocabularyPtr vocabulary =
      grammar_vocabulary(small_vocabulary({"<end>", "a", "aaaa", "b", "\"", "{", "\"a", "[", "1", " "}));
  for (const HostileText& attack : attacks) {
    const Outcome out = compiled([&](const Watch& watch) { return compile(attack.text, watch); });
    CAPTURE(attack.what, attack.text.size(), out.work, out.memory, out.error);
    if (*attack.error == '\0')
      CHECK(out.error == "");
    else
      CHECK_THAT(out.error, Catch::Contains(attack.error));
    CHECK(out.work <= kMostWork + kMostWorkAByte * attack.text.size());
    CHECK(out.memory <= attack.memory + attack.text.size());
    if (!out.grammar) continue;
    const HeapMeter heap;
    try {
      Matcher matcher(out.grammar, vocabulary);
      (void)matcher.mask();
      matcher.accept_bytes(attack.answer);
      if (!matcher.ended()) (void)matcher.mask();
    } catch (const Error& e) {  // a step beyond its limit, or a vocabulary that cannot write what comes next
      CHECK(e.status() == Status::invalid_argument);
    }
    CHECK(HeapMeter::peak() <= kMostMemory + attack.text.size());
  }
}

}  // namespace

TEST_CASE("hostile JSON Schemas are errors or compile, cheaply", "[attacks]") {
  const size_t many = 100'000;
  const std::string long_key(2 << 20, 'k');
  const std::string names = list(many, key_name);
  const std::string branches = list(4000, [](size_t i) { return "{\"minProperties\":" + number(i) + "}"; });
  const auto same = [](const char* text) { return [text](size_t) { return std::string(text); }; };
  check_all(
      {
          {"nested 100,000 deep", times(many, "{\"items\":") + "{}" + times(many, "}"), "nested deeper than 64"},
          {"a $ref to itself", R"({"$ref": "#"})", "", "[1"},
          {"a cycle of $refs", R"({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"allOf":
            [{"$ref": "#/$defs/a"}, {"anyOf": [{"$ref": "#/$defs/b"}, {"type": "array"}]}]}}})",
           "", "[1"},
          {"a schema that holds where it does not", R"({"not": {"$ref": "#"}})", ""},
          {"a chain of 50,000 $refs",
           "{\"$ref\":\"#/$defs/0\",\"$defs\":{" +
               list(50'000,
                    [](size_t i) {
                      return "\"" + std::to_string(i) + "\":{\"$ref\":\"#/$defs/" + std::to_string(i + 1) + "\"}";
                    }) +
               ",\"50000\":{\"type\":\"null\"}}}",
           ""},
          {"anyOf of 100,000", "{\"anyOf\":[" + list(many, same("{}")) + "]}", "more than 4096 cases"},
          {"anyOf of anyOf of ...", "{\"allOf\":[" + list(60, same("{\"anyOf\":[{},{},{}]}")) + "]}",
           "more than 4096 cases"},
          {"oneOf of 100,000", "{\"oneOf\":[" + list(many, same("{}")) + "]}", "more than 512 branches"},
          {"oneOf of 500 that overlap", "{\"oneOf\":[" + list(500, same("{}")) + "]}", "matches no text"},
          {"allOf of 100,000", "{\"allOf\":[" + list(many, same("{}")) + "]}", "", "[1"},
          {"not of 100,000 schemas", "{\"not\":{\"allOf\":[" + list(many, same("{}")) + "]}}", "more than 4096 cases"},
          {"a pattern that could be tried for ever", R"({"type": "string", "pattern": "^(a*)*b$"})", "",
           "\"" + std::string(100'000, 'a') + "b\""},
          {"100,000 texts", "{\"enum\":[" + names + "]}", "", "\"key"},
          {"4 MB of texts",
           "{\"enum\":[" + list(4, [](size_t i) { return "\"" + std::string(1 << 20, char('a' + i)) + "\""; }) + "]}",
           "nodes"},
          {"4 MB of numbers", "{\"enum\":[" + list(520'000, number) + "]}", "", "", kMuch},
          {"two lists of 100,000 numbers",
           "{\"allOf\":[{\"enum\":[" + list(many, number) + "]},{\"enum\":[" + list(many, number) + "]}]}", ""},
          {"100,000 numbers and not these",
           "{\"enum\":[" + list(many, number) + "],\"not\":{\"enum\":[" + list(many, number) + "]}}",
           "matches no text"},
          {"not 100,000 texts", "{\"type\":\"string\",\"not\":{\"enum\":[" + names + "]}}", "", "\"key"},
          {"a list of 100,000 texts in each of 4,000 cases",
           "{\"enum\":[" + names + "],\"anyOf\":[" +
               list(4000, [](size_t i) { return "{\"minLength\":" + number(i) + "}"; }) + "]}",
           "repeat lists of more than 32 MiB"},
          {"an array of 100,000 constants", "{\"const\":[" + list(many, number) + "]}", "nodes"},
          {"an object of 100,000 constants",
           "{\"const\":{" + list(many, [](size_t i) { return key_name(i) + ":1"; }) + "}}", "nodes", "", kMuch},
          {"a constant of 60 levels around a megabyte",
           "{\"const\":" + times(60, "[") + "\"" + std::string(1 << 20, 'a') + "\"" + times(60, "]") + "}", "nodes"},
          {"100,000 required keys", "{\"type\":\"object\",\"required\":[" + names + "]}", "nodes"},
          {"100,000 required keys in each of 4,000 cases",
           "{\"type\":\"object\",\"required\":[" + names + "],\"anyOf\":[" + branches + "]}", "nodes"},
          {"100,000 keys one by one",
           "{\"allOf\":[" + list(many, [](size_t i) { return "{\"required\":[" + key_name(i) + "]}"; }) +
               "],\"maxProperties\":3,\"type\":\"object\"}",
           "matches no text"},
          {"30,000 properties, all required",
           "{\"type\":\"object\",\"properties\":{" + list(30'000, [](size_t i) { return key_name(i) + ":{}"; }) +
               "},\"required\":[" + list(30'000, key_name) + "]}",
           "nodes"},
          {"100,000 patterns of keys",
           "{\"type\":\"object\",\"patternProperties\":{" + list(many, [](size_t i) { return key_name(i) + ":{}"; }) +
               "}}",
           "nodes"},
          {"1,000 patterns of keys",
           "{\"type\":\"object\",\"patternProperties\":{" + list(1'000, [](size_t i) { return key_name(i) + ":{}"; }) +
               "}}",
           "more than 8 patterns"},
          {"100,000 dependencies",
           "{\"dependentRequired\":{" + list(many, [](size_t i) { return key_name(i) + ":[\"a\"]"; }) + "}}",
           "more than 4096 cases"},
          {"100,000 keywords that are none", "{" + list(many, [](size_t i) { return key_name(i) + ":1"; }) + "}", "",
           "[1"},
          {"20,000 schemas below a key of 2 MB",
           "{\"type\":\"object\",\"properties\":{\"" + long_key + "\":{\"properties\":{" +
               list(20'000, [](size_t i) { return key_name(i) + ":{\"minimum\":1}"; }) + "}}}}",
           "nodes"},
          {"20,000 resources below a URI of 2 MB",
           "{\"$id\":\"http://" + long_key + "/\",\"$defs\":{" +
               list(20'000, [](size_t i) { return key_name(i) + ":{\"$id\":" + key_name(i) + "}"; }) + "}}",
           "a URI of more than 4096 bytes"},
      },
      [](const std::string& text, const Watch& watch) { return grammar_from_json_schema(text, {}, watch); });
}

TEST_CASE("hostile regular expressions are errors or compile, cheaply", "[attacks]") {
  const std::string as(100'000, 'a');
  check_all(
      {
          {"nested 100,000 deep", times(100'000, "(") + "a" + times(100'000, ")"), "", "a"},
          {"stars nested 100,000 deep", times(100'000, "(") + "a" + times(100'000, ")*"), "", "aaaa"},
          {"(a*)*b", "(a*)*b", "", as + "b"},
          {"(a|a)*b", "(a|a)*b", "", as + "b"},
          {"100,000 alternatives",
           "(?:" +
               list(
                   100'000, [](size_t i) { return "a" + number(i); }, "|") +
               ")",
           "", "a"},
          {"counts of counts", "((((((a{0,999}){0,999}){0,999}){0,999}){0,999}){0,999}){0,999}", "", "a"},
          {"a count of 2^63", "a{9223372036854775807}", "", as},
          {"4 MB of letters", std::string(4 << 20, 'a'), "nodes", "", kMuch},
          {"1,000 optional classes in turn", times(500, "[^a]?[^b]?"), "", "b"},
          {"100,000 optional classes", times(100'000, "[^a]?"), "", "b"},
          {"2 million groups that do not close", times(2'000'000, "("), "more parts than the limit"},
          {"a class 400,000 times", times(400'000, "\\W"), "", "    "},
          {"all letters 20,000 times", times(20'000, "\\p{L}"), "", "abc"},
          {"all letters 700,000 times in a class", "[" + times(700'000, "\\p{L}") + "]", "32 ranges"},
          {"a class of 1,000,000 ranges", "[" + times(1'000'000, "a-c") + "]", "", "a"},
          {"20 sets of all letters in turn, 100,000 times",
           list(
               100'000, [](size_t i) { return "[\\p{L}" + number(i % 20) + "]"; }, ""),
           "32 ranges"},
      },
      [](const std::string& text, const Watch& watch) { return grammar_from_regex(text, {}, watch); });
}

TEST_CASE("hostile GBNF and EBNF are errors or compile, cheaply", "[attacks]") {
  const std::string as(100'000, 'a');
  const std::vector<HostileText> gbnf = {
      {"nested 100,000 deep", "root ::= " + times(100'000, "(") + "\"a\"" + times(100'000, ")") + "\n", "", "a"},
      {"(a*)*b", "root ::= ((\"a\"*)*)* \"b\"\n", "", as + "b"},
      {"100,000 alternatives",
       "root ::= " +
           list(
               100'000, [](size_t i) { return "\"a" + number(i) + "\""; }, " | ") +
           "\n",
       "", "a"},
      {"100,000 rules, each the next one's",
       "root ::= r0\n" +
           [] {
             std::string rules;
             for (int i = 0; i < 100'000; ++i)
               rules += "r" + std::to_string(i) + " ::= r" + std::to_string(i + 1) + "\n";
             return rules + "r100000 ::= \"a\"\n";
           }(),
       "", "a"},
      {"a cycle of rules", "root ::= a | \"a\"\na ::= b\nb ::= a | root\n", "", "a"},
      {"left recursion that is hidden", "root ::= empty root \"a\" | \"a\"\nempty ::= \"\" | \"b\"\n", "", "aaaa"},
  };
  check_all(gbnf, [](const std::string& text, const Watch& watch) { return grammar_from_gbnf(text, {}, watch); });
  check_all({{"nested 100,000 deep", "doc ::= " + times(100'000, "(") + "'a'" + times(100'000, ")") + "\n", "", "a"}},
            [](const std::string& text, const Watch& watch) { return grammar_from_ebnf(text, {}, watch); });
}

}  // namespace test_grammar_attacks
