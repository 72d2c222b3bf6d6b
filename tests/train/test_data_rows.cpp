// Rows of JSON: lines, lists, several lines an object; and where a wrong one is.
#include "train/data_fixture.h"

using namespace puna;
using namespace puna::test;

TEST_CASE("a JSON array, objects over several lines and objects without ends of lines are the same rows as JSON lines",
          "[train]") {
  const Lines want{"a{b$}", "c{d$}"};
  for (const char* text :
       {"{\"prompt\":\"a\",\"completion\":\"b\"}\n{\"prompt\":\"c\",\"completion\":\"d\"}",
        "[{\"prompt\":\"a\",\"completion\":\"b\"},{\"prompt\":\"c\",\"completion\":\"d\"}]",
        "[\n {\n  \"prompt\": \"a\",\n  \"completion\": \"b\"\n },\n {\"prompt\": \"c\",\n  \"completion\": "
        "\"d\"}\n]\n",
        "{\n  \"prompt\": \"a\",\n  \"completion\": \"b\"\n}\n{\n  \"prompt\": \"c\",\n  \"completion\": \"d\"\n}\n",
        "[\n{\"prompt\": \"a\",\n\"completion\":\n\"b\"\n}\n,\n{\"prompt\"\n:\"c\"\n,\"completion\": \"d\"\n}\n]",
        "{\"prompt\":\"a\",\"completion\":\"b\"}{\"prompt\":\"c\",\"completion\":\"d\"}",
        "{\"completion\":\"b\",\"prompt\":\"a\"} {\"completion\":\"d\",\"prompt\":\"c\"}\r\n"}) {
    CAPTURE(text);
    Reading r;
    CHECK(r.rows(text) == want);
    CHECK(r.report.lines == 2);
  }
  Reading one;
  CHECK(one.rows("{\n\"prompt\": \"a\",\n\"completion\": \"b\"}") == Lines{"a{b$}"});  // a file that is one object
}

TEST_CASE("a row that is no JSON is named by file, line and column, with what people write instead", "[train]") {
  const auto of = [](const std::string& text) { return Reading().refusal(text); };
  CHECK(says(of("{\"text\": \"a\"}\n  {\"text\": nul}"), {"data.jsonl, line 2, column 15", "not valid JSON"}));
  CHECK(says(of("{\"text\": \"a\"}\n{\"text\": \"b\" \"c\"}"), {"line 2, column"}));
  CHECK(says(of("{\"prompt\": \"a\", \"completion\": \"b\"\n{\"prompt\": \"c\", \"completion\": \"d\"}\n"),
             {"line 2, column 1", "begins in line 1 is not closed"}));
  CHECK(says(of("{\"text\": \"a\n{\"text\": \"b\"}"), {"line 1, column", "not closed in its line"}));
  CHECK(says(of("{\"text\": \"a\"},\n{\"text\": \"b\"},\n"), {"line 1", "comma behind an object", "[ ... ]"}));
  CHECK(says(of("{\"text\": \"a\", \"score\": NaN}"), {"line 1, column", "JSON has no NaN"}));
  CHECK(says(of("{\"text\": \"a\", \"b\": None}"), {"JSON has no None"}));
  CHECK(says(of("{'text': 'a'}"), {"double quotes"}));
  CHECK(says(of("[\n{\"text\": \"a\"},\n{\"text\": \"b\"}\n"), {"line 1", "list that begins here is not closed"}));
  CHECK(says(of("[{\"text\": \"a\"}\n{\"text\": \"b\"}]"), {"line 2", "expected a comma"}));
  CHECK(says(of("[{\"text\": \"a\"}]\n{\"text\": \"b\"}"), {"line 2", "follows the list that begins in line 1"}));
  CHECK(says(of("[{\"text\": \"a\"},\n 7]"), {"line 2", "list of objects, not a number"}));
  CHECK(says(of("[[\"a\", \"b\"]]"), {"line 1", "list of objects, not a list"}));
  CHECK(says(of("{\"text\": \"a\"}\n\"b\""), {"line 2", "an object a line, not a text"}));
  CHECK(says(of("{\"text\": \"a\", \"x\": {\"k\": 1, \"k\": 2}}"), {"line 1", "'k' stands twice"}));
  CHECK(says(of("{\"text\": \"a\", \"x\": " + std::string(70, '[') + std::string(70, ']') + "}"),
             {"line 1", "nested deeper"}));
}

TEST_CASE("every row is JSON to its end, in columns that nobody uses too", "[train]") {
  CHECK(says(Reading().refusal("{\"text\": \"a\", \"unused\": [1, 2}"), {"line 1, column"}));
  CHECK(says(Reading().refusal("{\"text\": \"a\", \"unused\": 1.}"), {"line 1, column"}));
}

TEST_CASE("a list with nothing in it has no rows, a comma at its end is an error", "[train]") {
  Reading r;
  CHECK(r.rows("[]").empty());
  CHECK(says(r.refusal("[{\"text\": \"a\"},\n]"), {"line 2", "behind the last comma"}));
}

TEST_CASE("escapes and characters of every length are decoded", "[train]") {
  Reading r;
  CHECK(r.rows(R"({"te\u0078t": "\"\\\n\u00e9\ud83d\ude00é😀"})") ==
        Lines{"{\"\\\n\u00e9\U0001F600\u00e9\U0001F600$}"});
}
