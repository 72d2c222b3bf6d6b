// What JSON Schema's suite does not test: numbers by enumeration, spellings of strings, order, white space, errors.
#include <cstdio>
#include <random>

#include "grammar/schema_texts.h"
#include "puna/grammar/grammar.h"
#include "support/catch.h"
#include "support/status.h"

namespace puna::test {
namespace {

GrammarPtr schema(const OrderedJson& json) { return grammar_from_json_schema(json_text(json)); }

}  // namespace

TEST_CASE("bounds of whole numbers let through these numbers and no others", "[grammar]") {
  std::mt19937 random(3);
  for (int round = 0; round < 60; ++round) {
    int low = int(random() % 260) - 130, high = int(random() % 260) - 130;
    if (low > high) std::swap(low, high);
    const int step = round % 3 == 0 ? int(random() % 12) + 1 : 1;
    OrderedJson json = {{"type", "integer"}, {"minimum", low}, {"maximum", high}, {"multipleOf", step}};
    if (round % 4 == 1) json.erase("maximum");
    if (round % 4 == 2) json.erase("minimum");
    GrammarPtr grammar;
    try {
      grammar = schema(json);
    } catch (const Error&) {
      for (int i = low; i <= high; ++i) CHECK(i % step != 0);
      continue;
    }
    Matcher matcher = byte_matcher(grammar);
    for (int i = -1500; i <= 1500; ++i) {
      if (i < -160 && i % 7) continue;
      const bool inside =
          i % step == 0 && (!json.contains("minimum") || i >= low) && (!json.contains("maximum") || i <= high);
      CAPTURE(json_text(json), i);
      CHECK(accepts(matcher, std::to_string(i)) == inside);
    }
    CHECK_FALSE(accepts(matcher, "007"));
  }
}

TEST_CASE("1.0 is an integer from draft 6 on, and none before", "[grammar]") {
  const OrderedJson rules[] = {{{"type", "integer"}},
                               {{"type", "integer"}, {"minimum", -5}},
                               {{"type", "integer"}, {"enum", {1, 7, 10}}},
                               {{"allOf", {{{"type", "integer"}}, {{"type", "number"}, {"maximum", 3}}}}}};
  const std::pair<const char*, bool> drafts[] = {{"http://json-schema.org/draft-03/schema#", false},
                                                 {"http://json-schema.org/draft-04/schema#", false},
                                                 {"http://json-schema.org/draft-06/schema#", true},
                                                 {"http://json-schema.org/draft-07/schema#", true},
                                                 {"https://json-schema.org/draft/2020-12/schema", true}};
  for (const auto& [draft, fraction] : drafts)
    for (OrderedJson json : rules) {
      json["$schema"] = draft;
      CAPTURE(json_text(json));
      const GrammarPtr grammar = schema(json);
      CHECK(accepts(grammar, "1"));
      CHECK(accepts(grammar, "1.0") == fraction);
      for (const char* text : {"1.5", "1e-1", "-", "--1"}) CHECK_FALSE(accepts(grammar, text));
    }
  OrderedJson either = {{"$schema", "http://json-schema.org/draft-04/schema#"}, {"type", {"integer", "number"}}};
  CHECK(accepts(schema(either), "1.0"));
}

TEST_CASE("bounds and multiples of decimals let through these numbers and no others", "[grammar]") {
  std::mt19937 random(5);
  for (int round = 0; round < 40; ++round) {
    const int low = int(random() % 400) - 200, high = low + int(random() % 300);  // hundredths
    const int step = round % 2 ? 5 * (1 + int(random() % 8)) : 1;
    const bool exclusive = round % 3 == 0;
    OrderedJson json = {{"type", "number"}};
    json[exclusive ? "exclusiveMinimum" : "minimum"] = low / 100.0;
    if (round % 5) json[exclusive ? "exclusiveMaximum" : "maximum"] = high / 100.0;
    if (step > 1) json["multipleOf"] = step / 100.0;
    GrammarPtr grammar;
    try {
      grammar = schema(json);
    } catch (const Error&) {
      for (int i = low + exclusive; i <= high - exclusive; ++i) CHECK(i % step != 0);
      continue;
    }
    Matcher matcher = byte_matcher(grammar);
    for (int i = -320; i <= 620; ++i) {
      const bool above = exclusive ? i > low : i >= low, below = round % 5 == 0 || (exclusive ? i < high : i <= high);
      char text[32];
      std::snprintf(text, sizeof text, "%s%d.%02d", i < 0 ? "-" : "", std::abs(i) / 100, std::abs(i) % 100);
      std::string shortest = text;
      while (shortest.back() == '0') shortest.pop_back();
      if (shortest.back() == '.') shortest.pop_back();
      CAPTURE(json_text(json), shortest);
      CHECK(accepts(matcher, shortest) == (above && below && i % step == 0));
    }
  }
}

TEST_CASE("every spelling of a character is the character, to lengths, patterns and negations alike", "[grammar]") {
  const GrammarPtr two = schema({{"type", "string"}, {"minLength", 2}, {"maxLength", 2}});
  for (const char* yes :
       {R"("ab")", R"("\n\u00e9")", "\"\xC3\xA9\xF0\x9F\x98\x80\"", R"("\uD83D\ude00x")", R"("\/\"")"})
    CHECK(accepts(two, yes));
  for (const char* no : {R"("a")", R"("abc")", R"("\uD83D")", "\"a\nb\"", R"("\x")", "\"\xC3\xA9\xA9\""})
    CHECK_FALSE(accepts(two, no));
  const GrammarPtr line = schema({{"type", "string"}, {"pattern", "^a\\nb$"}});
  CHECK(accepts(line, R"("a\nb")"));
  CHECK(accepts(line, R"("a\u000Ab")"));
  const GrammarPtr no_line = schema({{"type", "string"}, {"not", {{"pattern", "\\n"}}}});
  CHECK(accepts(no_line, R"("ab")"));
  CHECK_FALSE(accepts(no_line, R"("a\u000ab")"));
}

TEST_CASE("keys come in the schema's order, each at most once, and commas where they belong", "[grammar]") {
  // Every choice of required keys and every subset of keys.
  const std::vector<std::string> keys{"a", "b", "c", "d"};
  for (unsigned required = 0; required < 16; ++required) {
    for (const bool others : {false, true}) {
      OrderedJson json = {{"type", "object"}, {"required", OrderedJson::array()}, {"additionalProperties", others}};
      for (size_t i = 0; i < keys.size(); ++i) {
        json["properties"][keys[i]] = {{"type", "integer"}};
        if (required >> i & 1) json["required"].push_back(keys[i]);
      }
      const GrammarPtr grammar = schema(json);
      Matcher matcher = byte_matcher(grammar);
      for (unsigned present = 0; present < 32; ++present) {
        std::string text = "{";
        for (size_t i = 0; i < 5; ++i)
          if (present >> i & 1)
            text += std::string(text.size() > 1 ? ", " : "") + "\"" + (i < 4 ? keys[i] : "x") + "\": 1";
        text += "}";
        CAPTURE(json_text(json), text);
        CHECK(accepts(matcher, text) == ((present & required) == required && (others || present < 16)));
      }
      CHECK_FALSE(accepts(matcher, R"({"b": 1, "a": 1, "c": 1, "d": 1})"));
      CHECK_FALSE(accepts(matcher, R"({"a": 1, "b": 1, "c": 1, "d": 1,})"));
    }
  }
}

TEST_CASE("keys come as they are written, also where schemas are combined", "[grammar]") {
  const auto named = [](const char* a, const char* b) {
    return OrderedJson{{"properties", {{a, {{"type", "integer"}}}, {b, {{"type", "integer"}}}}}};
  };
  const OrderedJson first = named("a", "b"), second = named("c", "d"), third = named("e", "f");
  OrderedJson choice = {{"oneOf", OrderedJson::array({first, {{"type", "string"}}})}};
  OrderedJson around = second;
  around["anyOf"] = OrderedJson::array({third, {{"required", {"z"}}}});
  const auto accepts_in_order = [](const OrderedJson& json) {
    Matcher matcher = byte_matcher(schema(json));
    return accepts(matcher, R"({"a":1,"b":1,"c":1,"d":1,"e":1,"f":1})") &&
           !accepts(matcher, R"({"c":1,"d":1,"a":1,"b":1,"e":1,"f":1})") && accepts(matcher, R"({"b":1,"d":1,"f":1})");
  };
  // A choice in front of what follows; own keys in front of a choice's, behind those of allOf and $ref where these
  // stand first; and nested.
  CHECK(accepts_in_order({{"allOf", OrderedJson::array({choice, second, third})}}));
  CHECK(accepts_in_order({{"allOf", OrderedJson::array({first, around})}}));
  OrderedJson behind = {{"allOf", OrderedJson::array({first})}};
  behind.update(second);
  behind["if"] = {{"required", {"c"}}};
  behind["then"] = third;
  behind["else"] = third;
  CHECK(accepts_in_order(behind));
  OrderedJson reference = {{"$defs", {{"first", {{"allOf", OrderedJson::array({choice})}}}}},
                           {"$ref", "#/$defs/first"}};
  reference.update(second);
  reference["dependentSchemas"] = {{"d", third}, {"b", third}};
  CHECK(accepts_in_order(reference));
}

TEST_CASE("the number of keys is counted, known ones and others", "[grammar]") {
  const GrammarPtr grammar =
      schema({{"type", "object"},
              {"properties", {{"a", {{"const", 1}}}, {"b", {{"const", 1}}}, {"c", {{"const", 1}}}}},
              {"additionalProperties", {{"const", 2}}},
              {"minProperties", 2},
              {"maxProperties", 3}});
  for (const char* yes : {R"({"a":1,"c":1})", R"({"x":2,"y":2})", R"({"b":1,"x":2,"y":2})"})
    CHECK(accepts(grammar, yes));
  for (const char* no :
       {"{}", R"({"a":1})", R"({"x":2})", R"({"a":1,"b":1,"c":1,"x":2})", R"({"w":2,"x":2,"y":2,"z":2})"})
    CHECK_FALSE(accepts(grammar, no));
}

TEST_CASE("white space is bounded", "[grammar]") {
  const OrderedJson json = {{"type", "object"}, {"properties", {{"a", {{"type", "array"}}}}}, {"required", {"a"}}};
  const GrammarPtr usual = schema(json);
  CHECK(accepts(usual, "{\n    \"a\": [\n        1,\n        2\n    ]\n}"));
  CHECK_FALSE(accepts(usual, "{\n\n\"a\": []}"));
  CHECK_FALSE(accepts(usual, "{  \"a\": []}"));
  JsonSchemaOptions compact;
  compact.max_whitespace = 0;
  const GrammarPtr tight = grammar_from_json_schema(json_text(json), compact);
  CHECK(accepts(tight, R"({"a":[1,2]})"));
  CHECK_FALSE(accepts(tight, R"({"a": [1,2]})"));
}

TEST_CASE("bounds that nobody can reach cost nothing", "[grammar]") {
  const GrammarPtr grammar = schema({{"type", "array"},
                                     {"maxItems", 1000000000000000000},
                                     {"items", {{"type", "string"}, {"maxLength", 9223372036854775807}}}});
  CHECK(accepts(grammar, R"(["a", "b"])"));
  CHECK_THAT(message_of([] {
               schema({{"type", "array"}, {"minItems", 1000000000000000000}});
             }),
             Catch::Contains("longer than any answer"));
}

TEST_CASE("a schema that refers to itself is one rule", "[grammar]") {
  const GrammarPtr tree = grammar_from_json_schema(
      R"({"$ref": "#/$defs/t", "$defs": {"t": {"type": "array", "items": {"$ref": "#/$defs/t"}}}})");
  CHECK(accepts(tree, "[[], [[], []]]"));
  CHECK_FALSE(accepts(tree, "[[], [1]]"));
  CHECK_THAT(
      message_of([] {
        grammar_from_json_schema(
            R"({"$ref": "#/$defs/t", "$defs": {"t": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/t"}}}})");
      }),
      Catch::Contains("matches no text"));
}

TEST_CASE("an error names the keyword by its JSON pointer, and a typo is told with the nearest keyword", "[grammar]") {
  const auto said = [](const char* text) { return message_of([&] { grammar_from_json_schema(text); }); };
  CHECK_THAT(said(R"({"properties": {"a/b": {"pattern": "("}}})"),
             Catch::Contains("at /properties/a~1b/pattern: regular expression"));
  CHECK_THAT(said(R"({"items": {"uniqueItems": true}})"), Catch::Contains("at /items/uniqueItems: not supported"));
  CHECK_THAT(said(R"({"$ref": "#/nowhere"})"), Catch::Contains("there is no '#/nowhere' in this document"));
  CHECK_THAT(said(R"({"$ref": "https://example.com/x"})"), Catch::Contains("nothing else is fetched"));
  CHECK_THAT(said(R"({"type": "strng"})"), Catch::Contains("there is no type 'strng'"));
  CHECK_THAT(said(R"({"minLength": -1})"), Catch::Contains("at /minLength: expected a whole number"));
  CHECK_THAT(said(R"({"format": "iri"})"), Catch::Contains("at /format: the format 'iri' is not supported"));
  CHECK_THAT(said(R"({"type": "string", "enum": [1]})"), Catch::Contains("matches no text"));
  CHECK_THAT(said(R"([])"), Catch::Contains("expected an object, true or false"));

  std::vector<std::string> notes;
  JsonSchemaOptions options;
  options.notes = &notes;
  grammar_from_json_schema(R"({"maxLenght": 3, "format": "int32", "title": "x"})", options);
  REQUIRE(notes.size() == 2);
  CHECK_THAT(notes[0], Catch::Contains("/maxLenght") && Catch::Contains("did you mean 'maxLength'?"));
  CHECK_THAT(notes[1], Catch::Contains("the format 'int32' is not checked"));
}

}  // namespace puna::test
