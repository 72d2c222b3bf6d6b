// JSON as hostile files write it: what RFC 8259 does not allow is refused, and so is what it allows but readers
// disagree about.
#include "base/json.h"

#include <cmath>

#include "base/json_out.h"
#include "puna/base/error.h"
#include "support/catch.h"

using namespace puna;

namespace {

bool accepts(const std::string& text) {
  try {
    parse_json(text, "doc");
    return true;
  } catch (const Error& e) {
    CHECK(e.status() == Status::bad_file);
    CHECK(std::string(e.what()).find("doc: ") == 0);
    return false;
  }
}

std::string nested(size_t depth, const std::string& open, const std::string& close, const std::string& core) {
  std::string s;
  for (size_t i = 0; i < depth; ++i) s += open;
  s += core;
  for (size_t i = 0; i < depth; ++i) s += close;
  return s;
}

}  // namespace

TEST_CASE("nesting ends at 64", "[base]") {
  CHECK(accepts(nested(64, "[", "]", "")));
  CHECK_FALSE(accepts(nested(66, "[", "]", "")));
  CHECK(accepts(nested(63, "{\"a\":", "}", "1")));
  CHECK_FALSE(accepts(nested(66, "{\"a\":", "}", "1")));
  CHECK(accepts(nested(31, "[{\"a\":", "}]", "1")));
  CHECK_FALSE(accepts(nested(34, "[{\"a\":", "}]", "1")));
  CHECK_THROWS_WITH(parse_json(nested(100, "[", "]", ""), "doc"), Catch::Contains("deeper than 64"));
  CHECK_FALSE(accepts(std::string(2000000, '[')));  // no stack to overflow
  CHECK_FALSE(accepts(nested(500000, "{\"a\":", "", "")));
}

TEST_CASE("a key may appear once in its object", "[base]") {
  CHECK_THROWS_WITH(parse_json(R"({"a": 1, "b": 2, "a": 3})", "doc"), Catch::Contains("'a' appears twice"));
  CHECK_FALSE(accepts(R"({"x": {"a": 1, "a": 1}})"));
  CHECK_FALSE(accepts(R"([{"a": 1}, {"b": {}, "b": {}}])"));
  CHECK_FALSE(accepts("{\"a\": 1, \"\\u0061\": 2}"));  // the same key, written otherwise
  CHECK(accepts(R"({"a": {"a": {"a": 1}}, "b": {"a": 1}})"));
  CHECK(accepts(R"([{"a": 1}, {"a": 2}])"));
  CHECK_THROWS_AS(parse_ordered_json(R"({"a": 1, "a": 2})", "doc"), Error);
}

TEST_CASE("only JSON is JSON", "[base]") {
  for (const char* text : {"",
                           " ",
                           "{",
                           "}",
                           "[1,]",
                           "{\"a\":1,}",
                           "{a:1}",
                           "{'a':1}",
                           "[1 2]",
                           "nul",
                           "NaN",
                           "Infinity",
                           "-Infinity",
                           "[1] x",
                           "{} {}",
                           "01",
                           "+1",
                           ".5",
                           "1.",
                           "0x10",
                           "// c\n1",
                           "/* c */ 1",
                           "\"a",
                           "\"\t\"",
                           "\"\\x41\"",
                           "\"\\ud800\"",
                           "\"\xff\"",
                           "\"\xc0\xaf\"",
                           "\"\xed\xa0\x80\"",
                           "1e999",
                           "-1e999"})
    CHECK_FALSE(accepts(text));
  for (const std::string& text : {std::string("1\0", 2), std::string("{}\0}", 4), std::string("\0{}", 3)})
    CHECK_FALSE(accepts(text));
  for (const char* text : {"0", "-0", "1e-999", "true", "null", "\"\"", "[]", "{}", " [ 1 , 2 ] ", "\"\\ud83e\\udd99\"",
                           "123456789012345678901234567890"})
    CHECK(accepts(text));
}

TEST_CASE("numbers keep their kind and 64 bits", "[base]") {
  CHECK(parse_json("18446744073709551615", "doc").get<uint64_t>() == UINT64_MAX);
  CHECK(parse_json("-9223372036854775808", "doc").get<int64_t>() == INT64_MIN);
  CHECK(parse_json("1.0", "doc").is_number_float());
  CHECK(parse_json("0.1", "doc").get<double>() == 0.1);
}

TEST_CASE("ordered JSON keeps the written order", "[base]") {
  std::string keys;
  const OrderedJson json = parse_ordered_json(R"({"z": 1, "a": 2, "m": 3})", "doc");
  for (const auto& [key, value] : json.items()) keys += key;
  CHECK(keys == "zam");
}

TEST_CASE("an integer beyond 64 bits keeps its digits when asked to", "[base]") {
  const char* const text =
      R"({"z":123456789012345678901234567890,"a":[-18446744073709551616,18446744073709551615,1e30],"t":"12345678901234567890123","n":null})";
  const OrderedJson exact = parse_ordered_json(text, "doc", Watch(), /*exactly=*/true);
  CHECK(digits_of(exact["z"]) == "123456789012345678901234567890");
  CHECK(digits_of(exact["a"][0]) == "-18446744073709551616");
  CHECK(digits_of(exact["a"][1]).empty());  // 64 bits hold it
  CHECK(digits_of(exact["a"][2]).empty());
  CHECK(digits_of(exact["t"]).empty());
  CHECK(
      json_text(exact) ==
      R"({"z":123456789012345678901234567890,"a":[-18446744073709551616,18446744073709551615,1e+30],"t":"12345678901234567890123","n":null})");
  CHECK(parse_ordered_json(text, "doc")["z"].get<double>() == 123456789012345678901234567890.0);
}

