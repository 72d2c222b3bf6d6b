// Held-out pairs: the trainer's own measures of them, against the reference without the adapter; and sequences whose
// marks do not fit.
#include <cmath>

#include "model/made_model.h"
#include "puna/train/trainer.h"
#include "ref/compare.h"
#include "support/files.h"
#include "support/status.h"

using namespace puna;
using namespace puna::test;
using namespace puna::train;

namespace test_trainer_pairs {
namespace {

Sequence sequence(std::vector<int32_t> tokens, size_t prompt) {
  Sequence s{std::move(tokens), {}};
  for (size_t i = 0; i < s.tokens.size(); ++i) s.counted.push_back(i >= prompt);
  return s;
}

// Of two successors of a token, the next one is right.
std::vector<Preference> pairs(int32_t first, int32_t count) {
  std::vector<Preference> all;
  for (int32_t t = first; t < first + count; ++t)
    all.push_back({sequence({t, t + 1, t + 2, t + 3}, 2), sequence({t, t + 1, t + 3, t + 2, t}, 2)});
  return all;
}

struct Run {
  Made made = make_gguf(make_config(true, 2, 32, 2, 1, 16, 48, 32));
  LoadedLlama base = load_made(made, context_with("", 1));
  std::shared_ptr<Adapter> adapter;
  std::unique_ptr<Parameters> parameters;
  std::unique_ptr<Trainer> trainer;

  explicit Run(int64_t tokens_per_pass = 80) {
    AdapterOptions a;
    a.targets = {"all"};
    adapter = Adapter::create(*base.context, base.llama, a);
    parameters = std::make_unique<Parameters>(base.context);
    parameters->track(*adapter);
    TrainerOptions o;
    o.optimizer.learning_rate = 1e-2;
    o.steps = 30;
    o.tokens_per_step = 60;
    o.tokens_per_pass = tokens_per_pass;
    trainer = std::make_unique<Trainer>(*parameters, base.llama, adapter.get(), o);
    trainer->learn(pairs(0, 12));
  }
};

}  // namespace

TEST_CASE("held-out pairs are undecided before training and won after it, whatever is computed at once", "[train]") {
  const std::vector<Preference> held_out = pairs(0, 7);
  std::vector<PairScores> after;
  for (const int64_t tokens_per_pass : {9, 80}) {
    Run run(tokens_per_pass);
    const std::vector<PairLogProbs> reference = run.trainer->reference_of(held_out);
    const PairScores before = run.trainer->evaluate(held_out, reference);
    CHECK(std::abs(before.loss - std::log(2.0)) < 1e-9);
    CHECK((before.margin == 0 && before.preferred == 0));
    for (int i = 0; i < 30; ++i) run.trainer->step();
    after.push_back(run.trainer->evaluate(held_out, reference));
    CAPTURE(after.back().loss, after.back().margin, after.back().preferred);
    CHECK((after.back().loss < 0.9 * before.loss && after.back().margin > 0.1 && after.back().preferred > 0.9));
    const std::vector<PairLogProbs> again = run.trainer->reference_of(held_out);  // the model itself has not moved
    for (size_t i = 0; i < again.size(); ++i)
      CHECK((again[i].chosen == reference[i].chosen && again[i].rejected == reference[i].rejected));
  }
}

TEST_CASE("the loss of held-out pairs follows from their log-probabilities", "[train]") {
  Run run;
  for (int i = 0; i < 5; ++i) run.trainer->step();
  const std::vector<Preference> one = pairs(3, 1);
  const std::vector<PairLogProbs> reference = run.trainer->reference_of(one);
  const PairScores s = run.trainer->evaluate(one, reference);
  CHECK(std::abs(s.loss - std::log1p(std::exp(-s.margin))) < 1e-9);
  CHECK(s.preferred == (s.margin > 0 ? 1 : 0));
}

TEST_CASE("pairs without their references, and sequences with too few marks, are refused and change nothing",
          "[train]") {
  Run run;
  const std::vector<Preference> held_out = pairs(0, 2);
  CHECK(status_of([&] { run.trainer->evaluate(held_out, std::span<const PairLogProbs>()); }) ==
        Status::invalid_argument);
  CHECK(status_of([&] { run.trainer->evaluate(std::span<const Preference>(), std::span<const PairLogProbs>()); }) ==
        Status::invalid_argument);
  const double loss = run.trainer->step().loss;
  Run other;
  CHECK(status_of([&] { other.trainer->learn(std::vector<Sequence>{{{1, 2, 3}, {}}}); }) == Status::invalid_argument);
  CHECK(status_of([&] {
          other.trainer->learn(std::vector<Preference>{{sequence({1, 2, 3}, 1), {{1, 2}, {}}}});
        }) == Status::invalid_argument);
  CHECK(other.trainer->step().loss == loss);
}

}  // namespace test_trainer_pairs
