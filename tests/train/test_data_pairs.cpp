// Preference pairs in the forms that people have.
#include "train/data_fixture.h"

using namespace puna;
using namespace puna::test;

namespace test_data_pairs {
namespace {

const std::string kUser = R"({"role": "user", "content": "q"})", kGood = R"({"role": "assistant", "content": "good"})",
                  kBad = R"({"role": "assistant", "content": "bad"})";
const Lines kWant{"<user>q;<assistant>{good;}", "<user>q;<assistant>{bad;}"};

std::string refused(const std::string& row) { return Reading().refusal(row, /*of_pairs=*/true); }

}  // namespace

TEST_CASE("pairs with their prompt as messages, as a text, or as what both answers begin with are the same pairs",
          "[train]") {
  for (
      const std::string& row :
      {"{\"prompt\": [" + kUser + "], \"chosen\": \"good\", \"rejected\": \"bad\"}",
       "{\"prompt\": [" + kUser + "], \"chosen\": [" + kGood + "], \"rejected\": [" + kBad + "]}",
       "{\"prompt\": [" + kUser + "], \"chosen\": " + kGood + ", \"rejected\": " + kBad + "}",
       "{\"chosen\": [" + kUser + "," + kGood + R"(], "rejected": [{"content": "q", "role": "user"},)" + kBad + "]}",
       "{\"prompt\": \"q\", \"chosen\": [" + kUser + "," + kGood + "], \"rejected\": [" + kUser + "," + kBad + "]}",
       "{\"prompt\": \"q\", \"chosen\": [" + kGood + "], \"rejected\": [" + kBad + "]}",
       std::string(R"({"instruction": "q", "input": "", "chosen": "good", "rejected": "bad"})"),
       std::string(
           R"({"conversations": [{"from": "human", "value": "q"}], "chosen": {"from": "gpt", "value": "good"}, "rejected": {"from": "gpt", "value": "bad"}})")}) {
    CAPTURE(row);
    CHECK(Reading().pairs(row) == kWant);
    CHECK(Reading().pairs("[" + row + "]") == kWant);
  }
}

TEST_CASE("texts without a prompt have what they begin with in common as theirs", "[train]") {
  Reading r;
  CHECK(r.pairs(R"({"chosen": "Human: a Assistant: yes", "rejected": "Human: a Assistant: no"})") ==
        Lines{"Human: a Assistant:{ yes$}", "Human: a Assistant:{ no$}"});
  CHECK(r.pairs(R"({"chosen": "aé", "rejected": "aè"})") == Lines{"a{é$}", "a{è$}"});  // never inside a character
  CHECK(says(refused(R"({"chosen": "yes", "rejected": "no"})"), {"line 1", "do not begin alike"}));
}

TEST_CASE("of several answers of a pair, those behind the shared prompt count", "[train]") {
  CHECK(
      Reading().pairs("{\"chosen\": [" + kUser + "," + kGood + "," + kUser + "," + kGood + "], \"rejected\": [" +
                      kUser + "," + kGood + "," + kUser + "," + kBad + "]}") ==
      Lines{"<user>q;<assistant>good;<user>q;<assistant>{good;}", "<user>q;<assistant>good;<user>q;<assistant>{bad;}"});
}

TEST_CASE("pairs whose answers are the same are left out and reported", "[train]") {
  Reading r;
  CHECK(r.pairs(R"({"prompt": "a", "chosen": "b", "rejected": "b"}
{"prompt": "a", "chosen": "b", "rejected": "c"})") == Lines{"a{b$}", "a{c$}"});
  CHECK(says(r.told(), {"two answers are the same", "line 1"}));
}

TEST_CASE("pairs and examples are recognised by their columns", "[train]") {
  CHECK(says(refused("{\"messages\": [" + kUser + "," + kGood + "]}"),
             {"line 1", "no pair of answers", "puna finetune", "\"chosen\", \"rejected\""}));
  CHECK(says(refused(R"({"text": "a"})"), {"no pair of answers"}));
  CHECK(says(refused(R"({"prompt": "a", "chosen": "b"})"), {"'chosen' is there", "'rejected' is missing"}));
  CHECK(says(refused(R"({"prompt": "a", "chosen": "b", "rejcted": "c"})"), {"'rejcted'", "did you mean 'rejected'"}));
  CHECK(says(refused(R"({"question": "a", "chosen": "b", "rejected": "c"})"), {"'question'", "'prompt'"}));
  CHECK(says(refused(R"({"promt": "ab", "chosen": "bc", "rejected": "bd"})"), {"'promt'", "did you mean 'prompt'"}));
  CHECK(
      says(refused(R"({"input": {"messages": []}, "preferred_output": [], "non_preferred_output": []})"), {"OpenAI"}));
  CHECK(says(refused("{\"prompt\": \"other\", \"chosen\": [" + kUser + "," + kGood + "], \"rejected\": [" + kUser +
                     "," + kBad + "]}"),
             {"'prompt' is in none"}));
  CHECK(says(refused("{\"chosen\": [" + kGood + "], \"rejected\": [" + kBad + "]}"), {"no message in common"}));
  CHECK(says(refused("{\"chosen\": \"a\", \"rejected\": [" + kBad + "]}"),
             {"'chosen' is a text, but 'rejected' is a list"}));
}

TEST_CASE("pairs report what the template drops and which columns are unused", "[train]") {
  Reading r;
  r.pairs(
      "{\"prompt\": [" + kUser +
      R"(], "chosen": "a", "rejected": "b", "score_chosen": 3, "tools": [{"type": "function", "function": {"name": "f"}}]})");
  CHECK(r.report.unused_columns == Lines{"score_chosen"});
  CHECK((r.report.lines == 1 && r.report.tokens > 0 && r.report.counted == 4));
}

}  // namespace test_data_pairs
