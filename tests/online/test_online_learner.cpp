// Learning event by event: predicted before learned, served meanwhile, and after being killed every acknowledged event
// learned once, to the same bits.
#include <cmath>
#include <thread>

#include "base/hash.h"
#include "base/os.h"
#include "kernels/kernel_table.h"
#include "online/events.h"
#include "puna/recsys/online_learner.h"
#include "recsys/ranking/table.h"
#include "support/catch.h"
#include "support/files.h"
#include "support/golden.h"
#include "support/killed.h"
#include "support/status.h"

using namespace puna;
using namespace puna::recsys;
using namespace puna::test;

namespace {

ContextPtr context_of(int threads) {
  ContextOptions options;
  options.threads = threads;
  return std::make_shared<const Context>(options, *select_kernels(""));
}

std::shared_ptr<Ranker> new_ranker(int threads = 1) {
  RankerConfig c;
  c.surfaces = {"reels", "feed"};
  c.tasks = {{"like"}, {"watched", TaskKind::fraction}};
  c.features = {{"user", kUsers}, {"items", kItems}, {"empty", 8, true}};
  c.numbers = {"hour"};
  c.dim = 8;
  c.cross_layers = 2;
  c.hidden = {16};
  return Ranker::create(context_of(threads), c, 1);
}

OnlineOptions options() {
  OnlineOptions o;
  o.trainer.optimizer.learning_rate = 3e-3;
  o.trainer.table_rate = 0.2;
  o.publish_every = 50;
  o.checkpoint_every = 70;
  return o;
}

std::shared_ptr<EventLog> log_in(const TempFolder& folder) { return open_event_log(folder / "events.db"); }

uint64_t hash_of(const Ranker& ranker) {
  Hash hash;
  for (const ModelTensor& t : ranker.tensors()) {
    const std::vector<float> values = t.read();
    hash.add(values.data(), values.size() * sizeof(float));
  }
  hash.add(ranker.table().data(), ranker.table().bytes());
  return hash.value();
}

std::vector<float> scores_of(const Ranker& ranker, int64_t number) {
  ExampleSet set(ranker.config());
  set.add(event_of(number));
  return ranker.score(set.examples());
}

struct Learned {
  uint64_t bits;
  std::vector<double> sums;  // of the report
};
Learned learned_by(const OnlineLearner& learner) {
  Learned l{hash_of(*learner.ranker()), {}};
  const OnlineReport r = learner.report();
  for (const auto& scores : {r.all, r.recent})
    for (const PrequentialScore& s : scores) l.sums.insert(l.sums.end(), {s.events, s.loss, s.positives});
  return l;
}

// Events 1 ... n, never interrupted.
Learned in_one_go(int64_t n, int threads = 1) {
  const TempFolder folder;
  OnlineLearner learner(new_ranker(threads), log_in(folder), folder / "online", options());
  learner.append(events_of(1, n));
  CHECK(learner.learn(INT64_MAX) == n);
  return learned_by(learner);
}

void check_same(const Learned& a, const Learned& b) {
  CHECK(a.bits == b.bits);
  CHECK(a.sums == b.sums);
}

}  // namespace

TEST_CASE("each event is predicted by the ranker that learned those before it, and the score is of that", "[online]") {
  const TempFolder folder;
  OnlineLearner learner(new_ranker(), log_in(folder), folder / "online", options());
  learner.append(events_of(1, 60));
  double loss = 0, likes = 0, watched_events = 0;
  for (int64_t n = 1; n <= 60; ++n) {
    const std::vector<float> predicted = scores_of(*learner.ranker(), n);
    CHECK(learner.learn(1) == 1);
    const LoggedEvent e = event_of(n);
    loss -= e.values[0] != 0 ? std::log(double(predicted[0])) : std::log1p(-double(predicted[0]));
    likes += double(e.values[0]);
    watched_events += (e.known & 2u) != 0;
  }
  CHECK(learner.learn(1) == 0);
  const OnlineReport r = learner.report();
  CHECK(r.learned == 60);
  CHECK(r.logged == 60);
  CHECK(r.all[0].events == 60);
  CHECK(r.all[1].events == watched_events);
  CHECK(r.all[0].positives == likes);
  CHECK(std::abs(r.all[0].loss - loss) < 1e-9);
  const double p = likes / 60;
  CHECK(std::abs(r.all[0].ne() - loss / 60 / -(p * std::log(p) + (1 - p) * std::log(1 - p))) < 1e-9);
}

TEST_CASE("the loss falls to its optimum, and old failures fade from the recent score", "[online]") {
  const TempFolder folder;
  OnlineOptions o = options();
  o.memory = 300;
  OnlineLearner learner(new_ranker(), log_in(folder), folder / "online", o);
  learner.append(events_of(1, 3000));
  learner.learn(INT64_MAX);
  const OnlineReport r = learner.report();
  CHECK(r.all[0].ne() < 0.85);  // parity leaves an entropy of .325 of .693
  CHECK(r.recent[0].ne() < r.all[0].ne() - 0.1);
  CHECK(r.recent[0].events < 301);
}

