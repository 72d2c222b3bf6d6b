// The sources of drafts by themselves: what prompt lookup finds, how long a draft is worth being, what drafts may cost.
#include <algorithm>
#include <random>

#include "runtime/generate/draft_length.h"
#include "runtime/generate/prompt_lookup.h"
#include "runtime/generate/space_habit.h"
#include "support/catch.h"

using namespace puna;

namespace test_drafts {
namespace {

using Ids = std::vector<int32_t>;

Ids proposed(PromptLookup& lookup, const Ids& history, int64_t most = 8) {
  Draft draft;
  CHECK(lookup.propose({.history = history, .most = most, .credit = 100}, draft, {}));
  CHECK(draft.cost == 0);
  return draft.tokens;
}

// The length of the longest match, at most 64, that the last tokens have before; 0 below three.
int64_t longest(const Ids& h) {
  int64_t best = 0;
  for (size_t end = 1; end < h.size(); ++end) {
    int64_t n = 0;
    while (n < 64 && size_t(n) < end && h[end - 1 - size_t(n)] == h[h.size() - 1 - size_t(n)]) ++n;
    best = std::max(best, n);
  }
  return best < 3 ? 0 : best;
}

}  // namespace

TEST_CASE("white space is guessed to be as it was behind the same mark, outside of strings", "[runtime]") {
  SpaceHabit habit;
  habit.read("{");
  CHECK(habit.guess("") == "");
  CHECK(habit.guess("\"a\"") == "");
  CHECK(habit.guess("\"a\":") == " ");
  habit.read("\n  \"a\":\t\"x, \\\"y: , z\"");
  CHECK(habit.guess("") == "");
  CHECK(habit.guess(",") == " ");  // not seen yet: the one in the string does not count
  CHECK(habit.guess("{") == "\n  ");
  CHECK(habit.guess(", \"b\":") == "\t");
  habit.read(",\n  ");
  CHECK(habit.guess("") == "");  // all of it has come
  habit.read("\"b\": 1,\n");
  CHECK(habit.guess("") == "  ");
  CHECK(habit.guess("  \"c\":") == " ");  // the last one counts
  habit.forget();
  CHECK(habit.guess("{") == "");
}

TEST_CASE("a lookup continues the longest match as it went on before", "[runtime]") {
  PromptLookup lookup(8);
  const Ids history = {1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 2, 3, 4, 50, 51, 1, 2, 3, 4};
  const Ids got = proposed(lookup, history);
  REQUIRE(!got.empty());
  CHECK(got[0] == 5);  // behind 1 2 3 4, not behind the later 2 3 4
  CHECK(proposed(lookup, {1, 2}).empty());
}

TEST_CASE("a lookup goes round with a text that repeats itself", "[runtime]") {
  PromptLookup lookup(8);
  Ids history;
  for (int i = 0; i < 40; ++i) history.push_back(7 + i % 3);
  const Ids got = proposed(lookup, history);
  REQUIRE(got.size() == 8);
  for (size_t i = 0; i < got.size(); ++i) CHECK(got[i] == int32_t(7 + (40 + i) % 3));
}

TEST_CASE("a lookup that grows token by token finds what a search of the whole finds", "[runtime]") {
  std::mt19937 random(5);
  const int vocabulary = GENERATE(2, 4, 9);
  PromptLookup grown(4);
  Ids history;
  int found = 0;
  for (int i = 0; i < 700; ++i) {
    history.push_back(int32_t(random() % unsigned(vocabulary)));
    if (i % 5 == 3) continue;  // as after accepted drafts: several new tokens at once
    const Ids got = proposed(grown, history);
    PromptLookup fresh(4);
    REQUIRE(proposed(fresh, history).size() == got.size());
    REQUIRE(got.empty() == (longest(history) == 0));
    if (got.empty()) continue;
    ++found;
    // What was proposed stood behind the last three tokens before.
    Ids expected(history.end() - 3, history.end());
    expected.push_back(got[0]);
    REQUIRE(std::search(history.begin(), history.end(), expected.begin(), expected.end()) != history.end());
  }
  CHECK(found > 20);
}

TEST_CASE("a lookup that forgot its history starts again with another", "[runtime]") {
  PromptLookup lookup(4);
  Ids history;
  for (int i = 0; i < 600; ++i) history.push_back(i % 150);
  CHECK(proposed(lookup, history).front() == 0);
  lookup.forget();
  const Ids other = {1, 2, 3, 4, 1, 2, 3};
  CHECK(proposed(lookup, other).front() == 4);
}

TEST_CASE("drafts grow where they are accepted, and stop where they are not", "[runtime]") {
  DraftLength length(0.7, 0.1);
  const int64_t first = length.best(16, 100);
  CHECK(first >= 1);
  for (int i = 0; i < 30; ++i) length.learn(4, 4);
  CHECK(length.best(16, 100) > first);
  CHECK(length.best(3, 100) == 3);
  CHECK(length.best(16, 1.0) <= 2);  // each row and token costs 0.45
  for (int i = 0; i < 60; ++i) length.learn(2, 0);
  CHECK(length.best(16, 100) == 0);
  int passes = 0;
  while (length.best(16, 100) == 0 && passes < 1000) {
    length.passed_over();
    ++passes;
  }
  CHECK(passes > 10);  // it is tried again, and not at once
  CHECK(passes < 300);
}

TEST_CASE("drafts that are always wrong cost a hundredth of an answer and a little", "[runtime]") {
  DraftBudget budget;
  DraftLength length(0.9, 0.2);
  double cost = 0;
  int64_t passes = 0;
  for (; passes < 1000; ++passes) {
    const int64_t k = length.best(16, budget.credit());
    const double spent = double(k) * (kDraftRowCost + 0.2);
    budget.add_pass(spent);
    cost += spent;
    if (k > 0)
      length.learn(k, 0);
    else
      length.passed_over();
  }
  CHECK(cost > 1);
  CHECK(cost <= 1.5 + 0.01 * double(passes) + 0.01);
  budget.add_saved_pass();
  CHECK(budget.credit() >= 0.9);
}

}  // namespace test_drafts
