// puna rec: recommenders. train, eval and recommend share how interactions and models are opened.
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/os.h"
#include "common.h"
#include "interrupt.h"
#include "progress.h"
#include "puna/base/error.h"
#include "puna/recsys/evaluate.h"
#include "puna/recsys/recommender.h"
#include "puna/recsys/sequence_trainer.h"
#include "rec.h"
#include "svg_plot.h"
#include "verbs.h"

namespace puna::cli {
namespace {

using namespace recsys;

nlohmann::ordered_json json_of(const RankingReport& r) {
  return {{"users", r.users}, {"hr@1", r.hr1}, {"hr@10", r.hr10}, {"hr@50", r.hr50}, {"hr@200", r.hr200}, {"ndcg@10", r.ndcg10}, {"ndcg@50", r.ndcg50},
          {"mrr", r.mrr}, {"ndcg@10_standard_error", r.ndcg10_error}, {"targets_seen_before", r.seen_targets}, {"hr@10_by_popularity_decile", r.hr10_by_decile}};
}

void require_items(const SequenceModel& model, const Interactions& data) {
  if (model.config().items != data.item_count())
    fail(Status::invalid_argument, "the model knows %lld items, the data has %lld: they do not belong together", static_cast<long long>(model.config().items),
         static_cast<long long>(data.item_count()));
}

// ---- train ----

struct TrainFlags {
  ModelFlags context;
  std::string data, out, model = "hstu";
  int64_t epochs = 101, users = 128, negatives = 128, evaluate_every = 10, max_sequence = 200, rows_per_pass = 2048;
  float learning_rate = 1e-3f, dropout = 0.2f;
  uint64_t seed = 42;
  bool resume = false;

