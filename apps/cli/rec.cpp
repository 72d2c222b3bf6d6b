// puna rec: recommenders. train, eval and recommend share how interactions and models are opened.
#include <algorithm>
#include <cstdio>

#include "base/json.h"
#include "base/nearest.h"
#include "base/os.h"
#include "base/shown.h"
#include "common.h"
#include "interrupt.h"
#include "progress.h"
#include "puna/base/error.h"
#include "puna/recsys/evaluate.h"
#include "puna/recsys/recommender.h"
#include "puna/recsys/sequence_trainer.h"
#include "rec.h"
#include "run_log.h"
#include "steps_left_out.h"
#include "svg_plot.h"
#include "verbs.h"

namespace puna::cli {
namespace {

using namespace recsys;

nlohmann::ordered_json json_of(const RankingReport& r) {
  return {{"users", r.users},
          {"hr@1", r.hr1},
          {"hr@10", r.hr10},
          {"hr@50", r.hr50},
          {"hr@200", r.hr200},
          {"ndcg@10", r.ndcg10},
          {"ndcg@50", r.ndcg50},
          {"mrr", r.mrr},
          {"ndcg@10_standard_error", r.ndcg10_error},
          {"targets_seen_before", r.seen_targets},
          {"targets_unknown", r.unknown_targets},
          {"hr@10_by_popularity_decile", r.hr10_by_decile}};
}

// Ctrl-C while a table is read ends the program: nothing has been begun.
Interactions read_data(const std::string& path) {
  Interactions data = read_interactions(path);
  fprintf(stderr, "%s\n", data.about.c_str());
  return data;
}

// The data with the model's items, by their names; what the model does not know is said and left out.
Interactions data_for(const SequenceModel& model, const std::string& path, bool by_number) {
  Interactions data = read_data(path);
  const Names& names = model.item_names();
  if (by_number && !names.empty())
    fail(Status::invalid_argument, "the model keeps the names of its items: --by-number is for models without");
  if (names.empty() && !by_number)
    fail(Status::invalid_argument,
         "the model keeps no names of its items (an earlier version made it, or a program that numbers them): "
         "--by-number takes its items for the "
         "data's, in the order of their names");
  if (names.empty()) {
    if (model.config().items != data.item_count())
      fail(Status::invalid_argument, "the model has %jd items, the data %jd: they do not belong together",
           model.config().items, data.item_count());
    return data;
  }
  ItemMatch match;
  const int64_t items = data.item_count(), events = data.events();
  data = with_items_of(names, std::move(data), match);
  if (match.unknown > 0)
    fprintf(stderr,
            "the model does not know %jd of the %jd items ('%s'%s): %jd of %jd events are left out, of which %jd "
            "are their users' last (misses in an evaluation)\n",
            match.unknown, items, shown(match.one_unknown).c_str(), match.unknown > 1 ? ", ..." : "",
            match.events_left_out + match.last_events, events, match.last_events);
  return data;
}

constexpr const char* kData =
    "interactions: CSV, .inter, u.data, ratings.dat: user_id, item_id, timestamp (or as MovieLens, Amazon, ... call "
    "them)";
constexpr const char* kByNumber =
    "the model keeps no names of items: take its items for the data's, in the order of their names";

// ---- train ----

struct RecTrainFlags {
  ModelFlags context;
  std::string data, out, model = "hstu";
  int64_t epochs = 101, users = 128, negatives = 128, evaluate_every = 10, max_sequence = 200, rows_per_pass = 2048;
  float learning_rate = 1e-3f, dropout = 0.2f;
  uint64_t seed = 42;
  bool resume = false, overwrite = false;

