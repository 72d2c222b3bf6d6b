#include "training.h"

#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/os.h"
#include "interrupt.h"
#include "progress.h"
#include "puna/base/error.h"
#include "run_log.h"
#include "steps_left_out.h"

namespace puna::cli {
namespace {

using train::OptimizerKind;
using train::ScheduleKind;

// log.jsonl, the picture of it, and what is said on standard error.
class Log {
 public:
  Log(const TrainingFlags& flags, int64_t done)
      : flags_(flags),
        file_(flags.path("log.jsonl"), flags.resume ? done : RunLog::kAnew,
              [this](const nlohmann::json& line) { remember(line); }),
        start_(seconds_now()),
        last_(start_) {}
  // The line for the progress bar.
  std::string step(const train::StepReport& r, bool pairs) {
    const double now = seconds_now(), speed = double(r.tokens) / std::max(now - last_, 1e-9);
    nlohmann::ordered_json line = {{"step", r.step},           {"epoch", r.epoch},      {"loss", r.loss},
                                   {"grad_norm", r.grad_norm}, {"lr", r.learning_rate}, {"tokens_per_second", speed},
                                   {"seconds", now - start_}};
    if (pairs) line["preferred"] = r.preferred;
    last_ = now;
    file_.write(line);
    curve_.add(double(r.step), r.loss);
    constexpr double kKeep = 0.9;  // of the means that the bar shows
    loss_ = loss_ == 0 || !std::isfinite(loss_) ? r.loss : kKeep * loss_ + (1 - kKeep) * r.loss;
    speed_ = speed_ == 0 ? speed : kKeep * speed_ + (1 - kKeep) * speed;
    char text[80];
    snprintf(text, sizeof text, "loss %.4f  %.0f tokens/s", loss_, speed_);
    if (!is_terminal(stderr) && (r.step % 50 == 0 || r.step == 1))
      fprintf(stderr, "step %jd  loss %.4f  %.0f tokens/s\n", r.step, r.loss, speed);
    return text;
  }
  void held_out(int64_t step, double loss) {
    file_.write({{"step", step}, {"held_out", loss}});
    fprintf(stderr, "step %jd  held-out loss %.4f\n", step, loss);
    measured(step, loss);
  }
  void held_out_pairs(int64_t step, const train::PairScores& s) {
    file_.write(
        {{"step", step}, {"held_out", s.loss}, {"held_out_preferred", s.preferred}, {"held_out_margin", s.margin}});
    fprintf(stderr, "step %jd  held-out pairs: loss %.4f, %.1f %% preferred, margin %.4f\n", step, s.loss,
            100 * s.preferred, s.margin);
    measured(step, s.loss);
  }
  void plot() const { write_text(flags_.path("loss.svg"), curve_.svg(flags_.out)); }
  void finish() { file_.finish(); }

