// Training a sequence model: the same bits on every ISA, thread count and after a resume; it learns; what is wrong is
// refused by name.

#include "base/hash.h"
#include "puna/base/error.h"
#include "puna/recsys/sequence_trainer.h"
#include "recsys/golden_sequence.h"
#include "ref/random.h"
#include "support/files.h"
#include "support/isa.h"
#include "support/status.h"

using namespace puna;
using namespace puna::recsys;
using namespace puna::test;

namespace {

// Users who walk through the items: after i comes i + 1 or, for every third user, i + 2.
std::vector<std::vector<Event>> walkers(int users, int32_t items) {
  ref::Random random(3);
  std::vector<std::vector<Event>> all;
  for (int u = 0; u < users; ++u) {
    std::vector<Event> h;
    int32_t item = int32_t(random.below(items));
    int64_t time = random.below(1000);
    for (int64_t i = 0, n = random.between(2, 30); i < n; ++i, item += u % 3 == 0 ? 2 : 1, time += random.below(100000))
      h.push_back({1 + item % items, time});
    all.push_back(h);
  }
  return all;
}

SequenceConfig small(SequenceKind kind) {
  SequenceConfig c = kind == SequenceKind::hstu ? SequenceConfig::hstu(40) : SequenceConfig::sasrec(40);
  c.max_sequence = 20;
  c.dim = 24;
  c.heads = 2;
  c.qk_dim = c.v_dim = 12;
  c.ffn = 20;
  return c;
}

SequenceTrainerOptions options(int64_t epochs) {
  SequenceTrainerOptions o;
  o.epochs = epochs;
  o.users_per_step = 16;
  o.negatives = 12;
  o.rows_per_pass = 100;
  return o;
}

uint64_t hash_of(const SequenceModel& model) {
  Hash hash;
  for (const ModelTensor& t : model.tensors()) {
    const std::vector<float> values = t.read();
    hash.add(values.data(), values.size() * 4);
  }
  return hash.value();
}

uint64_t trained(const ContextPtr& context, SequenceKind kind) {
  const auto model = SequenceModel::create(context, small(kind), 5);
  SequenceTrainer trainer(model, options(2));
  trainer.learn(walkers(40, 40));
  while (trainer.done_steps() < trainer.total_steps()) trainer.step();
  return hash_of(*model);
}

}  // namespace

TEST_CASE("training has the same bits on every ISA level and number of threads", "[recsys][isa]") {
  for (const SequenceKind kind : {SequenceKind::hstu, SequenceKind::sasrec}) {
    const uint64_t want = trained(recsys_context(), kind);
    for (const std::string& isa : supported_isas()) {
      CAPTURE(isa);
      CHECK(trained(recsys_context(isa), kind) == want);
    }
    CHECK(trained(recsys_context("", 3), kind) == want);
  }
}

TEST_CASE("both models learn who walks how", "[recsys]") {
  for (const SequenceKind kind : {SequenceKind::hstu, SequenceKind::sasrec}) {
    const auto model = SequenceModel::create(recsys_context(), small(kind), 5);
    SequenceTrainerOptions o = options(60);
    o.optimizer.learning_rate = 3e-3;
    SequenceTrainer trainer(model, o);
    trainer.learn(walkers(120, 40));
    double first = 0, last = 0;
    while (trainer.done_steps() < trainer.total_steps()) {
      const SequenceStep s = trainer.step();
      if (s.step == 1) first = s.loss;
      last = s.loss;
    }
    CHECK(last < 0.6 * first);
  }
}