TEST_CASE("the bits do not depend on how the events came, on threads, nor on closing and opening", "[online]") {
  const Learned want = in_one_go(400);
  check_same(in_one_go(400, 3), want);
  const TempFolder folder;
  for (const int64_t until : {1, 69, 70, 71, 150, 333, 400}) {  // checkpoints are at every 70th
    OnlineLearner learner(new_ranker(), log_in(folder), folder / "online", options());
    const int64_t logged = learner.report().logged;
    CHECK(learner.report().learned == logged / 70 * 70);
    learner.append(events_of(logged + 1, until));
    learner.learn(INT64_MAX);
    if (until == 400) check_same(learned_by(learner), want);
  }
  {
    OnlineLearner again(new_ranker(), log_in(folder), folder / "online", options());
    CHECK(again.learn(INT64_MAX) == 50);
    check_same(learned_by(again), want);
    again.checkpoint();
  }
  OnlineLearner once_more(new_ranker(), log_in(folder), folder / "online", options());
  CHECK(once_more.learn(INT64_MAX) == 0);
  check_same(learned_by(once_more), want);
}

TEST_CASE("killed while it takes events and learns, it loses none that it acknowledged and learns each once",
          "[online]") {
  for (int round = 0; round < 3; ++round) {
    const TempFolder folder;
    const int64_t last = killed_after(100 + 60 * round, [&](auto acknowledge) {
      OnlineOptions o = options();
      o.checkpoint_every = 10;  // most of the time is spent writing checkpoints: one of them is what dies
      OnlineLearner learner(new_ranker(), log_in(folder), folder / "online", o);
      for (int64_t n = 1;; n += 5) {
        acknowledge(learner.append(events_of(n, n + 4)));
        learner.learn(4);  // falls behind
      }
    });
    OnlineLearner learner(new_ranker(), log_in(folder), folder / "online", options());
    const OnlineReport r = learner.report();
    CHECK(r.logged >= last);
    CHECK(r.learned > 0);
    CHECK(r.learned < r.logged);
    CHECK(learner.learn(INT64_MAX) == r.logged - r.learned);
    check_same(learned_by(learner), in_one_go(r.logged));
  }
}

TEST_CASE("two learners never have one folder", "[online]") {
  const TempFolder folder;
  {
    const OnlineLearner learner(new_ranker(), log_in(folder), folder / "online", options());
    CHECK(status_of([&] { OnlineLearner(new_ranker(), log_in(folder), folder / "online", options()); }) ==
          Status::wrong_state);
  }
  CHECK(status_of([&] { OnlineLearner(new_ranker(), log_in(folder), folder / "online", options()); }) == Status::ok);
}

TEST_CASE("an event that is posted twice is learned once, before and after a restart", "[online]") {
  const TempFolder folder;
  std::vector<LoggedEvent> events = events_of(1, 6);
  for (size_t i = 0; i < 3; ++i) events[i].key = "k" + std::to_string(i);
  int64_t repeated = -1;
  {
    OnlineLearner learner(new_ranker(), log_in(folder), folder / "online", options());
    CHECK(learner.append(events, &repeated) == 6);
    CHECK(repeated == 0);
    CHECK(learner.append(std::span(events).first(3), &repeated) == 6);
    CHECK(repeated == 3);
    std::vector<LoggedEvent> twice = {events[3], events[3]};
    twice[0].key = twice[1].key = "new";
    CHECK(learner.append(twice, &repeated) == 7);
    CHECK(repeated == 1);
  }
  OnlineLearner learner(new_ranker(), log_in(folder), folder / "online", options());
  CHECK(learner.append(std::span(events).first(1), &repeated) == 7);
  CHECK(repeated == 1);
  CHECK(learner.learn(INT64_MAX) == 7);
  events[0].key = std::string(kLongestEventKey + 1, 'a');
  CHECK(status_of([&] { learner.append(events); }) == Status::invalid_argument);
}

TEST_CASE("a state whose counts are no counts is damaged", "[online]") {
  for (const char* learned : {"1e300", "-1", "0.5", "18446744073709551615", "\"7\"", "null"}) {
    const TempFolder folder;
    { OnlineLearner(new_ranker(), log_in(folder), folder / "online", options()).checkpoint(); }
    std::string state = os::read_file(folder / "online/state.json", 1 << 20);
    const size_t at = state.find("\"learned\":0");
    REQUIRE(at != state.npos);
    state.replace(at, 11, std::string("\"learned\":") + learned);
    write_file(folder / "online/state.json", state);
    CHECK(status_of([&] { OnlineLearner(new_ranker(), log_in(folder), folder / "online", options()); }) ==
          Status::bad_file);
  }
}

