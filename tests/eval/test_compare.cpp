// Comparing runs: what is read, what is refused, what is said.
#include "puna/eval/compare.h"

#include <cmath>
#include <cstdio>

#include "support/catch.h"
#include "support/files.h"
#include "support/status.h"

using namespace puna;
using namespace puna::eval;
using namespace puna::test;

namespace {

std::string answers(int items, int right, const std::string& more = "") {
  std::string lines;
  for (int i = 0; i < items; ++i)
    lines += "{\"item\": \"q" + std::to_string(i) + "\", \"score\": " + (i < right ? "1" : "0") + more + "}\n";
  return lines;
}

Run run_of(const std::string& lines, const std::string& name, const RunOptions& options = {}) {
  return read_run_text(lines, name, "t", options);
}

std::string sample(int id, const char* hash, const char* target, bool right) {
  return "{\"doc_id\": " + std::to_string(id) + R"(, "doc": {"q": "x", "passage": "p)" + std::to_string(id / 3) +
         R"("}, "target": 1, "arguments": {}, "resps": [], "filtered_resps": [], "filter": "none", "metrics": ["acc",)" +
         R"( "acc_norm"], "doc_hash": "d)" + std::to_string(id) + "\", \"prompt_hash\": \"" + hash +
         "\", \"target_hash\": \"" + target + "\", \"acc\": " + (right ? "1.0" : "0.0") + ", \"acc_norm\": 0.5}\n";
}

bool says(const std::string& text, const std::string& part) { return text.find(part) != text.npos; }

}  // namespace

TEST_CASE("a comparison is made of the pairs: counts, means, tests", "[eval]") {
  std::string a, b;
  for (int i = 0; i < 100; ++i) {  // both right on 40, a alone on 10, b alone on 30
    const bool in_a = i < 50, in_b = i < 40 || (i >= 50 && i < 80);
    a += "{\"item\": " + std::to_string(i) + ", \"score\": " + (in_a ? "true" : "false") + "}\n";
    b.insert(0, "{\"item\": " + std::to_string(i) + ", \"score\": " + (in_b ? "1" : "0") + "}\n");  // another order
  }
  const Comparison c = compare_runs({run_of(a, "a"), run_of(b, "b")});
  REQUIRE(c.differences.size() == 1);
  const Difference& d = c.differences[0];
  CHECK(d.mean.mean == Approx(0.2));
  CHECK(d.mean_a.mean == Approx(0.5));
  CHECK(d.mean_b.mean == Approx(0.7));
  REQUIRE(d.discordant);
  CHECK((d.discordant->only_a == 10 && d.discordant->only_b == 30));
  CHECK(d.discordant->p == Approx(mcnemar_exact(10, 30)));
  CHECK(d.verdict == Verdict::better);
  CHECK(d.p_holm == d.mean.p);
  CHECK(says(d.sentence, "b is better than a on t by score: +0.2000"));
  CHECK(d.bootstrap.low < 0.2);
  CHECK(d.bootstrap.high > 0.2);
  const Comparison back = compare_runs({run_of(b, "b"), run_of(a, "a")});
  CHECK(back.differences[0].verdict == Verdict::worse);
  CHECK(back.differences[0].mean.mean == Approx(-0.2));
  CHECK(back.differences[0].mean.p == Approx(d.mean.p));
}

TEST_CASE("a small difference cannot be told, and it is said how many items could tell", "[eval]") {
  const Comparison c = compare_runs({run_of(answers(200, 100), "a"), run_of(answers(200, 101), "b")});
  const Difference& d = c.differences[0];
  CHECK(d.verdict == Verdict::cannot_tell);
  CHECK(d.items_needed > 200);
  CHECK(d.items_needed == items_needed(200, d.detectable, d.mean.mean));
  CHECK(says(d.sentence, "cannot tell whether b is better or worse than a"));
  CHECK(says(text_of(c, {}), "McNemar        A alone right on 0, B alone on 1"));
}

