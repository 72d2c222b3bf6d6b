// Interactions from files, the ranking protocol, and MovieLens' figures.
#include <cmath>
#include <cstdlib>
#include <limits>

#include "puna/base/error.h"
#include "puna/recsys/evaluate.h"
#include "recsys/golden_sequence.h"
#include "support/files.h"
#include "support/status.h"

using namespace puna;
using namespace puna::recsys;
using namespace puna::test;

namespace {

Interactions read(const std::string& text) {
  return read_interactions(open_memory_source(text.data(), text.size(), "ratings"));
}

// Everybody gets these scores.
Scorer constant(std::vector<float> scores) {
  return [scores](std::span<const History> users, float* to) {
    for (size_t u = 0; u < users.size(); ++u) std::copy(scores.begin(), scores.end(), to + u * scores.size());
  };
}

const char* kTwoUsers =
    "user_id:token\titem_id:token\trating:float\ttimestamp:"
    "float\n1\t10\t5\t100\n1\t2\t3\t50\n1\t3\t1\t200\n2\t10\t4\t7\n2\t4\t4\t9\n";

}  // namespace

TEST_CASE("interactions: columns by name, users and items by their names' order, events by time", "[recsys]") {
  const Interactions all = read(kTwoUsers);
  CHECK(all.users == std::vector<std::string>{"1", "2"});
  CHECK(all.items == std::vector<std::string>{"", "2", "3", "4", "10"});
  REQUIRE(all.histories[0].size() == 3);
  CHECK(all.histories[0][0].item == all.item("2"));
  CHECK(all.histories[0][2].item == all.item("3"));
  CHECK(all.item("10") == 4);
  CHECK(all.item("5") == 0);
  CHECK(all.user("2") == 1);
  CHECK(all.user("x") == -1);
  CHECK(all.events() == 5);
  for (const char* same : {"1\t10\t5\t100\n1\t2\t3\t50\n1\t3\t1\t200\n2\t10\t4\t7\n2\t4\t4\t9",
                           "1::10::5::100\r\n1::2::3::50\r\n1::3::1::200\r\n2::10::4::7\r\n2::4::4::9\r\n",
                           "timestamp,item_id,user_id\n100,10,1\n50,2,1\n200,3,1\n7,10,2\n9,4,2\n"}) {
    const Interactions other = read(same);
    CHECK(other.items == all.items);
    CHECK(other.histories[0][1].time == 100);
    CHECK(other.histories[1][1].item == 3);
  }
}

TEST_CASE("interactions that are wrong are refused with their line", "[recsys]") {
  const auto message = [](const char* text) -> std::string {
    try {
      read(text);
    } catch (const Error& e) {
      CHECK(e.status() == Status::bad_file);
      return e.what();
    }
    return "";
  };
  CHECK(message("user_id\titem_id\ttimestamp\n").find("no interactions") != std::string::npos);
  CHECK(message("1\t2\t3\t4\n1\t2\t3\n").find("line 2: 3 columns, expected 4") != std::string::npos);
  CHECK(message("1\t2\t3\tsoon\n").find("line 1: 'soon' is no time") != std::string::npos);
  CHECK(message("1\t2\t3\tinf\n").find("no time") != std::string::npos);
  CHECK(message("\t2\t3\t4\n").find("without a name") != std::string::npos);
  CHECK(message("user_id\titem_id\n1\t2\n").find("timestamp") != std::string::npos);
  CHECK(message("1,2\n").find("line 1: 2 columns") != std::string::npos);
}

TEST_CASE("ranks are pessimistic, seen items are out, a seen target is a miss", "[recsys]") {
  const Interactions all = read(kTwoUsers);  // items 1: "2", 2: "3", 3: "4", 4: "10"; targets 2 and 3
  CHECK(evaluate_ranking(all, constant({0, 9, 5, 5, 9})).ranks ==
        std::vector<int64_t>{2, 3});  // ties before the target; user 1 has seen 1 and 4
  CHECK(evaluate_ranking(all, constant({0, 9, 5, 4, 9})).ranks == std::vector<int64_t>{1, 3});
  CHECK(evaluate_ranking(all, constant({0, 1, 5, 6, 9}), 1).ranks ==
        std::vector<int64_t>{2, 1});  // a window of one event
  const Interactions again = read("1\t7\t5\t1\n1\t8\t5\t2\n1\t7\t5\t3\n");
  const RankingReport r = evaluate_ranking(again, constant({0, 9, 1}));
  CHECK(r.ranks == std::vector<int64_t>{0});
  CHECK(r.seen_targets == 1);
  CHECK(r.hr10 == 0);
  CHECK(r.mrr == 0);
}