  SequenceConfig config(int64_t items) const {
    SequenceConfig c = model == "sasrec" ? SequenceConfig::sasrec(items) : model == "hstu-large" ? SequenceConfig::hstu_large(items) : SequenceConfig::hstu(items);
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
class RunLog {
 public:
  RunLog(const std::string& path, bool append) : file_(path, append ? std::ios::app : std::ios::trunc), start_(seconds_now()) {}
  void step(const SequenceStep& s) {
    write({{"step", s.step}, {"epoch", s.epoch}, {"loss", s.loss}, {"grad_norm", s.grad_norm}, {"rows", s.rows}, {"seconds", seconds_now() - start_}});
  }
  void evaluated(const SequenceStep& s, const RankingReport& r) {
    nlohmann::ordered_json line{{"step", s.step}, {"epoch", s.epoch}};
    line.update(json_of(r));
    write(line);
    fprintf(stderr, "epoch %.0f  loss %.4f  HR@10 %.4f  NDCG@10 %.4f  MRR %.4f  %.0f s\n", s.epoch, s.loss, r.hr10, r.ndcg10, r.mrr, seconds_now() - start_);
  }

 private:
  void write(const nlohmann::ordered_json& line) { file_ << line.dump() << "\n" << std::flush; }
  std::ofstream file_;
  double start_;
};

void run_train(const TrainFlags& f) {
  const ContextPtr context = f.context.make_context();
  const Interactions data = read_interactions(f.data);
  fprintf(stderr, "%zu users, %lld items, %lld events\n", data.users.size(), static_cast<long long>(data.item_count()), static_cast<long long>(data.events()));
  os::make_folder(f.out);
  const auto model = SequenceModel::create(context, f.config(data.item_count()), f.seed);
  SequenceTrainer trainer(model, f.options());
  trainer.learn(without_last(data));
  const std::string checkpoint = f.path("checkpoint.safetensors");
  if (f.resume) trainer.resume(checkpoint);
  RunLog log(f.path("log.jsonl"), f.resume);
  Interrupt interrupt;
  const auto stop = [&] { return interrupt.requested(); };
  ProgressBar bar("training");
  const int64_t per_epoch = trainer.total_steps() / f.epochs;
  try {
    while (trainer.done_steps() < trainer.total_steps()) {
      const SequenceStep s = trainer.step(stop);
      log.step(s);
      bar.update(uint64_t(s.step), uint64_t(trainer.total_steps()));
      const bool last = s.step == trainer.total_steps();
      if (last || (f.evaluate_every > 0 && s.step % (per_epoch * f.evaluate_every) == 0)) {
        if (f.evaluate_every > 0) log.evaluated(s, evaluate_ranking(data, scorer_of(model), f.max_sequence, stop));
        trainer.save(checkpoint);
      }
    }
  } catch (const Error& e) {
    if (e.status() != Status::cancelled) throw;
    trainer.save(checkpoint);
    fail(Status::cancelled, "stopped after step %lld of %lld; --resume goes on from %s", static_cast<long long>(trainer.done_steps()),
         static_cast<long long>(trainer.total_steps()), checkpoint.c_str());
  }
  model->save(f.path("model.safetensors"));
  printf("%s\n", f.path("model.safetensors").c_str());
}

void add_rec_train(const Verb& rec) {
  const auto f = std::make_shared<TrainFlags>();
  const Verb verb(rec, "train", "Train a sequence model on everything but each user's last event");
  verb.config("a TOML file with these options by their long names");
  verb.option("--data", f->data, "interactions: .inter, u.data, ratings.dat or CSV").required();
  verb.option("--out", f->out, "folder of the model, the log and checkpoints").required();
  verb.option("--model", f->model, "hstu (default), hstu-large or sasrec");
  verb.option("--epochs", f->epochs, "times through the users (default 101)").at_least(1);
  verb.option("--users", f->users, "of a step (default 128)").at_least(1);
  verb.option("--negatives", f->negatives, "items drawn for each event (default 128)").at_least(1);
  verb.option("--lr", f->learning_rate, "learning rate (default 1e-3)");
  verb.option("--dropout", f->dropout, "share of values dropped (default 0.2)");
  verb.option("--max-sequence", f->max_sequence, "events of a history that count (default 200)").at_least(1);
  verb.option("--pass-rows", f->rows_per_pass, "events computed at once (default 2048): bounds memory").at_least(1);
  verb.option("--evaluate-every", f->evaluate_every, "epochs between evaluations and checkpoints (default 10); 0: none, one checkpoint at the end").at_least(0);
  verb.option("--seed", f->seed, "of new weights, the order of users, drawn items and dropout (default 42)");
  verb.flag("--resume", f->resume, "go on from the checkpoint in --out");
  f->context.add_machine(verb);
  verb.run([f] { run_train(*f); });
}

// ---- eval ----

struct EvalFlags {
  ModelFlags model;
  std::string data, baseline, plot;
  int64_t window = 200;
};

std::string popularity_svg(const std::string& scorer, const RankingReport& r) {
  std::vector<std::string> tenths;
  for (size_t d = 1; d <= r.hr10_by_decile.size(); ++d) tenths.push_back(std::to_string(d));
  return bar_plot("HR@10 by popularity of the last item: tenths of the users, the least popular first", tenths, {{scorer, {}, r.hr10_by_decile}});
}

Scorer scorer_of(const EvalFlags& f, const Interactions& data) {
  if (f.baseline == "popularity") return popularity_scorer(data);
  if (f.baseline == "knn") return item_knn_scorer(data, 1, INT64_MAX);
  if (f.baseline == "recent-knn") return item_knn_scorer(data, 0.8, 50);
  if (f.baseline == "markov") return markov_scorer(data);
  if (!f.baseline.empty()) fail(Status::invalid_argument, "--baseline is '%s', expected popularity, knn, recent-knn or markov", f.baseline.c_str());
  if (f.model.path.empty()) usage_error_missing("MODEL or --baseline");
  const auto model = SequenceModel::load(f.model.make_context(), f.model.path);
  require_items(*model, data);
  return recsys::scorer_of(model);
}

void add_rec_eval(const Verb& rec) {
  const auto f = std::make_shared<EvalFlags>();
  const Verb verb(rec, "eval", "Rank the whole catalogue for each user's last event: HR, NDCG, MRR as one line of JSON");
  verb.option("MODEL", f->model.path, "a model that train made");
  verb.option("--data", f->data, "interactions: .inter, u.data, ratings.dat or CSV").required();
  verb.option("--baseline", f->baseline, "instead of a model: popularity, knn, recent-knn or markov");
  verb.option("--plot", f->plot, "file for a picture (SVG) of HR@10 by the items' popularity");
  verb.option("--window", f->window, "events before the last one that are looked at and count as seen (default 200)").at_least(1);
  f->model.add_machine(verb);
  verb.run([f] {
    const Interactions data = read_interactions(f->data);
    Interrupt interrupt;
    const RankingReport report = evaluate_ranking(data, scorer_of(*f, data), f->window, [&] { return interrupt.requested(); });
    if (!f->plot.empty()) write_text(f->plot, popularity_svg(f->baseline.empty() ? f->model.path : f->baseline, report));
    printf("%s\n", json_of(report).dump().c_str());
  });
}

// ---- recommend ----

struct RecommendFlags {
  ModelFlags model;
  std::string data, user, index;
  int64_t count = 10;
  bool seen = false;
};

void run_recommend(const RecommendFlags& f) {
  const auto model = SequenceModel::load(f.model.make_context(), f.model.path);
  const Interactions data = read_interactions(f.data);
  require_items(*model, data);
  const int64_t user = data.user(f.user);
  if (user < 0) fail(Status::invalid_argument, "there is no user '%s' in %s", f.user.c_str(), f.data.c_str());
  const std::vector<Event>& events = data.histories[size_t(user)];
  UserState state(model);
  for (const Event& e : events) state.append(e);
  for (const Hit& h : Recommender(model, open_index(*model, f.index)).recommend(state, events.back().time, {f.count, f.seen, nullptr}))
    printf("%s\t%.6f\n", data.items[size_t(h.item)].c_str(), double(h.score));
}

void add_rec_recommend(const Verb& rec) {
  const auto f = std::make_shared<RecommendFlags>();
  const Verb verb(rec, "recommend", "What a user may like next: items and scores, best first");
  verb.option("MODEL", f->model.path, "a model that train made").required();
  verb.option("--data", f->data, "the interactions it was trained on, with the user's history").required();
  verb.option("--user", f->user, "the user's name in the data").required();
  verb.option("-n,--count", f->count, "how many (default 10)").at_least(1);
  verb.option("--index", f->index, "a graph that index made: items are walked to instead of all looked at");
  verb.flag("--seen", f->seen, "also what the user has had already");
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