TEST_CASE("an answer that is missing counts as wrong, in a line or without one", "[eval]") {
  const std::string a = answers(10, 5);
  std::string b = answers(8, 8);  // two are not there
  b.replace(b.find("\"score\": 1"), 10, "\"score\": null");
  const Difference d = compare_runs({run_of(a, "a"), run_of(b, "b")}).differences[0];
  CHECK(d.missing_a == 0);
  CHECK(d.missing_b == 3);
  CHECK(d.mean_b.mean == Approx(0.7));
  CHECK(d.mean.items == 10);
  const Difference back = compare_runs({run_of(b, "b"), run_of(a, "a")}).differences[0];
  CHECK((back.missing_a == 3 && back.mean.items == 10));
}

TEST_CASE("a verdict says how few of the items both runs answered", "[eval]") {
  const std::string many = answers(200, 150), few = answers(3, 3);
  const Difference worse = compare_runs({run_of(many, "a"), run_of(few, "b")}).differences[0];
  CHECK(worse.verdict == Verdict::worse);
  CHECK(worse.both == 3);
  CHECK(says(worse.sentence, "only 3 of 200 items have an answer in both, what is missing counts as wrong"));
  CHECK_FALSE(says(compare_runs({run_of(many, "a"), run_of(many, "b")}).differences[0].sentence, "in both"));
}

TEST_CASE("a comparison says the same whatever the unit of the scores", "[eval]") {
  const auto runs = [](int power) {
    std::string a, b;
    for (int i = 0; i < 40; ++i) {
      const std::string item = "{\"item\": " + std::to_string(i) + ", \"score\": ";
      char number[60];
      snprintf(number, sizeof number, "%.17g}\n", std::ldexp(0.25 + 0.01 * (i * 7 % 40), power));
      a += item + number;
      snprintf(number, sizeof number, "%.17g}\n", std::ldexp(0.5 + 0.01 * (i * 11 % 40), power));
      b += item + number;
    }
    return compare_runs({run_of(a, "a"), run_of(b, "b")}).differences[0];
  };
  const Difference one = runs(0);
  const int power = GENERATE(-900, -600, 600);
  const Difference other = runs(power);
  CHECK(other.mean.p == one.mean.p);
  CHECK(other.verdict == one.verdict);
  CHECK(other.correlation == one.correlation);
  CHECK(other.items_needed == one.items_needed);
  CHECK(std::ldexp(other.mean.error, -power) == one.mean.error);
}

TEST_CASE("an interval of a bounded metric ends where the metric does", "[eval]") {
  const auto run = [](const char* metric, double most, const char* name) {
    std::string lines;
    for (int i = 0; i < 6; ++i)
      lines += "{\"item\": " + std::to_string(i) + ", \"metrics\": [\"" + metric +
               "\"], \"cluster\": " + std::to_string(i / 2) + ", \"" + metric +
               "\": " + std::to_string(i < 5 ? 0 : most) + "}\n";
    return run_of(lines, name);
  };
  const std::pair<const char*, double> metrics[] = {{"acc", 1}, {"exact_match", 1}, {"f1", 1}, {"brier_score", 2}};
  for (const auto& [metric, most] : metrics) {
    CAPTURE(metric);
    const Difference d = compare_runs({run(metric, most, "a"), run(metric, most / 2, "b")}).differences[0];
    CHECK(d.mean_a.interval.low == 0);
    CHECK(d.mean_a.interval.high <= most);
    CHECK(d.mean.interval.low >= -most);
  }
  // Shares in percent are no shares of 1.
  CHECK(compare_runs({run("acc", 100, "a"), run("acc", 50, "b")}).differences[0].mean_a.interval.high > 1);
}

