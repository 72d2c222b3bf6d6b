#include "improve_model.h"

#include <cstdio>

#include "progress.h"
#include "puna/base/error.h"
#include "puna/runtime/continuations.h"
#include "puna/runtime/prompt.h"
#include "puna/train/trainer.h"
#include "steps_left_out.h"

namespace puna::cli {
namespace {

// A choice behind its prompt. White space at the prompt's end goes to the choice, and what of the tokens belongs to the
// choice is what the prompt alone has not, as lm-evaluation-harness counts.
Continuation choice_tokens(const Tokenizer& tokenizer, const improve::Item& item, const std::string& choice) {
  size_t end = item.prompt.size();
  while (end > 0 && (item.prompt[end - 1] == ' ' || item.prompt[end - 1] == '\n')) --end;
  const std::string context = item.prompt.substr(0, end);
  const std::string more = end < item.prompt.size() ? item.prompt.substr(end) : std::string(" ");
  Continuation c;
  c.tokens = encode_prompt(tokenizer, context + more + choice, /*parse_special=*/false);
  const size_t before = encode_prompt(tokenizer, context, /*parse_special=*/false).size();
  if (c.tokens.size() <= before || before == 0)
    fail(Status::invalid_argument, "item '%s': its prompt and the choice '%s' are no tokens of their own",
         printable(item.item).c_str(), printable(choice).c_str());
  c.scored = int64_t(c.tokens.size() - before);
  return c;
}

train::Sequence sequence_of(const Continuation& c) {
  train::Sequence s;
  s.tokens = c.tokens;
  s.counted.assign(c.tokens.size(), 0);
  for (size_t i = c.tokens.size() - size_t(c.scored); i < c.tokens.size(); ++i) s.counted[i] = 1;
  return s;
}

}  // namespace

std::vector<improve::Score> score_items(const ModelPtr& model, const AdapterPtr& adapter,
                                        const std::vector<improve::Item>& items, const char* what,
                                        const Interrupt& interrupt) {
  const Tokenizer& tokenizer = model->require_tokenizer();
  std::vector<Continuation> requests;
  std::vector<std::pair<size_t, size_t>> place;  // item, choice
  std::vector<improve::Score> scores(items.size());
  for (size_t i = 0; i < items.size(); ++i) {
    scores[i].log_likelihood.resize(items[i].choices.size());
    for (size_t c = 0; c < items[i].choices.size(); ++c) {
      requests.push_back(choice_tokens(tokenizer, items[i], items[i].choices[c]));
      place.emplace_back(i, c);
    }
  }
  ContinuationOptions options;
  options.session.adapter = adapter;
  ProgressBar bar(what);
  uint64_t done = 0;
  score_continuations(
      model, requests, options,
      [&](size_t r, const ContinuationScore& score) {
        scores[place[r].first].log_likelihood[place[r].second] = score.log_likelihood;
        bar.update(++done, requests.size());
        return !interrupt.requested();
      },
      [&] { return interrupt.requested(); });
  return scores;
}

namespace {

std::shared_ptr<Adapter> new_adapter(const ModelPtr& model, const LearnOptions& o) {
  AdapterOptions options;
  options.rank = o.rank;
  options.alpha = double(2 * o.rank);
  options.targets = {"all"};
  options.seed = o.seed;
  return Adapter::create(model->context(), model->llama(), options);
}

train::TrainerOptions trainer_options(const LearnOptions& o) {
  train::TrainerOptions options;
  options.optimizer.learning_rate = double(o.learning_rate);
  options.epochs = o.epochs;
  options.tokens_per_step = o.step_tokens;
  options.seed = o.seed;
  options.dpo_beta = double(o.beta);
  options.pass.exact = false;
  options.pass.providers = o.providers;
  options.schedule.warmup = 3;
  return options;
}

train::Parameters parameters_of(const ModelPtr& model, Adapter& adapter) {
  train::Parameters parameters(model->context_ptr());
  parameters.track(adapter);
  return parameters;
}

}  // namespace

AdapterTraining::AdapterTraining(const ModelPtr& model, const LearnOptions& o)
    : adapter_(new_adapter(model, o)),
      parameters_(parameters_of(model, *adapter_)),
      trainer_(parameters_, model->llama(), adapter_.get(), trainer_options(o)) {}

Learned AdapterTraining::run(const Interrupt& interrupt) {
  Learned learned;
  StepsLeftOut left_out;
  ProgressBar bar("learning");
  while (trainer_.done_steps() < trainer_.total_steps()) {
    if (interrupt.requested()) fail(Status::cancelled, "stopped");
    const train::StepReport r = trainer_.step([&] { return interrupt.requested(); });
    left_out.see(r.step, r.loss, r.grad_norm, true);
    if (r.step == 1) learned.first_loss = r.loss;
    learned.last_loss = r.loss;
    learned.tokens += r.tokens;
    bar.update(uint64_t(r.step), uint64_t(trainer_.total_steps()));
  }
  left_out.require_some_learned(trainer_.done_steps());
  learned.steps = trainer_.done_steps();
  learned.adapter = adapter_;
  return learned;
}

Learned learn(const ModelPtr& model, const std::vector<Labelled>& labels, const std::vector<improve::Score>& scores,
              const LearnOptions& o, const Interrupt& interrupt) {
  const Tokenizer& tokenizer = model->require_tokenizer();
  AdapterTraining training(model, o);
  const double start = seconds_now();
  if (o.dpo) {
    std::vector<train::Preference> pairs;
    for (size_t i = 0; i < labels.size(); ++i) {
      const improve::Item& item = *labels[i].item;
      improve::Score others = scores[i];
      others.log_likelihood[size_t(labels[i].label)] = -1e300;
      pairs.push_back({sequence_of(choice_tokens(tokenizer, item, item.choices[size_t(labels[i].label)])),
                       sequence_of(choice_tokens(tokenizer, item, item.choices[size_t(others.best())]))});
    }
    training.trainer().learn(std::move(pairs), [&] { return interrupt.requested(); });
  } else {
    std::vector<train::Sequence> sequences;
    for (const Labelled& l : labels)
      sequences.push_back(sequence_of(choice_tokens(tokenizer, *l.item, l.item->choices[size_t(l.label)])));
    training.trainer().learn(std::move(sequences));
  }
  Learned learned = training.run(interrupt);
  learned.seconds = seconds_now() - start;
  return learned;
}

}  // namespace puna::cli