  SequenceConfig config(int64_t items) const {
    SequenceConfig c = model == "sasrec"       ? SequenceConfig::sasrec(items)
                       : model == "hstu-large" ? SequenceConfig::hstu_large(items)
                                               : SequenceConfig::hstu(items);
    if (model != "hstu" && model != "hstu-large" && model != "sasrec")
      fail(Status::invalid_argument, "--model is '%s', expected hstu, hstu-large or sasrec", model.c_str());
    c.max_sequence = max_sequence;
    return c;
  }
  SequenceTrainerOptions options() const {
    SequenceTrainerOptions o;
    o.optimizer.learning_rate = double(learning_rate);
    o.epochs = epochs;
    o.users_per_step = users;
    o.negatives = negatives;
    o.dropout = dropout;
    o.seed = seed;
    o.rows_per_pass = rows_per_pass;
    return o;
  }
  std::string path(const char* file) const { return out + "/" + file; }
};

// log.jsonl: a line a step, and one an evaluation.
class TrainLog {
 public:
  TrainLog(const std::string& path, int64_t done) : file_(path, done), start_(seconds_now()) {}
  void step(const SequenceStep& s) {
    file_.write({{"step", s.step},
                 {"epoch", s.epoch},
                 {"loss", s.loss},
                 {"grad_norm", s.grad_norm},
                 {"rows", s.rows},
                 {"seconds", seconds_now() - start_}});
  }
  void evaluated(const SequenceStep& s, const RankingReport& r) {
    nlohmann::ordered_json line{{"step", s.step}, {"epoch", s.epoch}};
    line.update(json_of(r));
    file_.write(line);
    fprintf(stderr, "epoch %.0f  loss %.4f  HR@10 %.4f  NDCG@10 %.4f  MRR %.4f  %.0f s\n", s.epoch, s.loss, r.hr10,
            r.ndcg10, r.mrr, seconds_now() - start_);
  }
  void finish() { file_.finish(); }