TEST_CASE("samples of lm-evaluation-harness are read: metrics, hashes, clusters", "[eval]") {
  std::string a, b;
  for (int i = 0; i < 12; ++i) {
    a += sample(i, "p", "t", i % 2 == 0);
    b += sample(i, "p", "t", i % 3 == 0);
  }
  RunOptions options;
  options.cluster = "passage";
  const Comparison c = compare_runs({run_of(a, "a", options), run_of(b, "b", options)});
  CHECK(c.differences[0].metric == "acc");
  CHECK(c.differences[0].mean.clusters == 4);
  CHECK(c.notes.empty());
  options.metric = "acc_norm";
  CHECK(compare_runs({run_of(a, "a", options), run_of(b, "b", options)}).differences[0].mean.mean == 0);
  options.metric = "acc_nrm";
  CHECK(says(message_of([&] { run_of(a, "a", options); }), "did you mean 'acc_norm'"));
  options = {};
  options.cluster = "passge";
  CHECK(says(message_of([&] { run_of(a, "a", options); }), "a, line 1: there is no field 'passge'"));
  CHECK(task_of_file("out/samples_arc_easy_2026-01-02T03-04-05.678901.jsonl") == "arc_easy");
  CHECK(task_of_file("x/mine.jsonl") == "mine");
}

TEST_CASE("runs that were asked other questions are refused, by what differs", "[eval]") {
  const auto refusal = [](const std::string& a, const std::string& b) {
    return message_of([&] { compare_runs({run_of(a, "a"), run_of(b, "b")}); });
  };
  std::string base, prompts, targets, docs;
  for (int i = 0; i < 4; ++i) {
    base += sample(i, "p", "t", true);
    prompts += sample(i, i == 2 ? "other" : "p", "t", true);
    targets += sample(i, "p", i > 1 ? "other" : "t", true);
    docs += sample(i + 100, "p", "t", true);
  }
  CHECK(says(refusal(base, prompts), "prompts (shots, description, chat template) differ, by the hashes of 1 of 4"));
  CHECK(says(refusal(base, prompts), "the first is '2'"));
  CHECK(says(refusal(base, targets), "targets differ"));
  CHECK(says(refusal(base, docs), "no item together"));
  std::string data = base;
  data.replace(data.find("\"d1\""), 4, "\"dX\"");
  CHECK(says(refusal(base, data), "data differ"));
  std::string filter = base;
  for (size_t at; (at = filter.find("\"filter\": \"none\"")) != filter.npos;)
    filter.replace(at, 16, "\"filter\": \"strict\"");
  CHECK(says(refusal(base, filter), "filters differ, 'none' and 'strict'"));
  CHECK(says(refusal(base, answers(4, 4)), "metrics differ, 'acc' and 'score'"));
  CHECK(refusal(base, base).empty());
}

TEST_CASE("several filters in one file want a choice", "[eval]") {
  std::string both = answers(3, 2, ", \"filter\": \"strict\"") + answers(3, 3, ", \"filter\": \"flexible\"");
  CHECK(says(message_of([&] { run_of(both, "f"); }), "'flexible', 'strict'"));
  RunOptions options;
  options.filter = "strict";
  CHECK(run_of(both, "f", options).tasks[0].items.size() == 3);
  options.filter = "stric";
  CHECK(says(message_of([&] { run_of(both, "f", options); }), "did you mean 'strict'"));
}

TEST_CASE("answers and targets are compared as texts; what is not read is named", "[eval]") {
  const std::string lines =
      "{\"id\": 1, \"answer\": \" Paris\\n\", \"target\": \"Paris\", \"model\": \"x\"}\n"
      "{\"id\": 2, \"answer\": \"paris\", \"target\": \"Paris\"}\n"
      "{\"id\": 3, \"answer\": null, \"target\": \"Rome\"}\n";
  const Run run = run_of(lines, "f");
  REQUIRE(run.tasks[0].items.size() == 3);
  CHECK(run.tasks[0].metric == "exact_match");
  CHECK((run.tasks[0].items[0].score == 1 && run.tasks[0].items[1].score == 0 && run.tasks[0].items[2].missing));
  REQUIRE(run.notes.size() == 1);
  CHECK(says(run.notes[0], "\"model\" is not read"));
}