TEST_CASE("a document written by json_text is the one that was read", "[base]") {
  for (const char* text :
       {"1", "\"\"", "[]", "{}", "[[],{},[{}]]", R"({"b":{"\u0000\"":[1.5,true,false,null,"\u00e9\n"]},"a":-1})"}) {
    const OrderedJson json = parse_ordered_json(text, "doc", Watch(), true);
    CHECK(json_text(json) == json.dump());
  }
}

TEST_CASE("a whole number is one that int64_t holds", "[base]") {
  const auto number = [](const char* text) { return whole_number(parse_json(text, "doc")); };
  CHECK(number("-9223372036854775808") == INT64_MIN);
  CHECK(number("9223372036854775807") == INT64_MAX);
  for (const char* text :
       {"9223372036854775808", "18446744073709551615", "1e300", "1.0", "0.5", "-1e300", "\"1\"", "true", "null", "[1]"})
    CHECK_FALSE(number(text));
}

TEST_CASE("a key that appears twice among many is found", "[base]") {
  for (const int n : {15, 16, 17, 18, 1000}) {
    std::string keys;
    for (int i = 0; i < n; ++i) keys += "\"" + std::to_string(i * 7919 % 1009) + "\":" + std::to_string(i) + ",";
    for (const int again : {0, n / 2, n - 1}) {
      const std::string twice = "{" + keys + "\"" + std::to_string(again * 7919 % 1009) + "\":0}",
                        once = "{" + keys + "\"x\":0}";
      CHECK_THROWS_WITH(parse_ordered_json(twice, "doc"), Catch::Contains("appears twice"));
      CHECK_THROWS_WITH(parse_json(twice, "doc"), Catch::Contains("appears twice"));
      CHECK(parse_ordered_json(once, "doc").size() == size_t(n) + 1);
      CHECK(parse_json(once, "doc").size() == size_t(n) + 1);
    }
  }
}

TEST_CASE("what is written as text has the bytes of a tree", "[base]") {
  for (const double x : {0.0, -0.0, 1.0, 1e15, 1e16, 0.1, -1.0 / 3, 5e-324, 1e300, double(INFINITY), double(NAN)})
    CHECK(json_real(x) == OrderedJson(x).dump());
  const std::vector<std::string> texts = {"", "\"\\/\b\n\x01\x7f", "\xc3\xa9 \xe2\x80\xa8"};
  CHECK(json_strings(texts) == OrderedJson(texts).dump());
  CHECK(json_strings({}) == "[]");
  CHECK(json_strings(std::vector<std::string>{"a\xff"}) == "[\"a\xEF\xBF\xBD\"]");
  const OrderedJson tree = {{"b", 1.0}, {"a\"", texts}, {"c", {{"d", nullptr}, {"e", false}}}, {"f", INT64_MIN}};
  CHECK(JsonObject()
            .real("b", 1)
            .json("a\"", json_strings(texts))
            .json("c", JsonObject().real("d", NAN).flag("e", false).str())
            .integer("f", INT64_MIN)
            .str() == tree.dump());
}

TEST_CASE("what is wrong with a document is said in our words, with its line and column", "[base]") {
  const auto said = [](const std::string& text) {
    try {
      parse_json(text, "a.json");
    } catch (const Error& e) {
      CHECK(std::string(e.what()).find("exception") == std::string::npos);
      return std::string(e.what());
    }
    return std::string();
  };
  CHECK(said("{\n  \"a\" 1}") == "a.json: not valid JSON in line 2, column 7: expected ':', not a number");
  CHECK(said("[1,\n2,\n]") == "a.json: not valid JSON in line 3, column 1: expected a value, not ']'");
  CHECK(said("{a: 1}").starts_with("a.json: not valid JSON in line 1, column 2: '{a' is no value: expected"));
  CHECK(said("[1") == "a.json: not valid JSON in line 1, column 3: expected ']', not the end of the document");
  CHECK(said("1 2") == "a.json: not valid JSON in line 1, column 3: expected the end of the document, not a number");
  CHECK(said("[\"a") == "a.json: not valid JSON in line 1, column 4: a text is not closed in its line");
  CHECK(said("\"\xff\"").ends_with("a text has a byte that is no UTF-8"));
  CHECK(said("1e999").ends_with("the number 1e999 is too large for 64 bits"));
  CHECK(said("[-]").find("in a number: ") != std::string::npos);
  CHECK(said("[\"\\x\"]").find("in a text: ") != std::string::npos);
}

TEST_CASE("a file of another kind where JSON is expected is called by its name", "[base]") {
  CHECK_THROWS_WITH(parse_json(std::string("SQLite format 3\0...", 19), "labels.db"),
                    "labels.db: it is an SQLite database, expected JSON");
  CHECK_THROWS_WITH(parse_json("\x1F\x8B\x08", "a.json"), "a.json: it is gzip, expected JSON");
}

TEST_CASE("a text that is no UTF-8 is quoted with marks in its place", "[base]") {
  CHECK(quoted("a\xff") == "\"a\xEF\xBF\xBD\"");
}