 private:
  RunLog file_;
  double start_;
};

void run_train(const RecTrainFlags& f) {
  require_own_folder(f.out, {"model.safetensors"}, f.resume, f.overwrite);
  const ContextPtr context = f.context.make_context();
  const Interactions data = read_data(f.data);
  fprintf(stderr, "%zu users, %jd items, %jd events\n", data.users.size(), data.item_count(), data.events());
  if (std::none_of(data.histories.begin(), data.histories.end(),
                   [](const std::vector<Event>& h) { return h.size() >= 3; }))
    fail(Status::invalid_argument,
         "%s: no user has three events: two to learn from, and the last, which is kept for the evaluation",
         f.data.c_str());
  const auto model = SequenceModel::create(context, f.config(data.item_count()), f.seed);
  model->set_item_names({std::span(data.items).subspan(1), "item"});
  SequenceTrainer trainer(model, f.options());
  trainer.learn(without_last(data));
  const std::string checkpoint = f.path("checkpoint.safetensors");
  if (f.resume) trainer.resume(checkpoint);
  os::make_folder(f.out);
  if (f.overwrite) std::remove(checkpoint.c_str());
  TrainLog log(f.path("log.jsonl"), f.resume ? trainer.done_steps() : RunLog::kAnew);
  Interrupt interrupt;
  const auto stop = [&] { return interrupt.requested(); };
  ProgressBar bar("training");
  const int64_t per_epoch = trainer.total_steps() / f.epochs, first = trainer.done_steps();
  StepsLeftOut left_out;
  try {
    while (trainer.done_steps() < trainer.total_steps()) {
      const SequenceStep s = trainer.step(stop);
      log.step(s);
      left_out.see(s.step, s.loss, s.grad_norm);
      char note[40];
      snprintf(note, sizeof note, "loss %.4f", s.loss);
      bar.update(uint64_t(s.step), uint64_t(trainer.total_steps()), note, uint64_t(first));
      const bool last = s.step == trainer.total_steps();
      if (last || (f.evaluate_every > 0 && s.step % (per_epoch * f.evaluate_every) == 0)) {
        if (f.evaluate_every > 0) log.evaluated(s, evaluate_ranking(data, scorer_of(model), f.max_sequence, stop));
        trainer.save(checkpoint);
      }
    }
  } catch (const Error& e) {
    if (e.status() != Status::cancelled) throw;
    trainer.save(checkpoint);
    log.finish();
    fail(Status::cancelled, "stopped after step %jd of %jd; --resume goes on from %s", trainer.done_steps(),
         trainer.total_steps(), checkpoint.c_str());
  }
  log.finish();
  left_out.require_some_learned(trainer.done_steps() - first);
  model->save(f.path("model.safetensors"));
  print_format("%s\n", f.path("model.safetensors").c_str());
}

void add_rec_train(const Verb& rec) {
  const auto f = std::make_shared<RecTrainFlags>();
  const Verb verb(rec, "train", "Train a sequence model on everything but each user's last event");
  verb.config("a TOML file with these options by their long names");
  verb.option("--data", f->data, kData).required();
  verb.option("--out", f->out, "folder of the model, the log and checkpoints").required();
  verb.option("--model", f->model, "hstu (default), hstu-large or sasrec");
  verb.option("--epochs", f->epochs, "times through the users (default 101)").within(1, 1e9);
  verb.option("--users", f->users, "of a step (default 128)").within(1, 1e9);
  verb.option("--negatives", f->negatives, "items drawn for each event (default 128)").within(1, 65536);
  verb.option("--lr", f->learning_rate, "learning rate (default 1e-3)").within(1e-9, 100);
  verb.option("--dropout", f->dropout, "share of values dropped (default 0.2)").within(0, 0.99);
  verb.option("--max-sequence", f->max_sequence, "events of a history that count (default 200)").within(1, 65536);
  verb.option("--pass-rows", f->rows_per_pass, "events computed at once (default 2048): bounds memory").within(1, 1e9);
  verb.option("--evaluate-every", f->evaluate_every,
              "epochs between evaluations and checkpoints (default 10); 0: none, one checkpoint at the end")
      .within(0, 1e9);
  verb.option("--seed", f->seed, "of new weights, the order of users, drawn items and dropout (default 42)");
  const Option goes_on = verb.flag(
      "--resume", f->resume, "go on from the checkpoint in --out; with more --epochs than before it goes further");
  verb.flag("--overwrite", f->overwrite,
            "begin anew where --out holds a run of before: its log and checkpoint are removed")
      .excludes(goes_on);
  f->context.add_machine(verb);
  verb.run([f] { run_train(*f); });
}

// ---- eval ----

struct EvalFlags {
  ModelFlags model;
  std::string data, baseline, plot;
  int64_t window = 200;
  bool by_number = false;
};

std::string popularity_svg(const std::string& scorer, const RankingReport& r) {
  std::vector<std::string> tenths;
  for (size_t d = 1; d <= r.hr10_by_decile.size(); ++d) tenths.push_back(std::to_string(d));
  return bar_plot("HR@10 by popularity of the last item: tenths of the users, the least popular first", tenths,
                  {{scorer, {}, r.hr10_by_decile}});
}

Scorer baseline_of(const EvalFlags& f, const Interactions& data) {
  if (f.baseline == "popularity") return popularity_scorer(data);
  if (f.baseline == "knn") return item_knn_scorer(data, 1, INT64_MAX);
  if (f.baseline == "recent-knn") return item_knn_scorer(data, 0.8, 50);
  if (f.baseline == "markov") return markov_scorer(data);
  fail(Status::invalid_argument, "--baseline is '%s', expected popularity, knn, recent-knn or markov",
       f.baseline.c_str());
}

void run_eval(const EvalFlags& f) {
  if (f.model.path.empty() && f.baseline.empty()) usage_error_missing("MODEL or --baseline");
  if (!f.model.path.empty() && !f.baseline.empty())
    fail(Status::invalid_argument, "MODEL and --baseline are both given: expected one of them");
  const auto report_of = [&](const Interactions& data, const Scorer& scorer) {
    Interrupt interrupt;
    return evaluate_ranking(data, scorer, f.window, [&] { return interrupt.requested(); });
  };
  RankingReport report;
  if (f.model.path.empty()) {
    const Interactions data = read_data(f.data);
    report = report_of(data, baseline_of(f, data));
  } else {
    const auto model = SequenceModel::load(f.model.make_context(), f.model.path);
    report = report_of(data_for(*model, f.data, f.by_number), scorer_of(model));
  }
  if (!f.plot.empty()) write_text(f.plot, popularity_svg(f.baseline.empty() ? f.model.path : f.baseline, report));
  print(json_text(json_of(report)) + "\n");
}

void add_rec_eval(const Verb& rec) {
  const auto f = std::make_shared<EvalFlags>();
  const Verb verb(rec, "eval",
                  "Rank the whole catalogue for each user's last event: HR, NDCG, MRR as one line of JSON");
  verb.option("MODEL", f->model.path, "a model that train made");
  verb.option("--data", f->data, kData).required();
  verb.option("--baseline", f->baseline, "instead of a model: popularity, knn, recent-knn or markov");
  verb.output("--plot", f->plot, "file for a picture (SVG) of HR@10 by the items' popularity");
  verb.option("--window", f->window, "events before the last one that are looked at and count as seen (default 200)")
      .within(1, 1e9);
  verb.flag("--by-number", f->by_number, kByNumber);
  f->model.add_machine(verb);
  verb.run([f] { run_eval(*f); });
}

// ---- recommend ----

struct RecommendFlags {
  ModelFlags model;
  std::string data, user, index;
  int64_t count = 10;
  bool seen = false, by_number = false;
};

// As CSV has it where it would be taken apart otherwise.
std::string as_field(const std::string& name) {
  if (name.find_first_of("\t\r\n\"") == std::string::npos) return name;
  std::string quoted = "\"";
  for (const char c : name) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + "\"";
}

void run_recommend(const RecommendFlags& f) {
  const auto model = SequenceModel::load(f.model.make_context(), f.model.path);
  const Interactions data = data_for(*model, f.data, f.by_number);
  const int64_t user = data.user(f.user);
  if (user < 0)
    fail(Status::invalid_argument, "there is no user '%s' in %s%s", shown(f.user).c_str(), f.data.c_str(),
         did_you_mean(f.user, data.users).c_str());
  const std::vector<Event>& events = data.histories[size_t(user)];
  UserState state(model);
  for (const Event& e : events)
    if (e.item != 0) state.append(e);
  if (state.events().empty())
    fail(Status::invalid_argument, "the model knows none of the items of user '%s'", shown(f.user).c_str());
  const int64_t count = std::min(f.count, model->config().items);
  std::string lines;
  for (const Hit& h :
       Recommender(model, open_index(*model, f.index)).recommend(state, events.back().time, {count, f.seen, nullptr})) {
    char score[32];
    snprintf(score, sizeof score, "\t%.6f\n", double(h.score));
    lines += as_field(data.items[size_t(h.item)]) + score;
  }
  print(lines);
}

void add_rec_recommend(const Verb& rec) {
  const auto f = std::make_shared<RecommendFlags>();
  const Verb verb(rec, "recommend", "What a user may like next: items and scores, best first");
  verb.option("MODEL", f->model.path, "a model that train made").required();
  verb.option("--data", f->data, "interactions with the user's history: those it was trained on, or later ones")
      .required();
  verb.option("--user", f->user, "the user's name in the data").required();
  verb.option("-n,--count", f->count, "how many (default 10)").within(1, 1e9);
  verb.option("--index", f->index, "a graph that index made: items are walked to instead of all looked at");
  verb.flag("--seen", f->seen, "also what the user has had already");
  verb.flag("--by-number", f->by_number, kByNumber);
  f->model.add_machine(verb);
  verb.run([f] { run_recommend(*f); });
}

}  // namespace

void add_rec(CLI::App& app) {
  const Verb rec(app, "rec", "Recommenders: train, evaluate, ask");
  rec.require_verb();
  add_rec_train(rec);
  add_rec_eval(rec);
  add_rec_recommend(rec);
  add_rec_rank(rec);
  add_rec_index(rec);
  add_rec_online(rec);
  add_rec_cold(rec);
}

}  // namespace puna::cli
