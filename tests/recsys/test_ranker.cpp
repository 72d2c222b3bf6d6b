// A ranker: the same bits however it is computed, learning in batches and event by event, resuming, its files, what it
// refuses.
#include <cmath>
#include <limits>

#include "base/hash.h"
#include "puna/base/error.h"
#include "puna/recsys/metrics.h"
#include "puna/recsys/ranker_trainer.h"
#include "puna/train/data.h"
#include "recsys/ranking/table.h"
#include "recsys/some_ranker.h"
#include "support/files.h"
#include "support/isa.h"
#include "support/status.h"

using namespace puna;
using namespace puna::recsys;
using namespace puna::test;

namespace test_ranker {
namespace {

uint64_t hash_of(const Ranker& ranker) {
  Hash hash;
  for (const ModelTensor& t : ranker.tensors()) {
    const std::vector<float> values = t.read();
    hash.add(values.data(), values.size() * 4);
  }
  hash.add(ranker.table().data(), ranker.table().bytes());
  return hash.value();
}

RankerTrainerOptions options() {
  RankerTrainerOptions o;
  o.optimizer.learning_rate = 3e-3;
  o.table_decay = 1e-4;
  o.dropout = 0.1f;
  o.rows_per_pass = 24;
  return o;
}

// Batches of 50, `epochs` times.
void teach(RankerTrainer& trainer, const ExampleSet& set, int64_t epochs, int64_t from = 0, int64_t to = INT64_MAX) {
  int64_t step = 0;
  for (int64_t epoch = 0; epoch < epochs; ++epoch) {
    const std::vector<int64_t> order = train::shuffled(set.size(), 1, epoch);
    for (size_t first = 0; first < order.size(); first += 50, ++step) {
      if (step < from || step >= to) continue;
      ExampleSet batch(trainer.ranker()->config());
      batch.add(set, std::span(order).subspan(first, std::min<size_t>(50, order.size() - first)));
      trainer.learn(batch.examples(), batch.outcomes());
    }
  }
}

uint64_t taught(const ContextPtr& context, const RankerConfig& c) {
  const auto ranker = Ranker::create(context, c, 5);
  RankerTrainer trainer(ranker, options());
  teach(trainer, some_examples(c, 120, 7), 2);
  Hash hash;
  hash.add_value(hash_of(*ranker));
  const ExampleSet set = some_examples(c, 90, 9);
  for (const DType type : {DType::f32, DType::f16, DType::i8}) {
    const std::vector<float> p = ranker->copy(type)->score(set.examples());
    hash.add(p.data(), p.size() * 4);
  }
  return hash.value();
}

ProbabilityReport report_of(const Ranker& ranker, const ExampleSet& set, size_t task) {
  const std::vector<float> p = ranker.score(set.examples());
  std::vector<float> predicted, observed;
  for (int64_t i = 0; i < set.size(); ++i)
    if (set.known(i, task)) {
      predicted.push_back(p[size_t(i) * ranker.config().tasks.size() + task]);
      observed.push_back(set.value(i, task));
    }
  return evaluate_probabilities(predicted, observed);
}

}  // namespace

TEST_CASE("a ranker learns and scores with the same bits on every ISA level and number of threads", "[recsys][isa]") {
  // The numbers were printed on x86-64; a 64-bit Arm prints the same.
  const std::pair<RankerConfig, uint64_t> rankers[]{{some_ranker(Interaction::cross, 3, {4}), 0xbc5eb5da44a9c928},
                                                    {some_ranker(Interaction::dot), 0xe9042293dc14850a}};
  for (const auto& [c, want] : rankers) {
    CHECK(taught(recsys_context(), c) == want);
    for (const std::string& isa : supported_isas()) {
      CAPTURE(isa);
      CHECK(taught(recsys_context(isa), c) == want);
    }
    CHECK(taught(recsys_context("", 3), c) == want);
  }
}

TEST_CASE("an example's scores do not depend on its batch", "[recsys]") {
  const RankerConfig c = some_ranker(Interaction::cross, 2);
  const auto ranker = Ranker::create(recsys_context(), c, 5);
  const ExampleSet set = some_examples(c, 1500, 3);  // more than one pass
  const std::vector<float> all = ranker->score(set.examples());
  for (const int64_t i : {int64_t(0), int64_t(77), int64_t(1100), int64_t(1499)}) {
    ExampleSet one(c);
    one.add(set, std::vector<int64_t>{i});
    const std::vector<float> alone = ranker->score(one.examples());
    CHECK(std::equal(alone.begin(), alone.end(), all.begin() + i * 3));
  }
}

TEST_CASE("every kind of ranker learns who likes what where", "[recsys]") {
  for (const Interaction kind :
       {Interaction::linear, Interaction::fm, Interaction::concat, Interaction::cross, Interaction::dot}) {
    CAPTURE(int(kind));
    const RankerConfig c = some_ranker(kind);
    const auto ranker = Ranker::create(recsys_context(), c, 5);
    RankerTrainerOptions o = options();
    o.dropout = 0;
    o.optimizer.learning_rate = 1e-2;
    o.table_rate = 0.2;
    RankerTrainer trainer(ranker, o);
    const ExampleSet set = some_examples(c, 2000, 7), held_out = some_examples(c, 4000, 11);
    teach(trainer, set, 8);
    const ProbabilityReport clicks = report_of(*ranker, held_out, 0), watched = report_of(*ranker, held_out, 1),
                            survey = report_of(*ranker, held_out, 2);
    CHECK(clicks.auc > (kind == Interaction::linear
                            ? 0.63
                            : 0.73));  // liking is a matter of pairs; 4000 examples tell an AUC to 0.008
    CHECK(clicks.ne < (kind == Interaction::linear ? 0.96 : 0.89));
    if (kind == Interaction::linear) CHECK(clicks.auc < 0.70);
    CHECK(watched.rmse < (kind == Interaction::linear ? 0.23 : 0.20));
    CHECK(std::abs(survey.predicted_over_observed - 1) < 0.2);
  }
}

TEST_CASE("a ranker learns one event at a time, and predicts each before it knows", "[recsys]") {
  const RankerConfig c = some_ranker(Interaction::cross);
  const auto ranker = Ranker::create(recsys_context(), c, 5);
  RankerTrainerOptions o;
  o.optimizer = {train::OptimizerKind::adagrad, 0.05};
  o.optimizer.clip_norm = 0;
  o.table_rate = 0.2;
  RankerTrainer trainer(ranker, o);
  const ExampleSet set = some_examples(c, 4000, 7);
  std::vector<float> early, late, early_outcomes, late_outcomes;
  for (int64_t i = 0; i < set.size(); ++i) {
    ExampleSet event(c);
    event.add(set, std::vector<int64_t>{i});
    std::vector<float> predicted(3);
    const std::vector<float> scored = ranker->score(event.examples());
    const RankerStep s = trainer.learn(event.examples(), event.outcomes(), predicted.data());
    CHECK(s.step == i + 1);
    REQUIRE(predicted == scored);
    (i < 1000 ? early : late).push_back(predicted[0]);
    (i < 1000 ? early_outcomes : late_outcomes).push_back(set.value(i, 0));
  }
  CHECK(evaluate_probabilities(late, late_outcomes).ne < 0.95);
  CHECK(evaluate_probabilities(late, late_outcomes).ne < evaluate_probabilities(early, early_outcomes).ne);
}

TEST_CASE("an unknown outcome has no gradient, and a weight equals so many copies", "[recsys]") {
  const RankerConfig c = some_ranker(Interaction::concat);
  const ExampleSet set = some_examples(c, 30, 7);
  const auto loss_after = [&](bool other_values, bool doubled) {
    const auto ranker = Ranker::create(recsys_context(), c, 5);
    RankerTrainerOptions o = options();
    o.dropout = 0;
    RankerTrainer trainer(ranker, o);
    ExampleSet all(c);
    const std::vector<int64_t> one{3};
    for (int64_t i = 0; i < 30; ++i) all.add(set, std::vector<int64_t>{i});
    std::vector<float> values(all.outcomes().values, all.outcomes().values + 90), weights(30, 1.0f);
    if (other_values)
      for (int64_t i = 0; i < 30; ++i)
        if (!set.known(i, 2)) values[size_t(i) * 3 + 2] = std::numeric_limits<float>::quiet_NaN();
    weights[3] = doubled ? 2.0f : 1.0f;
    trainer.learn(all.examples(), {values.data(), all.outcomes().known, weights.data()});
    return hash_of(*ranker);
  };
  CHECK(loss_after(true, false) == loss_after(false, false));
  CHECK(loss_after(false, true) != loss_after(false, false));
}

TEST_CASE("a resumed ranker goes on to the same bits, and a cancelled step never was", "[recsys]") {
  const TempFolder folder;
  const std::string path = folder / "checkpoint.safetensors";
  const RankerConfig c = some_ranker(Interaction::cross, 2);
  const ExampleSet set = some_examples(c, 200, 7);
  for (const train::OptimizerKind kind : {train::OptimizerKind::adamw, train::OptimizerKind::adagrad}) {
    RankerTrainerOptions o = options();
    o.optimizer.kind = kind;
    const auto whole = Ranker::create(recsys_context(), c, 5), part = Ranker::create(recsys_context(), c, 5),
               rest = Ranker::create(recsys_context(), c, 6);
    RankerTrainer a(whole, o), b(part, o), d(rest, o);
    teach(a, set, 2);
    teach(b, set, 2, 0, 5);
    const uint64_t before = hash_of(*part);
    int asked = 0;
    CHECK(status_of([&] { b.learn(set.examples(), set.outcomes(), nullptr, [&] { return ++asked > 40; }); }) ==
          Status::cancelled);
    CHECK(hash_of(*part) == before);
    b.save(path);
    d.resume(path);
    CHECK(d.steps() == 5);
    teach(b, set, 2, 5);
    teach(d, set, 2, 5);
    CHECK(hash_of(*part) == hash_of(*whole));
    CHECK(hash_of(*rest) == hash_of(*whole));
    o.table_rate = 0.01;
    RankerTrainer other(rest, o);
    CHECK(status_of([&] { other.resume(path); }) == Status::invalid_argument);
  }
}

TEST_CASE("a step whose gradient is not finite is left out", "[recsys]") {
  const RankerConfig c = some_ranker(Interaction::concat);
  const auto ranker = Ranker::create(recsys_context(), c, 5);
  ranker->table().values(4)[c.dim] = std::numeric_limits<float>::infinity();  // user 1's first-order weight of clicks
  RankerTrainer trainer(ranker, options());
  const ExampleSet set = some_examples(c, 60, 7);
  const uint64_t before = hash_of(*ranker);
  CHECK(!std::isfinite(trainer.learn(set.examples(), set.outcomes()).grad_norm));
  CHECK(hash_of(*ranker) == before);
  ranker->table().values(4)[c.dim] = std::numeric_limits<float>::quiet_NaN();
  CHECK(status_of([&] { ranker->score(set.examples()); }) == Status::bad_file);
}

TEST_CASE("tables of f16 and 8-bit codes score nearly as f32", "[recsys]") {
  const RankerConfig c = some_ranker(Interaction::cross);
  const auto ranker = Ranker::create(recsys_context(), c, 5);
  RankerTrainer trainer(ranker, options());
  teach(trainer, some_examples(c, 500, 7), 4);
  const ExampleSet set = some_examples(c, 300, 9);
  const std::vector<float> want = ranker->score(set.examples());
  for (const auto& [type, bound] : {std::pair(DType::f16, 5e-4f), {DType::i8, 1e-2f}}) {
    const auto small = ranker->copy(type);
    const std::vector<float> got = small->score(set.examples());
    float most = 0;
    for (size_t i = 0; i < got.size(); ++i) most = std::max(most, std::fabs(got[i] - want[i]));
    CAPTURE(name(type), most);
    CHECK(most < bound);
    CHECK(most > 0);
    CHECK(small->table().bytes() * 3 < ranker->table().bytes() * 2);
    CHECK(status_of([&] { RankerTrainer(small, options()); }) == Status::invalid_argument);
    CHECK(status_of([&] { small->copy(DType::f32); }) == Status::invalid_argument);
  }
}

TEST_CASE("left-out negatives and calibrators correct predictions by their formulas", "[recsys]") {
  RankerConfig c = some_ranker(Interaction::cross);
  const ExampleSet set = some_examples(c, 40, 9);
  const std::vector<float> plain = Ranker::create(recsys_context(), c, 5)->score(set.examples());
  c.tasks[0].kept_negatives = 0.1;
  const auto ranker = Ranker::create(recsys_context(), c, 5);
  const std::vector<float> corrected = ranker->score(set.examples());
  ranker->set_calibrator(1, 2, Calibrator::of(Calibrator::Kind::platt, {2.0f}, {-1.0f}));
  const std::vector<float> calibrated = ranker->score(set.examples());
  for (int64_t i = 0; i < 40; ++i) {
    const auto at = size_t(i) * 3;
    CHECK(std::abs(double(corrected[at]) - with_all_negatives(double(plain[at]), 0.1)) < 1e-6);
    CHECK(corrected[at + 2] == plain[at + 2]);
    CHECK(calibrated[at] == corrected[at]);
    if (set.surface(i) != 1)
      CHECK(calibrated[at + 2] == corrected[at + 2]);
    else
      CHECK(std::abs(double(calibrated[at + 2]) -
                     1 / (1 + std::exp(1 - 2 * std::log(double(plain[at + 2]) / (1 - double(plain[at + 2])))))) < 1e-6);
  }
}

TEST_CASE("a saved ranker scores the same bits, and a file that is not one is refused", "[recsys]") {
  const TempFolder folder;
  const std::string path = folder / "ranker.safetensors";
  const RankerConfig c = some_ranker(Interaction::cross, 2, {4});
  const auto ranker = Ranker::create(recsys_context(), c, 5);
  RankerTrainer trainer(ranker, options());
  const ExampleSet set = some_examples(c, 200, 7);
  teach(trainer, set, 1);
  ranker->set_calibrator(0, 0, Calibrator::of(Calibrator::Kind::platt, {1.5f}, {0.25f}));
  ranker->set_calibrator(2, 1, Calibrator::of(Calibrator::Kind::isotonic, {0.1f, 0.6f}, {0.2f, 0.5f}));
  for (const DType type : {DType::f16, DType::i8, DType::f32}) {
    const auto saved = ranker->copy(type);
    saved->save(path);
    CHECK(Ranker::load(recsys_context(), path)->score(set.examples()) == saved->score(set.examples()));
  }
  const std::string bytes = read_text(path);
  const auto refused = [&](const std::string& wrong) {
    write_file(path, wrong);
    return status_of([&] { Ranker::load(recsys_context(), path); }) == Status::bad_file;
  };
  for (const auto& [from, to] : {std::pair("ranker 1", "ranker 2"),
                                 {"\\\"dim\\\":5", "\\\"dim\\\":6"},
                                 {"\\\"experts\\\":2", "\\\"experts\\\":3"},
                                 {"\\\"rows\\\":7", "\\\"rows\\\":8"},
                                 {"\\\"cross\\\"", "\\\"dross\\\""},
                                 {"\\\"tower\\\":[4]", "\\\"tower\\\":[5]"},
                                 {"calibration.platt.0.0", "calibration.platt.9.0"},
                                 {"\\\"fraction\\\"", "\\\"function\\\""},
                                 {"expert.0.0.bias", "expert.0.0.bios"}}) {
    std::string wrong = bytes;
    CAPTURE(from);
    const size_t at = wrong.find(from);
    REQUIRE(at != std::string::npos);
    CHECK(refused(wrong.replace(at, std::string(from).size(), to)));
  }
  CHECK(refused(bytes.substr(0, bytes.size() - 1)));
  // A value that is no number, in the table or elsewhere, is found when the file is opened.
  for (size_t at = bytes.size() - 4; at > bytes.size() - 4000; at -= 404) {
    std::string wrong = bytes;
    const uint32_t nan = 0x7FC00000u;
    memcpy(wrong.data() + at, &nan, 4);
    CAPTURE(bytes.size() - at);
    CHECK(refused(wrong));
  }
}

TEST_CASE("examples that a ranker cannot take are refused by name", "[recsys]") {
  const RankerConfig c = some_ranker(Interaction::concat);
  const auto ranker = Ranker::create(recsys_context(), c, 5);
  RankerTrainer trainer(ranker, options());
  const std::vector<int64_t> user{3}, none, bad{7}, far{INT64_MIN};
  const std::vector<float> numbers{0, 1}, nan{0, std::numeric_limits<float>::quiet_NaN()};
  const auto message = [&](int32_t surface, const std::vector<int64_t>& of_user, const std::vector<float>& n) {
    ExampleSet set(c);
    set.add(surface, std::vector<std::span<const int64_t>>{of_user, none, far}, n);
    return message_of([&] { ranker->score(set.examples()); });
  };
  CHECK(message(0, user, numbers).empty());
  CHECK(message(3, user, numbers).find("example 0: surface 3, expected 0 to 2") != std::string::npos);
  CHECK(message(-1, user, numbers).find("surface -1") != std::string::npos);
  CHECK(message(0, bad, numbers).find("feature 'user': id 7, expected 0 to 6") != std::string::npos);
  CHECK(message(0, user, nan).find("'hour' is not finite") != std::string::npos);
  ExampleSet set(c);
  CHECK(message_of([&] {
          set.add(0, std::vector<std::span<const int64_t>>{user}, numbers);
        }).find("ids of 1 features, expected 3") != std::string::npos);
  set.add(0, std::vector<std::span<const int64_t>>{user, none, none}, numbers, std::vector<float>{0, 2, 0}, 7);
  CHECK(message_of([&] { trainer.learn(set.examples(), set.outcomes()); }).find("'watched' is 2") != std::string::npos);
  CHECK(status_of([&] { trainer.learn({}, set.outcomes()); }) == Status::invalid_argument);
  CHECK(ranker->score(Examples{}).empty());
}

TEST_CASE("a configuration survives JSON, and errors name the wrong field", "[recsys]") {
  const RankerConfig c = some_ranker(Interaction::dot, 3, {4});
  CHECK(json_of(ranker_config(json_of(c))) == json_of(c));
  const RankerConfig few = ranker_config(
      R"({"surfaces": ["feed"], "tasks": [{"name": "like"}], "features": [{"name": "item", "rows": 9}]})");
  CHECK(few.interaction == Interaction::cross);
  CHECK(few.hidden == std::vector<int64_t>{128, 64});
  const auto message = [](const char* text) { return message_of([&] { ranker_config(text); }); };
  CHECK(message(R"({"surfaces": ["feed"], "tasks": [{"name": "like", "kine": "binary"}]})").find("tasks[0].kine") !=
        std::string::npos);
  CHECK(message(R"({"surfaces": [], "tasks": [{"name": "like"}]})").find("surfaces") != std::string::npos);
  CHECK(message(R"({"surfaces": ["a", "a"], "tasks": [{"name": "like"}]})").find("'a' is there twice") !=
        std::string::npos);
  CHECK(message(R"({"surfaces": ["a"], "tasks": [{"name": "like"}], "features": [{"name": "x"}]})")
            .find("'x': rows is 0") != std::string::npos);
  CHECK(message(R"({"surfaces": ["a"], "tasks": [{"name": "like"}], "interaction": "croos"})").find("interaction") !=
        std::string::npos);
  CHECK(message(R"({"surfaces": ["a"], "tasks": [{"name": "like"}], "experts": 4, "hidden": []})").find("experts") !=
        std::string::npos);
  CHECK(message(R"({"surfaces": ["a"], "tasks": [{"name": "like", "weight": "x"}]})").find("weight") !=
        std::string::npos);
  CHECK(message("[]").find("object") != std::string::npos);
}

}  // namespace test_ranker
