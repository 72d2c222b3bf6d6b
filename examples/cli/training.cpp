#include "training.h"

#include <cmath>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/os.h"
#include "interrupt.h"
#include "progress.h"
#include "puna/base/error.h"

namespace puna::cli {
namespace {

using train::OptimizerKind;
using train::ScheduleKind;

// What was logged before the step that a resumed run begins with.
std::string kept_log(const std::string& path, int64_t steps, LossCurve& curve) {
  std::ifstream in(path);
  std::string kept, line;
  while (std::getline(in, line)) {
    const nlohmann::json entry = nlohmann::json::parse(line, nullptr, false);
    if (entry.is_discarded() || !entry.contains("step") || entry["step"].get<int64_t>() > steps) break;
    if (entry.contains("loss")) {
      curve.step.push_back(entry["step"]);
      curve.loss.push_back(entry["loss"]);
    }
    if (entry.contains("held_out")) {
      curve.held_out_step.push_back(entry["step"]);
      curve.held_out.push_back(entry["held_out"]);
    }
    kept += line + "\n";
  }
  return kept;
}

class Log {
 public:
  Log(const TrainingFlags& flags, int64_t done) : flags_(flags) {
    const std::string path = flags.path("log.jsonl"), kept = flags.resume ? kept_log(path, done, curve_) : "";
    file_.open(path, std::ios::binary | std::ios::trunc);
    file_ << kept;
    start_ = last_ = seconds_now();
  }
  void step(const train::StepReport& r, bool pairs) {
    const double now = seconds_now();
    nlohmann::ordered_json line = {{"step", r.step}, {"epoch", r.epoch}, {"loss", r.loss}, {"grad_norm", r.grad_norm}, {"lr", r.learning_rate},
                                   {"tokens_per_second", double(r.tokens) / (now - last_)}, {"seconds", now - start_}};
    if (pairs) line["preferred"] = r.preferred;
    last_ = now;
    write(line);
    curve_.step.push_back(double(r.step));
    curve_.loss.push_back(r.loss);
    if (!is_terminal(stderr) && (r.step % 50 == 0 || r.step == 1))
      fprintf(stderr, "step %lld  loss %.4f  %.0f tokens/s\n", static_cast<long long>(r.step), r.loss, double(line["tokens_per_second"]));
  }
  void held_out(int64_t step, double loss) {
    write({{"step", step}, {"held_out", loss}});
    fprintf(stderr, "step %lld  held-out loss %.4f\n", static_cast<long long>(step), loss);
    measured(step, loss);
  }
  void held_out_pairs(int64_t step, const train::PairScores& s) {
    write({{"step", step}, {"held_out", s.loss}, {"held_out_preferred", s.preferred}, {"held_out_margin", s.margin}});
    fprintf(stderr, "step %lld  held-out pairs: loss %.4f, %.1f %% preferred, margin %.4f\n", static_cast<long long>(step), s.loss, 100 * s.preferred, s.margin);
    measured(step, s.loss);
  }
  void plot() const { write_text(flags_.path("loss.svg"), curve_.svg(flags_.out)); }

 private:
  void measured(int64_t step, double loss) {
    curve_.held_out_step.push_back(double(step));
    curve_.held_out.push_back(loss);
    last_ = seconds_now();
  }
  void write(const nlohmann::ordered_json& line) { file_ << line.dump() << "\n" << std::flush; }
  const TrainingFlags& flags_;
  std::ofstream file_;
  LossCurve curve_;
  double start_ = 0, last_ = 0;
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
  const std::string rows = std::string(pairs ? "JSON (lines or a list, .gz too) of rows " : "text files, or JSON (lines or a list, .gz too) of rows ") +
                           (pairs ? train::kPairForms : train::kDataForms);
  verb.option("--data", data, rows.c_str()).required();
  verb.option("--held-out", held_out, "such files whose loss is measured now and then, never learned");
  date = today();
  verb.option("--date", date, "what a chat template that asks is told is today, YYYY-MM-DD (default: today; a row's own \"date\" goes first)");
  verb.flag("--parse-content", parse_content, "names of special tokens inside messages and texts become those tokens; default: they stay text");
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
  verb.option("--evaluate-every", evaluate_every, "steps between measures of the held-out loss (default 100)").at_least(1);
  verb.option("--seed", seed, "of the order of examples and of new weights");
  verb.flag("--checkpoint-layers", checkpoint_layers, "compute layers twice: a third more time, a fraction of the memory");
  verb.flag("--resume", resume, "go on from the checkpoint in --out");
}

train::TrainerOptions TrainingFlags::trainer_options() const {
  train::TrainerOptions o;
  o.optimizer.kind = one_of<OptimizerKind>(optimizer, "--optimizer", {{"adamw", OptimizerKind::adamw}, {"sgd", OptimizerKind::sgd}});
  o.optimizer.learning_rate = double(learning_rate);
  o.optimizer.beta1 = double(beta1);
  o.optimizer.beta2 = double(beta2);
  o.optimizer.weight_decay = double(weight_decay);
  o.optimizer.clip_norm = double(clip);
  o.schedule.kind = one_of<ScheduleKind>(schedule, "--schedule",
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

void run_training(train::Trainer& trainer, const TrainingFlags& flags, const HeldOut& held_out, MpiPeers& mpi) {
  const std::string checkpoint = flags.path("checkpoint.safetensors");
  if (flags.resume) trainer.resume(checkpoint);
  trainer.join(mpi.peers());
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
  const auto evaluate = [&] {
    if (!log || held_out.empty()) return;
    if (held_out.pairs.empty()) log->held_out(trainer.done_steps(), trainer.evaluate(held_out.sequences, stop));
    else log->held_out_pairs(trainer.done_steps(), trainer.evaluate(held_out.pairs, held_out.reference, stop));
  };
  ProgressBar bar("training");
  if (trainer.done_steps() == 0) evaluate();
  try {
    while (trainer.done_steps() < trainer.total_steps()) {
      if (mpi.any(interrupt.requested())) fail(Status::cancelled, "stopped");
      const train::StepReport report = trainer.step(stop);
      if (log) {
        log->step(report, report.preferred > 0);
        bar.update(uint64_t(trainer.done_steps()), uint64_t(trainer.total_steps()));
      }
      if (trainer.done_steps() == trainer.total_steps() || trainer.done_steps() % flags.evaluate_every == 0) evaluate();
      if (trainer.done_steps() % flags.save_every == 0) leave();
    }
  } catch (const Error& e) {
    if (e.status() != Status::cancelled) throw;
    leave();
    fail(Status::cancelled, "stopped after step %lld of %lld; --resume goes on from %s", static_cast<long long>(trainer.done_steps()),
         static_cast<long long>(trainer.total_steps()), checkpoint.c_str());
  }
  leave();
}

}  // namespace puna::cli