TEST_CASE("what is wrong with a file is said with its line", "[eval]") {
  const auto wrong = [](const std::string& lines) { return message_of([&] { run_of(lines, "f.jsonl"); }); };
  const std::string good = answers(1, 1);
  CHECK(says(wrong(good + "{\"item\": \"q0\", \"score\": 1}\n"), "f.jsonl, line 2: item 'q0' stands in line 1"));
  CHECK(says(wrong(good + "{\"score\": 1}\n"), "line 2: \"item\" is missing"));
  CHECK(says(wrong(good + "{\"item\": 1}\n"), "line 2: there is no score"));
  CHECK(says(wrong(good + "{\"item\": 1, \"score\": \"x\"}\n"), "line 2: \"score\" is a text, expected a number"));
  CHECK(says(wrong(good + "{\"item\": 1, \"score\": 1e999}\n"), "line 2"));
  for (const char* score : {"1e300", "-1e300"})
    CHECK(says(wrong(good + "{\"item\": 1, \"score\": " + score + "}\n"), "expected a number from -1e+200 to 1e+200"));
  CHECK(says(wrong(good + "{\"item\": 1, \"score\" 1}\n"), "line 2, column 21"));
  CHECK(says(wrong(good + "{\"item\": {}, \"score\": 1}\n"), "\"item\" is an object"));
  CHECK(says(wrong(""), "there is no answer"));
}

TEST_CASE("losses are better when they are lower, and have no number for a missing answer", "[eval]") {
  std::string a, b;
  for (int i = 0; i < 50; ++i) {
    const std::string item = "{\"item\": " + std::to_string(i) + ", \"metrics\": [\"brier_score\"], \"brier_score\": ";
    a += item + std::to_string(0.5 + 0.001 * i) + "}\n";
    b += item + std::to_string(0.4 + 0.001 * ((i * 7) % 50)) + "}\n";
  }
  CHECK(compare_runs({run_of(a, "a"), run_of(b, "b")}).differences[0].verdict == Verdict::better);
  b.resize(b.rfind("{"));
  CHECK(says(message_of([&] { compare_runs({run_of(a, "a"), run_of(b, "b")}); }), "is a loss"));
}

TEST_CASE("tasks are compared by name, Holm corrects over all of them", "[eval]") {
  const auto tasks = [](int x, int y, const char* third) {
    return answers(100, x, ", \"task\": \"one\"") + answers(100, y, ", \"task\": \"two\"") +
           answers(3, 3, (std::string(", \"task\": \"") + third + "\"").c_str());
  };
  const Comparison c = compare_runs({run_of(tasks(50, 50, "three"), "a"), run_of(tasks(56, 60, "four"), "b")});
  REQUIRE(c.differences.size() == 2);
  CHECK(c.differences[0].p_holm >= c.differences[0].mean.p);
  CHECK(c.differences[1].p_holm == Approx(2 * c.differences[1].mean.p));
  REQUIRE(c.notes.size() >= 2);
  CHECK(says(text_of(c, {}), "note: b has no task 'three': not compared"));
  CHECK(says(text_of(c, {}), "note: a has no task 'four': not compared"));
}

TEST_CASE("a folder's newest samples of each task are read", "[eval]") {
  const TempFolder folder;
  write_file(folder / "samples_x_2026-01-02T03-04-05.1.jsonl", sample(0, "p", "t", true) + sample(1, "p", "t", true));
  write_file(folder / "samples_x_2026-01-03T03-04-05.1.jsonl", sample(0, "p", "t", false) + sample(1, "p", "t", true));
  write_file(folder / "results.json", "{}");
  const Run run = read_run(folder.path(), {});
  REQUIRE(run.tasks.size() == 1);
  CHECK(run.tasks[0].task == "x");
  CHECK(run.tasks[0].items[0].score == 0);
  CHECK(run.notes.size() == 1);
  const TempFolder empty;
  CHECK(status_of([&] { read_run(empty.path(), {}); }) == Status::invalid_argument);
}