 private:
  void measured(int64_t step, double loss) {
    curve_.add_held_out(double(step), loss);
    last_ = seconds_now();
  }
  void remember(const nlohmann::json& line) {
    const auto number = [&](const char* key) {
      return line.contains(key) && line[key].is_number() ? line[key].get<double>() : NAN;
    };
    curve_.add(number("step"), number("loss"));
    curve_.add_held_out(number("step"), number("held_out"));
  }
  const TrainingFlags& flags_;
  LossCurve curve_;  // before the log, whose old lines it remembers
  RunLog file_;
  double start_ = 0, last_ = 0, loss_ = 0, speed_ = 0;
};

template <class Kind>
Kind one_of(const std::string& name, const char* what, std::initializer_list<std::pair<const char*, Kind>> known) {
  std::string names;
  for (const auto& [n, kind] : known) {
    if (name == n) return kind;
    names += std::string(names.empty() ? "" : ", ") + n;
  }
  fail(Status::invalid_argument, "%s is '%s', expected one of: %s", what, name.c_str(), names.c_str());
}

}  // namespace

void TrainingFlags::add(const Verb& verb, bool pairs) {
  verb.config("a TOML file with these options by their long names");
  const std::string rows = std::string(pairs ? "JSON (lines or a list, .gz too) of rows "
                                             : "text files, or JSON (lines or a list, .gz too) of rows ") +
                           (pairs ? train::kPairForms : train::kDataForms);
  verb.option("--data", data, rows.c_str()).required();
  verb.option("--held-out", held_out, "such files whose loss is measured now and then, never learned");
  date = today();
  verb.option(
      "--date", date,
      "what a chat template that asks is told is today, YYYY-MM-DD (default: today; a row's own \"date\" goes first)");
  verb.flag("--parse-content", parse_content,
            "names of special tokens inside messages and texts become those tokens; default: they stay text");
  verb.option("--out", out, "folder of the result, the log, the plot and checkpoints").required();
  verb.option("--steps", steps, "steps in all; 0 = what --epochs take").at_least(0);
  verb.option("--epochs", epochs, "times through the data (default 1)").at_least(1);
  verb.option("--lr", learning_rate, "learning rate (default 3e-4)");
  verb.option("--schedule", schedule, "cosine (default), linear or constant, after the warm-up");
  verb.option("--warmup", warmup, "steps until the learning rate is reached").at_least(0);
  verb.option("--lr-floor", floor, "share of the learning rate at the end");
  verb.option("--optimizer", optimizer, "adamw (default) or sgd");
  verb.option("--weight-decay", weight_decay, "decoupled, of all parameters (default 0)");
  verb.option("--beta1", beta1, "first moment's memory (default 0.9)");
  verb.option("--beta2", beta2, "second moment's memory (default 0.999)");
  verb.option("--clip", clip, "limit of the gradient's norm (default 1; 0 = none)");
  verb.option("--step-tokens", step_tokens, "tokens of a step (default 2048)").at_least(1);
  verb.option("--pass-tokens", pass_tokens, "of them computed at once (default 2048): bounds memory").at_least(1);
  verb.option("--max-tokens", max_tokens, "tokens of a sequence (default 512)").at_least(2);
  verb.option("--save-every", save_every, "steps between checkpoints (default 200)").at_least(1);
  verb.option("--evaluate-every", evaluate_every, "steps between measures of the held-out loss (default 100)")
      .at_least(1);
  verb.option("--seed", seed, "of the order of examples and of new weights");
  verb.flag("--checkpoint-layers", checkpoint_layers,
            "compute layers twice: a third more time, a fraction of the memory");
  const Option goes_on =
      verb.flag("--resume", resume,
                "go on from the checkpoint in --out; with more --steps or --epochs than before it goes further");
  verb.flag("--overwrite", overwrite,
            "begin anew where --out holds a run of before: its log and checkpoint are removed")
      .excludes(goes_on);
}

train::TrainerOptions TrainingFlags::trainer_options() const {
  train::TrainerOptions o;
  o.optimizer.kind =
      one_of<OptimizerKind>(optimizer, "--optimizer", {{"adamw", OptimizerKind::adamw}, {"sgd", OptimizerKind::sgd}});
  o.optimizer.learning_rate = double(learning_rate);
  o.optimizer.beta1 = double(beta1);
  o.optimizer.beta2 = double(beta2);
  o.optimizer.weight_decay = double(weight_decay);
  o.optimizer.clip_norm = double(clip);
  o.schedule.kind = one_of<ScheduleKind>(
      schedule, "--schedule",
      {{"cosine", ScheduleKind::cosine}, {"linear", ScheduleKind::linear}, {"constant", ScheduleKind::constant}});
  o.schedule.warmup = warmup;
  o.schedule.floor = double(floor);
  o.steps = steps;
  o.epochs = epochs;
  o.tokens_per_step = step_tokens;
  o.tokens_per_pass = pass_tokens;
  o.seed = seed;
  o.pass.checkpoint = checkpoint_layers;
  return o;
}

namespace {

// Puts the trainer where the checkpoint was, and says what follows from it.
void resume_run(train::Trainer& trainer, const std::string& checkpoint, bool verbose) {
  const int64_t planned = trainer.resume(checkpoint);
  if (!verbose) return;
  const int64_t done = trainer.done_steps(), total = trainer.total_steps();
  if (done == total)
    fprintf(stderr, "step %jd of %jd: nothing is left to do; a larger --steps or --epochs goes further\n", done, total);
  else if (planned != total)
    fprintf(
        stderr,
        "goes on from step %jd; %jd steps in all, before %jd: the learning rate follows the new plan from here on\n",
        done, total, planned);
}

}  // namespace

void run_training(train::Trainer& trainer, const TrainingFlags& flags, const HeldOut& held_out, MpiPeers& mpi,
                  FunctionRef<std::string()> save_what_is_there) {
  const std::string checkpoint = flags.path("checkpoint.safetensors");
  if (flags.resume) resume_run(trainer, checkpoint, mpi.first());
  trainer.join(mpi.peers());
  if (mpi.first()) os::make_folder(flags.out);
  if (flags.overwrite && mpi.first())
    for (const char* file : {"checkpoint.safetensors", "loss.svg"}) std::remove(flags.path(file).c_str());
  Interrupt interrupt;
  const bool alone = mpi.count() == 1;  // several processes stop between two steps, all after the same one
  const auto stop = [&] { return alone && interrupt.requested(); };
  std::optional<Log> log;
  if (mpi.first()) log.emplace(flags, trainer.done_steps());
  const auto leave = [&] {
    if (!log) return;
    trainer.save(checkpoint);
    log->plot();
  };
  ProgressBar bar("training");
  // a disk that is full for a while does not end a run of hours; the checkpoint of before is still there
  const auto leave_on_the_way = [&] {
    try {
      leave();
    } catch (const Error& e) {
      if (e.status() != Status::io) throw;
      bar.wipe();
      fprintf(stderr, "puna: step %jd: %s; the run goes on and tries again in %jd steps\n", trainer.done_steps(),
              e.what(), flags.save_every);
    }
  };
  const auto evaluate = [&] {
    if (!log || held_out.empty()) return;
    const int64_t step = trainer.done_steps();
    if (held_out.pairs.empty()) {
      const double loss = trainer.evaluate(held_out.sequences, stop);
      bar.wipe();
      log->held_out(step, loss);
    } else {
      const train::PairScores scores = trainer.evaluate(held_out.pairs, held_out.reference, stop);
      bar.wipe();
      log->held_out_pairs(step, scores);
    }
  };
  const int64_t first = trainer.done_steps();
  StepsLeftOut left_out;
  try {
    if (first == 0) evaluate();
    while (trainer.done_steps() < trainer.total_steps()) {
      if (mpi.any(interrupt.requested())) fail(Status::cancelled, "stopped");
      const train::StepReport report = trainer.step(stop);
      left_out.see(report.step, report.loss, report.grad_norm, mpi.first());
      if (log)
        bar.update(uint64_t(trainer.done_steps()), uint64_t(trainer.total_steps()),
                   log->step(report, report.preferred > 0), uint64_t(first));
      if (trainer.done_steps() == trainer.total_steps() || trainer.done_steps() % flags.evaluate_every == 0) evaluate();
      if (trainer.done_steps() % flags.save_every == 0) leave_on_the_way();
    }
  } catch (const Error& e) {
    if (e.status() != Status::cancelled) throw;
    leave();
    const std::string there = log && save_what_is_there && trainer.done_steps() > 0 ? save_what_is_there() : "";
    if (log) log->finish();
    fail(Status::cancelled, "stopped after step %jd of %jd%s; --resume goes on from %s", trainer.done_steps(),
         trainer.total_steps(), there.c_str(), checkpoint.c_str());
  }
  leave();
  if (log) log->finish();
  left_out.require_some_learned(trainer.done_steps() - first);
}

}  // namespace puna::cli
