#include "puna/train/trainer.h"

#include <algorithm>
#include <cmath>

#include "base/fp_env.h"
#include "ops/inference.h"
#include "puna/base/checked.h"
#include "puna/base/error.h"
#include "puna/train/data.h"
#include "train/counted.h"
#include "train/groups.h"

namespace puna::train {
namespace {

void require_marks(const Sequence& s, const char* what, size_t number) {
  PUNA_REQUIRE(s.counted.size() == s.tokens.size(), "%s %zu has %zu marks for %zu tokens", what, number,
               s.counted.size(), s.tokens.size());
}

}  // namespace

Trainer::Trainer(Parameters& parameters, const Llama& model, const Adapter* adapter, const TrainerOptions& options)
    : parameters_(parameters),
      model_(model),
      adapter_(adapter ? &adapter->loras() : nullptr),
      options_(options),
      optimizer_(parameters, options.optimizer),
      pass_(parameters.context(), model, options.pass) {
  PUNA_REQUIRE(!parameters.list().empty(), "there are no parameters to train");
  PUNA_REQUIRE(options.steps >= 0 && options.epochs >= 1, "steps is %jd and epochs %jd, expected at least 0 and 1",
               options.steps, options.epochs);
  PUNA_REQUIRE(options.tokens_per_step >= 1 && options.tokens_per_pass >= 1,
               "tokens_per_step and tokens_per_pass are expected to be at least 1");
  PUNA_REQUIRE(options.schedule.floor >= 0 && options.schedule.floor <= 1,
               "the learning rate's floor is %g, expected 0 to 1", options.schedule.floor);
  PUNA_REQUIRE(options.schedule.warmup >= 0 && options.schedule.total >= 0,
               "warmup is %jd and the schedule's total %jd, expected at least 0", options.schedule.warmup,
               options.schedule.total);
}

void Trainer::learn(std::vector<Sequence> sequences) {
  for (size_t i = 0; i < sequences.size(); ++i) require_marks(sequences[i], "sequence", i);
  std::erase_if(sequences, [](const Sequence& s) { return s.tokens.size() < 2 || counted_tokens(s) == 0; });
  int64_t tokens = 0;
  for (const Sequence& s : sequences) tokens += int64_t(s.tokens.size());
  begin(int64_t(sequences.size()), steps_for(int64_t(sequences.size()), tokens));
  sequences_ = std::move(sequences);
  pairs_.clear();
  reference_.clear();
}

void Trainer::learn(std::vector<Preference> pairs, FunctionRef<bool()> should_stop) {
  PUNA_REQUIRE(adapter_ != nullptr, "preference pairs need an adapter: the model without it is the reference");
  int64_t tokens = 0;
  const auto size_of = [&](size_t i) {
    return int64_t(pairs[i].chosen.tokens.size() + pairs[i].rejected.tokens.size());
  };
  for (size_t i = 0; i < pairs.size(); ++i) {
    require_marks(pairs[i].chosen, "the chosen answer of pair", i);
    require_marks(pairs[i].rejected, "the rejected answer of pair", i);
    tokens += size_of(i);
  }
  const int64_t steps = steps_for(int64_t(pairs.size()), tokens);
  std::vector<PairLogProbs> reference = reference_of(pairs, should_stop);
  begin(int64_t(pairs.size()), steps);
  pairs_ = std::move(pairs);
  reference_ = std::move(reference);
  sequences_.clear();
}

int64_t Trainer::steps_for(int64_t examples, int64_t tokens) const {
  PUNA_REQUIRE(examples > 0, "there is nothing to learn from: no sequence has a token that counts");
  if (options_.steps != 0) return options_.steps;
  const uint64_t all = (Size::from_signed(options_.epochs) * Size::from_signed(tokens))
                           .take(INT64_MAX, "tokens of %jd epochs", options_.epochs);
  return std::max<int64_t>(1, int64_t(all) / options_.tokens_per_step);
}

// From here on nothing fails.
void Trainer::begin(int64_t examples, int64_t steps) {
  order_ = shuffled(examples, options_.seed, 0);
  step_ = epoch_ = position_ = 0;
  total_steps_ = steps;
  schedule_ = options_.schedule;
  if (schedule_.total == 0) schedule_.total = total_steps_;
  optimizer_.reset();
}

void Trainer::join(Peers peers) {
  PUNA_REQUIRE(peers.count >= 1 && peers.rank >= 0 && peers.rank < peers.count, "rank %d of %d processes", peers.rank,
               peers.count);
  PUNA_REQUIRE(peers.count == 1 || peers.all_reduce, "several processes need an all_reduce");
  peers_ = std::move(peers);
}

int64_t Trainer::tokens_of(int64_t i) const noexcept {
  if (pairs_.empty()) return int64_t(sequences_[size_t(i)].tokens.size());
  return int64_t(pairs_[size_t(i)].chosen.tokens.size() + pairs_[size_t(i)].rejected.tokens.size());
}

std::vector<int64_t> Trainer::draw() {
  std::vector<int64_t> drawn;
  for (int64_t tokens = 0; tokens < options_.tokens_per_step || int64_t(drawn.size()) < peers_.count;) {
    if (position_ == int64_t(order_.size())) {
      order_ = shuffled(int64_t(order_.size()), options_.seed, ++epoch_);
      position_ = 0;
    }
    drawn.push_back(order_[size_t(position_++)]);
    const int64_t n = tokens_of(drawn.back());
    // for the next step
    if (!drawn.empty() && tokens > 0 && tokens + n > options_.tokens_per_step && int64_t(drawn.size()) > peers_.count) {
      drawn.pop_back();
      --position_;
      break;
    }
    tokens += n;
  }
  return drawn;
}

void Trainer::reduce(double& value) const {
  if (peers_.count == 1) return;
  float parts[2] = {float(value), 0};
  parts[1] = float(value - double(parts[0]));
  peers_.all_reduce(parts, 2);
  value = double(parts[0]) + double(parts[1]);
}

// Adds the gradient of the mean loss; returns this process's part of it.
double Trainer::learn_from(std::span<const int64_t> drawn, StepReport& report, FunctionRef<bool()> should_stop) {
  int64_t units = 0;  // what the mean is over
  std::vector<int64_t> own;
  for (size_t i = 0; i < drawn.size(); ++i) {
    units += pairs_.empty() ? counted_tokens(sequences_[size_t(drawn[i])]) : 1;
    report.tokens += tokens_of(drawn[i]);
    if (int64_t(i) % peers_.count == peers_.rank) own.push_back(drawn[i]);
  }
  double loss = 0;
  const Pass::Target target{&parameters_.gradients(), adapter_, should_stop};
  in_groups(
      own.size(), options_.tokens_per_pass, [&](size_t i) { return tokens_of(own[i]); },
      [&](size_t first, size_t last) {
        if (pairs_.empty()) {
          std::vector<Sequence> part;
          for (size_t i = first; i < last; ++i) part.push_back(sequences_[size_t(own[i])]);
          for (const double nll : pass_.losses(part, 1.0f / float(units), target)) loss += nll / double(units);
          return;
        }
        std::vector<Preference> part;
        std::vector<PairLogProbs> reference;
        for (size_t i = first; i < last; ++i) {
          part.push_back(pairs_[size_t(own[i])]);
          reference.push_back(reference_[size_t(own[i])]);
        }
        const DpoResult r = dpo_losses(pass_, part, reference, options_.dpo_beta, 1.0 / double(units), target);
        loss += r.loss_sum / double(units);
        report.preferred += double(r.preferred) / double(units);
      });
  return loss;
}

StepReport Trainer::step(FunctionRef<bool()> should_stop) {
  const FpEnv fp_env;
  if (order_.empty()) fail(Status::wrong_state, "the trainer has nothing to learn from");
  parameters_.context().require_same_process();
  StepReport report;
  const int64_t epoch = epoch_, position = position_;
  const auto put_back = [&] {
    if (epoch_ != epoch) order_ = shuffled(int64_t(order_.size()), options_.seed, epoch);
    epoch_ = epoch;
    position_ = position;
  };
  try {
    const std::vector<int64_t> drawn = draw();
    parameters_.zero_gradients();
    report.loss = learn_from(drawn, report, should_stop);
    if (peers_.count > 1) {
      for (const Parameter& p : parameters_.list()) peers_.all_reduce(p.gradient, p.count);
      reduce(report.loss);
      reduce(report.preferred);
    }
  } catch (...) {  // of the transport, too
    put_back();
    throw;
  }
  const double factor = schedule_.factor(step_);
  report.step = ++step_;
  report.epoch = double(epoch_) + double(position_) / double(order_.size());
  report.learning_rate = options_.optimizer.learning_rate * factor;
  report.grad_norm = std::isfinite(report.loss) ? optimizer_.step(factor) : std::nan("");
  return report;
}

}  // namespace puna::train