TEST_CASE("a resumed run goes on to the same bits, and a cancelled step never was", "[recsys]") {
  const TempFolder folder;
  const std::string path = folder / "checkpoint.safetensors";
  const auto context = recsys_context();
  const auto whole = SequenceModel::create(context, small(SequenceKind::hstu), 5),
             part = SequenceModel::create(context, small(SequenceKind::hstu), 5),
             rest = SequenceModel::create(context, small(SequenceKind::hstu), 6);
  SequenceTrainer a(whole, options(2)), b(part, options(2)), c(rest, options(2));
  for (SequenceTrainer* t : {&a, &b, &c}) t->learn(walkers(40, 40));
  while (a.done_steps() < a.total_steps()) a.step();
  for (int i = 0; i < 4; ++i) b.step();
  int asked = 0;
  CHECK(status_of([&] { b.step([&] { return ++asked > 5; }); }) == Status::cancelled);
  CHECK(b.done_steps() == 4);
  b.save(path);
  c.resume(path);
  CHECK(c.done_steps() == 4);
  while (c.done_steps() < c.total_steps()) c.step();
  while (b.done_steps() < b.total_steps()) b.step();
  CHECK(hash_of(*part) == hash_of(*whole));
  CHECK(hash_of(*rest) == hash_of(*whole));
  SequenceTrainerOptions other = options(2);
  other.negatives = 11;
  SequenceTrainer d(rest, other);
  CHECK(status_of([&] { d.resume(path); }) == Status::wrong_state);
  d.learn(walkers(40, 40));
  CHECK(status_of([&] { d.resume(path); }) == Status::invalid_argument);
}

TEST_CASE("a saved model gives the same vectors, and a file that is not one is refused", "[recsys]") {
  const TempFolder folder;
  const std::string path = folder / "model.safetensors";
  const std::vector<Event> events{{3, 10}, {7, 20}, {9, 500}};
  for (const SequenceKind kind : {SequenceKind::hstu, SequenceKind::sasrec}) {
    const auto model = SequenceModel::create(recsys_context(), small(kind), 5);
    model->save(path);
    const std::vector<History> users{{events, 1000}};
    CHECK(SequenceModel::load(recsys_context(), path)->encode(users) == model->encode(users));
  }
  std::string bytes = read_text(path);
  for (const auto& [from, to] : {std::pair("\"blocks\":\"2\"", "\"blocks\":\"3\""),
                                 {"\"dim\":\"24\"", "\"dim\":\"48\""},
                                 {"\"kind\":\"sasrec\"", "\"kind\":\"sasred\""},
                                 {"\"heads\":\"2\"", "\"heads\":\"x\""}}) {
    std::string wrong = bytes;
    const size_t at = wrong.find(from);
    REQUIRE(at != std::string::npos);
    wrong.replace(at, std::string(from).size(), to);
    write_file(path, wrong);
    CAPTURE(to);
    CHECK(status_of([&] { SequenceModel::load(recsys_context(), path); }) == Status::bad_file);
  }
}

TEST_CASE("a user's state has the bits of a full run when its window slides", "[recsys]") {
  for (const SequenceKind kind : {SequenceKind::hstu, SequenceKind::sasrec}) {
    const auto model = SequenceModel::create(recsys_context(), small(kind), 5);
    UserState state(model);
    std::vector<Event> events;
    ref::Random random(8);
    for (int i = 0; i < 27; ++i) {
      events.push_back(
          {int32_t(1 + random.below(40)), events.empty() ? 0 : events.back().time + random.below(1 << 20)});
      state.append(events.back());
      if (i % 3 == 1) continue;  // not every event is followed by a question
      const int64_t query = events.back().time + random.below(1000);
      CHECK(state.encode(query) == model->encode(std::vector<History>{{events, query}}));
    }
  }
}

TEST_CASE("events that a model cannot take are refused by name", "[recsys]") {
  const auto model = SequenceModel::create(recsys_context(), small(SequenceKind::hstu), 5);
  const auto message = [&](std::vector<Event> events, int64_t query) -> std::string {
    try {
      model->encode(std::vector<History>{{events, query}});
    } catch (const Error& e) {
      return e.what();
    }
    return "";
  };
  CHECK(message({{3, 10}, {41, 20}}, 30).find("event 1: item 41, expected 1 to 40") != std::string::npos);
  CHECK(message({{0, 10}}, 30).find("item 0") != std::string::npos);
  CHECK(message({{3, 10}, {4, 9}}, 30).find("event 1: time 9") != std::string::npos);
  CHECK(message({{3, 10}}, 0).find("query time 0") != std::string::npos);
  CHECK(message({}, 0).find("no events") != std::string::npos);
  UserState state(model);
  CHECK(status_of([&] { state.encode(0); }) == Status::invalid_argument);
  CHECK(status_of([&] { state.append({99, 0}); }) == Status::invalid_argument);
  SequenceConfig c = small(SequenceKind::sasrec);
  c.heads = 5;
  CHECK(status_of([&] { SequenceModel::create(recsys_context(), c, 0); }) == Status::invalid_argument);
}
