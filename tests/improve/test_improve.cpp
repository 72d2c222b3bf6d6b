// What `puna improve` reads, chooses, labels and says.
#include <algorithm>
#include <set>

#include "base/json.h"
#include "improve/choose.h"
#include "improve/items.h"
#include "improve/labels.h"
#include "improve/report.h"
#include "support/catch.h"
#include "support/files.h"
#include "support/status.h"

using namespace puna;
using namespace puna::improve;
using namespace puna::test;

namespace {

Items of(const std::string& lines) { return read_items(lines, "items.jsonl"); }

Items many(int n, bool answered = true) {
  std::string lines;
  for (int i = 0; i < n; ++i)
    lines += R"({"item":"q)" + std::to_string(i) + R"(","prompt":"Text: t)" + std::to_string(i) +
             R"(\nSubject:","choices":["law","love"])" + (answered ? R"(,"answer":)" + std::to_string(i % 2) : "") +
             "}\n";
  return of(lines);
}

std::vector<Score> scores_of(const Items& items, const std::vector<double>& margins) {
  std::vector<Score> all;
  for (size_t i = 0; i < items.all.size(); ++i) all.push_back({{margins[i], 0}});
  return all;
}

eval::Difference difference(double mean, double low, double high, eval::Verdict verdict) {
  eval::Difference d;
  d.a = "random-200";
  d.b = "margin-140";
  d.task = "regression";
  d.mean.mean = mean;
  d.mean.interval = {low, high};
  d.verdict = verdict;
  return d;
}

}  // namespace

TEST_CASE("items are read from our rows and ARC's, with answers as texts, numbers and letters", "[improve]") {
  const Items items = of(R"({"item":"a","prompt":"Text: red\nIs it:","choices":["x","y"],"answer":"y","cluster":3})"
                         "\n"
                         R"({"item":"b","prompt":"Text: blue sky\nIs it:","choices":["x","y"],"answer":0,"note":"?"})"
                         "\n"
                         R"({"item":"c","prompt":"Text: green\nIs it:","choices":["x","y"],"answer":null})"
                         "\n");
  CHECK(items.all[0].answer == 1);
  CHECK(items.all[0].cluster == "3");
  CHECK(items.all[1].answer == 0);
  CHECK(items.all[2].answer == -1);
  CHECK(items.answered() == 2);
  CHECK(items.all[1].text == "blue sky");  // without what all prompts begin and end with
  REQUIRE(items.notes.size() == 1);
  CHECK(items.notes[0] == "items.jsonl: \"note\" is not read (1 rows)");
  const Items arc =
      of(R"({"id":"M","question":"Which?","choices":{"text":["p","q","r"],"label":["1","2","3"]},"answerKey":"3"})");
  CHECK(arc.all[0].prompt == "Question: Which?\nAnswer:");
  CHECK(arc.all[0].text == "Which?");
  CHECK(arc.all[0].answer == 2);
}

TEST_CASE("rows that cannot be meant are refused with their line", "[improve]") {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"prompt":"p","choices":["a","b"]})", "line 2: \"id\" is missing"},
      {R"({"item":"a","choices":["a","b"]})", "line 2: \"prompt\" is missing"},
      {R"({"item":"a","prompt":"p"})", "line 2: \"choices\" is missing"},
      {R"({"item":"a","prompt":"p","choices":["a"]})", "expected two at least"},
      {R"({"item":"a","prompt":"p","choices":["good","bad"],"answer":"goood"})", "did you mean 'good'"},
      {R"({"item":"a","prompt":"p","choices":["a","b"],"answer":2})", "0 to 1"},
      {R"({"item":"a","prompt":"p","choices":["a",1]})", "a number"},
      {R"({"item":"z","prompt":"p","choices":["a","b"]})", "line 1 already"},
      {R"({"item":"a","prompt":"","choices":["a","b"]})", "\"prompt\" is empty"},
  };
  for (const auto& [row, why] : cases) {
    const std::string said = message_of(
        [&, r = row] { of("{\"item\":\"z\",\"prompt\":\"p\",\"choices\":[\"a\",\"b\"]}\n" + std::string(r) + "\n"); });
    INFO(said);
    CHECK(said.find("items.jsonl, line 2") == 0);
    CHECK(said.find(why) != said.npos);
  }
  CHECK(message_of([] { of(""); }) == "items.jsonl: there is no item in it");
}

TEST_CASE("the weakest go first, and random is the seed's alone", "[improve]") {
  const Items pool = many(6);
  const auto scores = scores_of(pool, {3, 0.1, -2, 0, 1, -0.5});
  CHECK(order_of(pool, scores, Choose::margin, 1) == std::vector<int64_t>{3, 1, 5, 4, 2, 0});
  CHECK(order_of(pool, scores, Choose::entropy, 1) == std::vector<int64_t>{3, 1, 5, 4, 2, 0});
  // q1, q3 and so on are "love", which the positive scores get wrong.
  const auto errors = order_of(pool, scores, Choose::errors, 1);
  CHECK(std::set<int64_t>(errors.begin(), errors.begin() + 3) == std::set<int64_t>{1, 2, 3});
  CHECK(order_of(pool, {}, Choose::random, 1) == order_of(pool, {}, Choose::random, 1));
  CHECK(order_of(pool, {}, Choose::random, 1) != order_of(pool, {}, Choose::random, 2));
  CHECK(message_of([] { choose_of("margn"); }).find("did you mean 'margin'") != std::string::npos);
  const Score three{{-1, -2, -1.5}};
  CHECK(three.best() == 0);
  CHECK(three.margin() > 0);
  CHECK(three.margin() < three.entropy());
}