TEST_CASE("a snapshot stays as it is while others read it and the ranker learns on", "[online]") {
  const TempFolder folder;
  OnlineLearner learner(new_ranker(), log_in(folder), folder / "online", options());
  const std::shared_ptr<const Ranker> first = learner.serving();
  const uint64_t before = hash_of(*first);
  learner.append(events_of(1, 49));
  CHECK(learner.learn(INT64_MAX) == 49);
  CHECK(learner.serving() == first);
  std::atomic<bool> stop{false};
  std::atomic<int64_t> answers{0}, newer{0};
  std::vector<std::thread> readers;
  for (int t = 0; t < 2; ++t)
    readers.emplace_back([&] {
      while (!stop) {
        const std::shared_ptr<const Ranker> ranker = learner.serving();
        for (const float p : scores_of(*ranker, answers % 100 + 1)) answers += p > 0 && p < 1;
        newer += ranker != first;
      }
    });
  for (int64_t n = 50; n < 400; n += 10) {
    learner.append(events_of(n, n + 9));
    learner.learn(INT64_MAX);
  }
  while (newer == 0) std::this_thread::yield();
  stop = true;
  for (std::thread& t : readers) t.join();
  CHECK(answers > 0);
  CHECK(learner.report().published == 350);
  CHECK(hash_of(*first) == before);
  CHECK(hash_of(*learner.serving()) != before);
  learner.publish();
  CHECK(hash_of(*learner.serving()) == hash_of(*learner.ranker()));
  OnlineOptions small = options();
  small.served = DType::i8;
  const TempFolder other;
  CHECK(OnlineLearner(new_ranker(), log_in(other), other / "online", small).serving()->table().dtype() == DType::i8);
}

TEST_CASE("what the ranker would not take is refused before it is logged", "[online]") {
  const TempFolder folder;
  OnlineLearner learner(new_ranker(), log_in(folder), folder / "online", options());
  const auto after = [&](auto&& change) {
    std::vector<LoggedEvent> events = events_of(1, 3);
    change(events[1]);
    return status_of([&] { learner.append(events); });
  };
  void (*const spoil[])(LoggedEvent&) = {
      [](LoggedEvent& e) { e.surface = 2; },     [](LoggedEvent& e) { e.ids[0] = {kUsers}; },
      [](LoggedEvent& e) { e.ids.pop_back(); },  [](LoggedEvent& e) { e.numbers = {}; },
      [](LoggedEvent& e) { e.numbers = {NAN}; }, [](LoggedEvent& e) { e.values = {1}; },
      [](LoggedEvent& e) { e.values = {}; },     [](LoggedEvent& e) { e.values[0] = 1.5f; },
      [](LoggedEvent& e) { e.weight = 0; },      [](LoggedEvent& e) { e.weight = 2e6f; },
  };
  for (const auto change : spoil) CHECK(after(change) == Status::invalid_argument);
  CHECK(learner.report().logged == 0);
  CHECK(after([](LoggedEvent&) {}) == Status::ok);
  // A log that says otherwise was written by somebody else. Nothing checks its events but the trainer.
  for (size_t i = 0; i < std::size(spoil); ++i) {
    CAPTURE(i);
    const TempFolder other;
    OnlineLearner reader(new_ranker(), log_in(other), other / "online", options());
    std::vector<LoggedEvent> events = events_of(1, 3);
    spoil[i](events[1]);
    log_in(other)->append(events);
    CHECK(status_of([&] { reader.learn(INT64_MAX); }) == Status::bad_file);
    CHECK(reader.report().learned == 1);
  }
}

TEST_CASE("checkpoints that are damaged, of other options or ahead of the log are refused", "[online]") {
  const TempFolder folder;
  {
    OnlineLearner learner(new_ranker(), log_in(folder), folder / "online", options());
    learner.append(events_of(1, 20));
    learner.learn(INT64_MAX);
    learner.checkpoint();
  }
  const auto opened = [&](const OnlineOptions& o) {
    return status_of([&] { OnlineLearner(new_ranker(), log_in(folder), folder / "online", o); });
  };
  CHECK(opened(options()) == Status::ok);
  OnlineOptions other = options();
  other.trainer.table_rate = 0.3;
  CHECK(opened(other) == Status::invalid_argument);
  const TempFolder empty;
  CHECK(status_of([&] { OnlineLearner(new_ranker(), log_in(empty), folder / "online", options()); }) ==
        Status::invalid_argument);
  const std::string state = read_text(folder / "online/state.json");
  for (const std::string& bad :
       {std::string("{"), std::string("{}"), std::string("[1]"), state.substr(0, state.size() / 2)}) {
    write_file(folder / "online/state.json", bad);
    CHECK(opened(options()) == Status::bad_file);
  }
  std::string elsewhere = state, more = state;
  elsewhere.replace(elsewhere.find("checkpoint-"), 12, "../../etc/pa");
  write_file(folder / "online/state.json", elsewhere);
  CHECK(opened(options()) == Status::bad_file);
  more.replace(more.find("\"learned\":20"), 12, "\"learned\":19");
  write_file(folder / "online/state.json", more);
  CHECK(opened(options()) == Status::bad_file);
}