TEST_CASE("HR@10 by the targets' popularity: tenths of the users, the least popular targets first", "[recsys]") {
  // Items 1 ... 10 are the last event of two users each; item k is in 11 - k of the other users' histories. Everybody
  // has seen item 11.
  std::string text;
  const auto event = [&](int user, int item, int time) {
    text += std::to_string(user) + "\t" + std::to_string(item) + "\t5\t" + std::to_string(time) + "\n";
  };
  for (int user = 0; user < 20; ++user) {
    event(user, 11, 1);
    event(user, user / 2 + 1, 3);
  }
  for (int item = 1; item <= 10; ++item)
    for (int i = 0; i < 11 - item; ++i) event((2 * item + i) % 20, item, 2);
  for (int item = 12; item <= 22; ++item) event(20 + item, item, 1);  // users of one event are not judged
  const Interactions all = read(text);
  std::vector<float> scores(23, 5.0f);  // eleven items that nobody has seen lie before those of score 1
  for (int item = 1; item <= 10; ++item)
    scores[size_t(all.item(std::to_string(item)))] = item >= 9 || item == 4 ? 9.0f : 1.0f;
  const RankingReport r = evaluate_ranking(all, constant(scores));
  CHECK(r.users == 20);
  CHECK(r.seen_targets == 0);
  CHECK(r.hr10_by_decile == std::vector<double>{1, 1, 0, 0, 0, 0, 1, 0, 0, 0});
  CHECK(std::abs(r.hr10 - 0.3) < 1e-12);
}

TEST_CASE("a score that is not finite is an error, not a hit", "[recsys]") {
  const Interactions all = read(kTwoUsers);
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()})
    for (size_t i = 1; i < 5; ++i) {
      std::vector<float> scores{0, 1, 2, 3, 4};
      scores[i] = bad;
      CHECK(status_of([&] { evaluate_ranking(all, constant(scores)); }) == Status::invalid_argument);
    }
}

TEST_CASE("MovieLens-100K: popularity and Markov have the figures of an independent script", "[recsys]") {
  const std::string path = model_file("ml-100k.inter");
  if (path.empty()) PUNA_SKIP("ml-100k.inter is not in the cache: ./dev movielens fetches it");
  const Interactions all = read_interactions(path);
  CHECK(all.users.size() == 943);
  CHECK(all.item_count() == 1682);
  CHECK(all.events() == 100000);
  const auto close = [](double got, double want) { return std::abs(got - want) < 6e-5; };
  const RankingReport popular = evaluate_ranking(all, popularity_scorer(all)),
                      markov = evaluate_ranking(all, markov_scorer(all));
  CHECK(close(popular.hr10, 0.0753));
  CHECK(close(popular.hr50, 0.1856));
  CHECK(close(markov.hr10, 0.1442));
  CHECK(close(markov.ndcg10, 0.0772));
  CHECK(close(markov.hr50, 0.3330));
  CHECK(evaluate_ranking(all, item_knn_scorer(all, 0.8, 50)).hr10 >
        0.1474 - 6e-5);  // that script's cosine may count differently: at least as strong
}

TEST_CASE("MovieLens-1M is read when the user gives the file", "[recsys]") {
  const char* const path = std::getenv("PUNA_ML1M");
  if (!path || !*path) {  // not PUNA_SKIP: it cannot be required, for there is nothing to fetch it from
    WARN("skipped: PUNA_ML1M does not name MovieLens-1M's ratings.dat, and no package has it with timestamps");
    return;
  }
  const Interactions all = read_interactions(std::string(path));
  CHECK(all.users.size() == 6040);
  CHECK(all.item_count() == 3706);
  CHECK(all.events() == 1000209);
}
