#include "puna/recsys/sequence_trainer.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "base/hash.h"
#include "puna/base/checked.h"
#include "puna/base/error.h"
#include "puna/base/philox.h"
#include "puna/train/data.h"
#include "puna/train/state_file.h"
#include "recsys/model_tensors.h"
#include "recsys/sequence/pass.h"

namespace puna::recsys {
namespace {

constexpr const char* kSequenceCheckpoint = "recommender checkpoint 2";
// streams of random bits; dropouts have the numbers below
constexpr uint64_t kDrawnItems = uint64_t(1) << 32, kSequenceStepSeeds = kDrawnItems + 1;

// to[0] = what came next, to[1 ...] = `negatives` items of the catalogue 1 ... items, equally likely, by the row's
// number within the step.
void draw_candidates(int32_t* to, int32_t next, int64_t negatives, int64_t items, uint64_t seed, int64_t row) {
  to[0] = next;
  for (int64_t m = 0; m < negatives; m += 4) {
    const Philox bits = philox(seed, uint64_t(row) << 16 | uint64_t(m / 4), kDrawnItems);
    for (int64_t i = 0; i < 4 && m + i < negatives; ++i)
      to[1 + m + i] = 1 + int32_t(uint64_t(bits.word[i]) * uint64_t(items) >> 32);
  }
}

}  // namespace

SequenceTrainer::SequenceTrainer(std::shared_ptr<SequenceModel> model, const SequenceTrainerOptions& options)
    : model_(std::move(model)),
      options_(options),
      parameters_(parameters_of(model_->context(), model_->tensors())),
      optimizer_(parameters_, options.optimizer),
      pass_(std::make_unique<SequencePass>(*model_, parameters_)) {
  PUNA_REQUIRE(options.epochs >= 1, "epochs is %jd, expected at least 1", options.epochs);
  PUNA_REQUIRE(options.users_per_step >= 1, "users_per_step is %jd, expected at least 1", options.users_per_step);
  PUNA_REQUIRE(options.negatives >= 1 && options.negatives <= 1 << 16, "negatives is %jd, expected 1 to 65536",
               options.negatives);
  PUNA_REQUIRE(options.rows_per_pass >= 1, "rows_per_pass is %jd, expected at least 1", options.rows_per_pass);
  PUNA_REQUIRE(options.temperature > 0 && options.temperature <= 100, "temperature is %g, expected above 0, up to 100",
               double(options.temperature));
  PUNA_REQUIRE(options.dropout >= 0 && options.dropout < 1, "dropout is %g, expected [0, 1)", double(options.dropout));
}

SequenceTrainer::~SequenceTrainer() = default;

void SequenceTrainer::learn(std::vector<std::vector<Event>> histories) {
  const size_t most = size_t(model_->config().max_sequence) + 1;
  HistoryBatch checked(model_->config());
  for (std::vector<Event>& h : histories) {
    if (!h.empty()) checked.add({h, h.back().time});
    if (h.size() > most) h.erase(h.begin(), h.end() - int64_t(most));
  }
  std::erase_if(histories, [](const std::vector<Event>& h) { return h.size() < 2; });
  PUNA_REQUIRE(!histories.empty(), "there is nothing to learn from: no user has two events");
  const Size each = Size::from_signed((int64_t(histories.size()) - 1) / options_.users_per_step + 1);  // of an epoch
  const auto total =
      int64_t((each * Size::from_signed(options_.epochs)).take(INT64_MAX, "steps of %jd epochs", options_.epochs));
  Hash hash;
  for (const std::vector<Event>& h : histories)
    for (const Event& e : h) {
      hash.add_value(e.item);
      hash.add_value(e.time);
    }
  data_hash_ = hash.value();
  histories_ = std::move(histories);
  total_steps_ = total;
  step_ = 0;
  at_ = {};
  optimizer_.reset();
}

std::vector<int64_t> SequenceTrainer::draw(Position& at) const {
  const int64_t users = int64_t(histories_.size());
  if (at.user == users) at = {at.epoch + 1, 0};
  const std::vector<int64_t> order = train::shuffled(users, options_.seed, at.epoch);
  const int64_t end = std::min(users, at.user + options_.users_per_step);  // an epoch ends with what is left
  std::vector<int64_t> drawn(order.begin() + at.user, order.begin() + end);
  at.user = end;
  return drawn;
}

// Adds the gradient of the mean loss, which is returned.
double SequenceTrainer::learn_from(std::span<const int64_t> users, SequenceStep& report,
                                   FunctionRef<bool()> should_stop) {
  for (const int64_t u : users) report.rows += int64_t(histories_[size_t(u)].size()) - 1;
  const Philox bits = philox(options_.seed, uint64_t(step_), kSequenceStepSeeds);
  const uint64_t seed = uint64_t(bits.word[0]) << 32 | bits.word[1];
  const int64_t per_row = 1 + options_.negatives;
  double loss = 0;
  std::vector<int32_t> candidates;
  int64_t row = 0;  // within the step
  for (size_t u = 0; u < users.size();) {
    HistoryBatch batch(model_->config());
    const int64_t first = row;
    candidates.clear();
    while (u < users.size() && (row == first || row - first < options_.rows_per_pass)) {
      const std::vector<Event>& events = histories_[size_t(users[u++])];
      batch.add({std::span(events).first(events.size() - 1), events.back().time});
      for (size_t i = 1; i < events.size(); ++i, ++row) {
        candidates.resize(size_t((row - first + 1) * per_row));
        draw_candidates(candidates.data() + (row - first) * per_row, events[i].item, options_.negatives,
                        model_->config().items, seed, row);
      }
    }
    loss += pass_->losses(batch, {candidates.data(), per_row, options_.temperature, 1.0f / float(report.rows)},
                          {options_.dropout, seed, 0, first}, should_stop);
  }
  return loss / double(report.rows);
}

SequenceStep SequenceTrainer::step(FunctionRef<bool()> should_stop) {
  if (histories_.empty()) fail(Status::wrong_state, "the trainer has nothing to learn from");
  SequenceStep report;
  Position at = at_;
  const std::vector<int64_t> users = draw(at);
  parameters_.zero_gradients();
  pass_->begin_step();
  report.loss = learn_from(users, report, should_stop);
  pass_->end_step();
  report.grad_norm = std::isfinite(report.loss) ? optimizer_.step() : std::nan("");
  at_ = at;
  report.step = ++step_;
  report.epoch = double(at.epoch) + double(at.user) / double(histories_.size());
  return report;
}

std::string SequenceTrainer::fingerprint() const {
  const train::OptimizerOptions& o = options_.optimizer;
  char text[768];
  snprintf(text, sizeof text,
           "data: %016jx; users of a step: %jd; negatives: %jd; rows of a pass: %jd; temperature: %.9g; dropout: "
           "%.9g; seed: %ju; optimizer: %d; learning rate: %.17g; "
           "beta1: %.17g; beta2: %.17g; epsilon: %.17g; weight decay: %.17g; limit of the gradient: %.17g",
           data_hash_, options_.users_per_step, options_.negatives, options_.rows_per_pass,
           double(options_.temperature), double(options_.dropout), options_.seed, int(o.kind), o.learning_rate, o.beta1,
           o.beta2, o.epsilon, o.weight_decay, o.clip_norm);
  const std::string& names = model_->item_names().bytes();
  if (names.empty()) return text;
  Hash hash;  // the same numbers under other names are another run
  hash.add(names.data(), names.size());
  char of_names[32];
  snprintf(of_names, sizeof of_names, " names %016jx", hash.value());
  return std::string(text) + of_names;
}

void SequenceTrainer::save(const std::string& path) const {
  train::write_state(
      path, kSequenceCheckpoint,
      {{"step", step_}, {"optimizer_steps", optimizer_.steps()}, {"epoch", at_.epoch}, {"user", at_.user}},
      fingerprint(), parameters_, optimizer_);
}

void SequenceTrainer::resume(const std::string& path) {
  if (histories_.empty())
    fail(Status::wrong_state, "resume after learn(): the checkpoint says where in the data it was");
  const train::StateFile file(parameters_.context(), path, kSequenceCheckpoint, fingerprint());
  const int64_t step = file.number("step"), optimizer_steps = file.number("optimizer_steps", step);
  const Position at{file.number("epoch"), file.number("user")};
  if (at.user > int64_t(histories_.size()))
    fail(Status::bad_file, "%s: user %jd of %zu", path.c_str(), at.user, histories_.size());
  PUNA_REQUIRE(step <= total_steps_, "%s has taken %jd steps already, more than the %jd of %jd epochs", path.c_str(),
               step, total_steps_, options_.epochs);
  file.restore(parameters_, optimizer_);
  step_ = step;
  optimizer_.set_steps(optimizer_steps);
  at_ = at;
}

}  // namespace puna::recsys