TEST_CASE("what stands in a test item, or twice in the pool, is not learned", "[improve]") {
  const std::string long_text = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen";
  const std::string_view pool[] = {"the plate was cold and we waited long", "something else altogether, quite short",
                                   "The plate was cold, and we waited long!", long_text, "a test item that is copied"};
  const std::string test = "before it " + long_text + " and behind it so much more that nothing is alike but this";
  const std::string_view tests[] = {"A test item that is copied.", test};
  const Checked c = check_texts(pool, tests);
  CHECK(c.kept == std::vector<uint8_t>{1, 1, 0, 0, 0});
  CHECK(c.duplicates == 1);
  CHECK(c.near_tests == 1);
  CHECK(c.in_tests == 1);
}

TEST_CASE("answers of a file become labels, people's are waited for and decided", "[improve]") {
  const TempFolder folder;
  const auto store = label::open_label_store(folder / "labels.db");
  const Items pool = many(4, false);
  put_labels(*store, pool, {2, 0, 3}, 3, false, "file", 1);
  Decided d = decided_labels(*store, pool, label::Method::majority);
  CHECK(d.waiting == 3);
  const label::Project p = store->project(kProject);
  CHECK(p.labels == std::vector<std::string>{"law", "love"});
  const auto say = [&](const std::string& key, const std::string& by, const std::string& value) {
    label::NewLabel l;
    l.item = store->find(p.id, key)->id;
    l.annotator = by;
    if (value.empty())
      l.source = R"({"skipped":"unclear"})";
    else
      l.value = quoted(value);
    store->append(p.id, {&l, 1});
  };
  for (const char* by : {"ann", "ben", "cyd"}) say("q2", by, by[0] == 'c' ? "law" : "love");
  say("q0", "ann", "law");
  say("q3", "ann", "");
  d = decided_labels(*store, pool, label::Method::majority);
  CHECK(d.waiting == 0);
  CHECK(d.undecided == 1);
  CHECK(d.people == 3);
  CHECK(d.labels == std::vector<std::pair<int64_t, int64_t>>{{2, 1}, {0, 0}});
  CHECK(status_of([&] { decided_labels(*store, many(1), label::Method::majority); }) == Status::bad_file);

  const auto other = label::open_label_store(folder / "answered.db");
  put_labels(*other, many(4), {1, 2}, 1, false, "file", 1);
  CHECK(decided_labels(*other, many(4), label::Method::majority).labels ==
        std::vector<std::pair<int64_t, int64_t>>{{1, 1}, {2, 0}});
}

TEST_CASE("choices of their own stand behind letters", "[improve]") {
  const TempFolder folder;
  const auto store = label::open_label_store(folder / "labels.db");
  const Items pool = of(R"({"item":"a","prompt":"p1","choices":["x","y"],"answer":1})"
                        "\n"
                        R"({"item":"b","prompt":"p2","choices":["u","v","w"],"answer":2})"
                        "\n");
  put_labels(*store, pool, {0, 1}, 1, false, "file", 1);
  const label::Project p = store->project(kProject);
  CHECK(p.labels == std::vector<std::string>{"A", "B", "C"});
  CHECK(Json::parse(store->find(p.id, "b")->data) == Json({{"text", "p2"}, {"A", "u"}, {"B", "v"}, {"C", "w"}}));
  CHECK(decided_labels(*store, pool, label::Method::majority).labels ==
        std::vector<std::pair<int64_t, int64_t>>{{0, 1}, {1, 2}});
}

TEST_CASE("the report claims what the interval allows, and prints what failed", "[improve]") {
  using eval::Verdict;
  const auto regression = [](double mean, double low, double high, Verdict v) {
    return regression_sentence(difference(mean, low, high, v), 0.02);
  };
  CHECK(regression(-0.05, -0.08, -0.02, Verdict::worse).find("has lost on") != std::string::npos);
  CHECK(regression(0.001, -0.015, 0.017, Verdict::cannot_tell).find("has lost nothing") != std::string::npos);
  CHECK(regression(-0.01, -0.04, 0.02, Verdict::cannot_tell).find("a loss of 0.0400 is not excluded") !=
        std::string::npos);
  CHECK(arm_sentence(difference(-0.03, -0.05, -0.01, Verdict::worse)).find("does not reach random-200") !=
        std::string::npos);
  CHECK(arm_sentence(difference(-0.01, -0.03, 0.01, Verdict::cannot_tell)).find("stays below") != std::string::npos);
  CHECK(arm_sentence(difference(0.01, -0.01, 0.03, Verdict::cannot_tell)).find("reaches random-200") !=
        std::string::npos);

  Facts facts{"m.gguf", "pool", "held", "", "sft"};
  eval::Comparison against, none;
  against.differences = {difference(0.01, -0.01, 0.03, Verdict::cannot_tell)};
  against.differences[0].task = "held-out";
  against.differences[0].sentence = "cannot tell whether";
  const std::string text = report_text(facts, {{}}, against, none);
  CHECK(text.find("0 of 1 are better on held-out items at 5 %.") != std::string::npos);
  CHECK(text.find("There was no regression set") != std::string::npos);
}
