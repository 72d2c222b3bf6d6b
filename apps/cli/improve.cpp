// puna improve: from the items that a model is weak on to labels, to an adapter that learned from them, to a paired
// comparison on items that it never saw. docs/evaluation.md
//
//   score      held-out items, the regression set and the pool, by the model as it is
//   leave out  what stands in test items, and what is there twice
//   choose     the weakest of the pool, as many as the budget has
//   label      by the pool's own answers, or by people on the page of puna label serve
//   learn      an adapter, by SFT or DPO
//   score      again, and compare item by item
#include "improve.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <map>
#include <sstream>

#include "base/hash.h"
#include "base/json.h"
#include "base/os.h"
#include "improve/labels.h"
#include "improve/report.h"
#include "label.h"
#include "puna/base/error.h"
#include "puna/eval/compare.h"
#include "puna/runtime/adapter_file.h"
#include "run_log.h"
#include "training_data.h"
#include "verbs.h"

namespace puna::cli {

int64_t labels_of(const std::string& budget) {
  std::string number = budget.substr(0, budget.find('-'));
  int64_t n = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), n);
  const bool unit = budget.size() == number.size() || budget.substr(number.size()) == "-labels";
  PUNA_REQUIRE(error == std::errc() && end == number.data() + number.size() && unit && n >= 2 && n <= 10'000'000,
               "the budget is '%s', expected a number of labels, as 200-labels", printable(budget).c_str());
  return n;
}

std::vector<uint64_t> seeds_of(const std::vector<std::string>& given) {
  std::vector<uint64_t> seeds;
  for (const std::string& word : split_names(given)) {
    uint64_t seed = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), seed);
    PUNA_REQUIRE(error == std::errc() && end == word.data() + word.size(), "a seed is '%s', expected a whole number",
                 printable(word).c_str());
    PUNA_REQUIRE(std::find(seeds.begin(), seeds.end(), seed) == seeds.end(),
                 "--seed has %ju twice: each is a model of its own", uintmax_t(seed));
    seeds.push_back(seed);
  }
  return seeds.empty() ? std::vector<uint64_t>{1} : seeds;
}

KeptRound::KeptRound(std::string folder, uint64_t made_from)
    : path_(folder + "/round.json"), made_from_(hex_of(made_from)) {}

std::optional<OrderedJson> KeptRound::find() const {
  constexpr uint64_t kLargest = uint64_t(1) << 30;
  if (!os::is_file(path_)) return std::nullopt;
  OrderedJson kept = parse_ordered_json(os::read_file(path_, kLargest), path_.c_str());
  const JsonGuard guard(kept);
  const auto from = kept.is_object() ? kept.find("made_from") : kept.end();
  if (from == kept.end() || !is_text(*from, made_from_) || !kept.contains("results")) return std::nullopt;
  return std::move(kept["results"]);
}

void KeptRound::keep(const OrderedJson& results) const {
  write_text(path_, json_text({{"made_from", made_from_}, {"results", results}}) + "\n");
}

namespace {

// The model's file, or the files of its folder, by their names, sizes and times.
void add_model(Hash& hash, const std::string& path) {
  hash.add(path);
  const auto add = [&](const std::string& file) {
    if (!os::is_file(file)) return;
    const os::FileStamp stamp = os::file_stamp(file);
    hash.add(file);
    hash.add_value(stamp.bytes);
    hash.add_value(stamp.time);
  };
  add(path);
  if (!os::is_directory(path)) return;
  for (const std::string& name : os::list_folder(path)) add(path + "/" + name);
}

}  // namespace

Hash hash_of_learning(const ImproveFlags& f) {
  Hash hash;
  add_model(hash, f.model.path);
  hash.add(f.method);
  hash.add(f.model.providers);
  for (const int64_t n : {f.learn.rank, f.learn.epochs, f.learn.step_tokens}) hash.add_value(n);
  for (const float x : {f.learn.learning_rate, f.learn.beta}) hash.add_value(x);
  return hash;
}

void fail_changed(const std::string& path) {
  fail(Status::bad_file, "%s was changed since it was written: delete it, and it is made again", path.c_str());
}

void require_begun(const ImproveFlags& f) {
  if (!f.resume) return;
  if (os::is_directory(f.out))
    for (const std::string& name : os::list_folder(f.out))
      if (name == "base" || name.find("-seed") != name.npos) return;
  fail(Status::invalid_argument, "--resume: there is no run in %s to go on with; without it one begins", f.out.c_str());
}

void require_learnable(const ImproveFlags& f, const ModelPtr& model) {
  LearnOptions options = f.learn;
  options.dpo = f.method == "dpo" || !f.pairs.empty();
  options.providers = f.model.providers_of_training();
  const AdapterTraining training(model, options);
}

void require_own_reports(const ImproveFlags& f) {
  const char* const instead = "give another --out";
  require_ours(
      f.out + "/report.md",
      [](std::string_view begin) {
        return begin.starts_with("# What ") && begin.substr(0, begin.find('\n')).ends_with(" gained");
      },
      instead);
  require_ours(
      f.out + "/report.json", [](std::string_view begin) { return begin.starts_with("{\"level\":"); }, instead);
}

// A namespace of its own: files are compiled together, and what these names mean elsewhere is another thing.
namespace improving {
namespace {

using namespace improve;

struct Arm {
  Choose choose;
  int64_t labels;
  std::string name;
};

// "margin:140"
Arm arm_of(const std::string& text, int64_t budget) {
  const size_t colon = text.find(':');
  Arm a{choose_of(text.substr(0, colon)), colon == text.npos ? budget : labels_of(text.substr(colon + 1)), ""};
  a.name = std::string(kChooseNames[int(a.choose)]) + "-" + std::to_string(a.labels);
  return a;
}

Items read(const std::string& path) {
  const DataFile file(path);
  Items items = stoppable([&](const Watch& watch) { return read_items(file.bytes(), path, watch); });
  say_notes(items.notes);
  return items;
}

// The base model's scores, kept beside the run: they are the same for all ways to choose and all seeds.
std::string fingerprint(const ImproveFlags& f, const std::vector<Item>& items) {
  Hash hash;
  add_model(hash, f.model.path);
  for (const Item& i : items) {
    hash.add(i.prompt);
    for (const std::string& c : i.choices) hash.add(c);
  }
  return hex_of(hash.value());
}

OrderedJson json_of(const std::vector<Score>& scores) {
  OrderedJson list = OrderedJson::array();
  for (const Score& s : scores) list.push_back(s.log_likelihood);
  return list;
}

std::vector<Score> scores_of(const OrderedJson& list) {
  std::vector<Score> scores;
  for (const OrderedJson& ll : list) scores.push_back({ll.get<std::vector<double>>()});
  return scores;
}

std::vector<Score> base_scores(const ImproveFlags& f, const ModelPtr& model, const std::vector<Item>& items,
                               const std::string& name, const Interrupt& interrupt) {
  const std::string path = f.out + "/base/" + name + ".scores.json", print = fingerprint(f, items);
  if (os::is_file(path)) {
    Json kept = parse_json(os::read_file(path, uint64_t(1) << 30), path.c_str());
    const JsonGuard guard(kept);
    if (!kept.is_object()) fail_changed(path);
    if (is_text(kept["fingerprint"], print) && kept["scores"].size() == items.size()) try {
        std::vector<Score> scores;
        for (const Json& ll : kept["scores"]) scores.push_back({ll.get<std::vector<double>>()});
        return scores;
      } catch (const Json::exception&) {
        fail_changed(path);
      }
  }
  std::vector<Score> scores = score_items(model, nullptr, items, ("scoring " + name).c_str(), interrupt);
  os::make_folder(f.out + "/base");
  write_text(path, json_text({{"fingerprint", print}, {"scores", json_of(scores)}}) + "\n");
  return scores;
}

eval::TaskRun run_of(const std::string& task, const std::string& file, const std::vector<Item>& items,
                     const std::vector<Score>& scores) {
  eval::TaskRun run;
  run.task = task;
  run.metric = "acc";
  run.metrics = {"acc"};
  run.filter = "none";
  run.file = file;
  for (size_t i = 0; i < items.size(); ++i) {
    eval::ScoredItem s;
    s.item = items[i].item;
    s.cluster = items[i].cluster;
    s.score = scores[i].right(items[i]);
    Hash data;
    for (const std::string& c : items[i].choices) data.add(c);
    s.prompt_hash = hex_of(hash_of(items[i].prompt));
    s.data_hash = hex_of(data.value());
    s.target_hash = std::to_string(items[i].answer);
    run.items.push_back(std::move(s));
  }
  return run;
}

// As `puna eval compare` reads it.
void write_run(const std::string& path, const eval::TaskRun& run) {
  std::string text;
  for (const eval::ScoredItem& s : run.items) {
    OrderedJson line = {{"task", run.task}, {"item", s.item}, {"score", s.score}};
    if (!s.cluster.empty()) line["cluster"] = s.cluster;
    line["data_hash"] = s.data_hash;
    line["prompt_hash"] = s.prompt_hash;
    line["target_hash"] = s.target_hash;
    text += json_text(line) + "\n";
  }
  write_text(path, text);
}

struct Tests {
  Items held_out, regression;
  std::vector<eval::TaskRun> runs(const std::vector<Score>& held, const std::vector<Score>& other,
                                  const std::string& folder) const {
    std::vector<eval::TaskRun> all = {run_of("held-out", held_out.file, held_out.all, held)};
    if (!regression.all.empty()) all.push_back(run_of("regression", regression.file, regression.all, other));
    for (const eval::TaskRun& run : all) write_run(folder + "/" + run.task + ".jsonl", run);
    return all;
  }
};

void require_answers(const Items& items, const char* flag) {
  for (const Item& i : items.all)
    if (i.answer < 0)
      fail(Status::bad_file, "%s: item '%s' has no \"answer\", without which %s items say nothing", items.file.c_str(),
           printable(i.item).c_str(), flag);
}

// What a model became by some labels, and how it answers since.
struct Outcome {
  int64_t steps = 0, tokens = 0;
  double first_loss = 0, last_loss = 0, seconds = 0;
  std::vector<Score> held_out, regression;
};

OrderedJson json_of(const Outcome& o) {
  return {{"steps", o.steps},
          {"tokens", o.tokens},
          {"first_loss", o.first_loss},
          {"last_loss", o.last_loss},
          {"seconds", o.seconds},
          {"held_out", json_of(o.held_out)},
          {"regression", json_of(o.regression)}};
}

Outcome outcome_of(const OrderedJson& j, const Tests& tests, const std::string& path) {
  Outcome o;
  try {
    o.steps = j.at("steps");
    o.tokens = j.at("tokens");
    o.first_loss = j.at("first_loss");
    o.last_loss = j.at("last_loss");
    o.seconds = j.at("seconds");
    o.held_out = scores_of(j.at("held_out"));
    o.regression = scores_of(j.at("regression"));
  } catch (const OrderedJson::exception&) {
    fail_changed(path);
  }
  if (o.held_out.size() != tests.held_out.all.size() || o.regression.size() != tests.regression.all.size())
    fail_changed(path);
  return o;
}

void add_items(Hash& hash, const std::vector<Item>& items) {
  for (const Item& i : items) {
    hash.add(i.prompt);
    hash.add_value(i.answer);
    for (const std::string& c : i.choices) hash.add(c);
  }
}

// Learned and scored, or, where --resume finds that it was before, as it was then.
Outcome outcome(const ImproveFlags& f, const Round& r, const ModelPtr& model, const std::vector<Labelled>& labels,
                const std::vector<Score>& of_labels, const Tests& tests, const Interrupt& interrupt) {
  Hash made_from = hash_of_learning(f);
  made_from.add_value(r.seed);
  for (const Labelled& l : labels) {
    add_items(made_from, {*l.item});
    made_from.add_value(l.label);
  }
  add_items(made_from, tests.held_out.all);
  add_items(made_from, tests.regression.all);
  const KeptRound kept(r.folder, made_from.value());
  if (f.resume && os::is_directory(r.folder + "/adapter"))
    if (const auto before = kept.find()) {
      fprintf(stderr, "puna: %s: was learned already\n", r.name.c_str());
      return outcome_of(*before, tests, r.folder + "/round.json");
    }
  LearnOptions options = f.learn;
  options.dpo = f.method == "dpo";
  options.seed = r.seed;
  options.providers = f.model.providers_of_training();
  const Learned learned = learn(model, labels, of_labels, options, interrupt);
  save_adapter(*learned.adapter, r.folder + "/adapter");
  Outcome o{learned.steps, learned.tokens, learned.first_loss, learned.last_loss, learned.seconds, {}, {}};
  o.held_out = score_items(model, learned.adapter, tests.held_out.all, "scoring held-out", interrupt);
  o.regression = score_items(model, learned.adapter, tests.regression.all, "scoring regression", interrupt);
  kept.keep(json_of(o));
  fprintf(stderr, "puna: %s: learned from %zu labels in %.0f s\n", r.name.c_str(), labels.size(), o.seconds);
  return o;
}

// Puts the chosen items into the folder's store, once; then what has been decided of them.
Decided labels_in(const ImproveFlags& f, const std::string& folder, const Items& pool,
                  const std::vector<int64_t>& chosen) {
  const std::string db = folder + "/labels.db";
  const auto store = label::open_label_store(db);
  if (store->projects().empty()) put_labels(*store, pool, chosen, f.wanted, f.ask_people, f.pool, milliseconds_now());
  return stoppable([&](const Watch& watch) { return decided_labels(*store, pool, label::method_of(f.decide), watch); });
}

// The mean of an arm's runs: of each item the share of seeds that got it right.
eval::Run mean_of(const std::string& name, const std::vector<const eval::TaskRun*>& runs) {
  eval::Run mean;
  mean.name = name;
  mean.tasks = {*runs[0]};
  for (size_t i = 0; i < runs[0]->items.size(); ++i) {
    double sum = 0;
    for (const eval::TaskRun* r : runs) sum += r->items[i].score;
    mean.tasks[0].items[i].score = sum / double(runs.size());
  }
  return mean;
}

// By the number that our stores have in SQLite's header (label_store.cpp): 0 while it stands in the log beside alone.
bool is_label_store(std::string_view begin, bool has_log) {
  constexpr size_t kApplicationId = 68;
  if (!begin.starts_with("SQLite format 3") || begin.size() < kApplicationId + 4) return false;
  const std::string_view id = begin.substr(kApplicationId, 4);
  return id == "PUla" || (has_log && id == std::string_view("\0\0\0\0", 4));
}

// What stands in the way of a round, of all rounds before the first begins.
void require_free(const ImproveFlags& f, const std::string& folder) {
  const std::string db = folder + "/labels.db";
  if (!os::is_file(db) || f.resume) return;
  const bool has_log = os::is_file(db + "-wal");
  require_ours(
      db, [&](std::string_view begin) { return is_label_store(begin, has_log); }, "give another --out");
  if (!f.overwrite)
    fail(Status::invalid_argument, "%s has the labels of a run: --resume goes on with them, --overwrite begins anew",
         folder.c_str());
}

void make_round(const ImproveFlags& f, const std::string& folder) {
  os::make_folder(folder);
  if (!f.overwrite) return;
  for (const char* file : {"labels.db", "labels.db-wal", "labels.db-shm", "round.json"})
    std::remove((folder + "/" + file).c_str());
}

void run_improve(const ImproveFlags& f) {
  if (f.model.path.empty()) usage_error_missing("MODEL");
  require_makeable(f.out);
  require_own_reports(f);
  require_begun(f);
  PUNA_REQUIRE(f.method == "sft" || f.method == "dpo", "--method is '%s', expected sft or dpo", f.method.c_str());
  if (!f.pairs.empty()) return improve_by_pairs(f);
  if (f.pool.empty() || f.held_out.empty()) usage_error_missing("--pool and --held-out, or --pairs");
  const int64_t budget = labels_of(f.budget);
  std::vector<Arm> arms;
  for (const std::string& text : split_names(f.arms)) arms.push_back(arm_of(text, budget));
  if (arms.empty()) arms.push_back(arm_of("margin", budget));
  for (size_t a = 0; a < arms.size(); ++a)
    for (size_t b = 0; b < a; ++b)
      PUNA_REQUIRE(arms[a].name != arms[b].name, "--arm has %s twice: each is a model of its own",
                   arms[a].name.c_str());
  const std::vector<uint64_t> seeds = seeds_of(f.seeds);
  label::method_of(f.decide);
  const auto folder_of = [&](const Arm& arm, uint64_t seed) {
    return f.out + "/" + arm.name + "-seed" + std::to_string(seed);
  };
  for (const Arm& arm : arms)
    for (const uint64_t seed : seeds) require_free(f, folder_of(arm, seed));
  Items pool = read(f.pool);
  Tests tests{read(f.held_out), f.regression.empty() ? Items() : read(f.regression)};
  require_answers(tests.held_out, "--held-out");
  require_answers(tests.regression, "--regression");
  const bool asks = f.ask_people || pool.answered() < int64_t(pool.all.size());
  for (const Option& o : f.of_people)
    o.require_read(asks, "where people label: with --ask-people, or where the pool's items have no answers");
  if (asks && arms.size() * seeds.size() > 1)
    fail(Status::invalid_argument, "people label for one --arm and one --seed at a time, not for %zu",
         arms.size() * seeds.size());

  Facts facts{f.model.path, f.pool, f.held_out, f.regression, f.method};
  facts.tolerance = double(f.tolerance);
  facts.pool_items = int64_t(pool.all.size());
  const auto texts = [](const Items& items) {
    std::vector<std::string_view> all;
    for (const Item& i : items.all) all.push_back(i.text);
    return all;
  };
  std::vector<std::string_view> test_texts = texts(tests.held_out);
  for (const std::string_view t : texts(tests.regression)) test_texts.push_back(t);
  const Checked checked = stoppable([&](const Watch& watch) { return check_texts(texts(pool), test_texts, watch); });
  facts.duplicates = checked.duplicates;
  facts.near_tests = checked.near_tests;
  facts.in_tests = checked.in_tests;
  size_t kept = 0;
  for (size_t i = 0; i < pool.all.size(); ++i)
    if (checked.kept[i]) pool.all[kept++] = pool.all[i];
  pool.all.resize(kept);
  for (const Arm& a : arms)
    if (a.labels > int64_t(kept))
      fail(Status::invalid_argument, "%s has %zu items that may be labelled, fewer than the budget of %jd",
           f.pool.c_str(), kept, intmax_t(a.labels));

  const ModelPtr model = f.model.open(/*trains=*/true);
  require_learnable(f, model);
  os::make_folder(f.out);
  Interrupt interrupt;
  const double start = seconds_now();
  const std::vector<Score> held = base_scores(f, model, tests.held_out.all, "held-out", interrupt);
  const std::vector<Score> regression = base_scores(f, model, tests.regression.all, "regression", interrupt);
  const std::vector<Score> scores = base_scores(f, model, pool.all, "pool", interrupt);
  facts.base_seconds = seconds_now() - start;
  std::vector<eval::Run> runs(1);
  runs[0].name = "before";
  runs[0].tasks = tests.runs(held, regression, f.out + "/base");

  std::vector<Round> rounds;
  for (const Arm& arm : arms)
    for (const uint64_t seed : seeds) {
      Round r;
      r.arm = arm.name;
      r.seed = seed;
      r.name = arm.name + "-seed" + std::to_string(seed);
      r.folder = folder_of(arm, seed);
      make_round(f, r.folder);
      std::vector<int64_t> chosen = order_of(pool, scores, arm.choose, seed);
      chosen.resize(size_t(arm.labels));
      const Decided decided = labels_in(f, r.folder, pool, chosen);
      if (decided.waiting > 0) {
        print_format("%jd of %jd items wait for a label. This puts them on a page:\n", intmax_t(decided.waiting),
                     intmax_t(arm.labels));
        print_format("  puna label serve --db %s/labels.db\nThe same command with --resume goes on.\n",
                     r.folder.c_str());
        return;
      }
      std::vector<Labelled> labels;
      std::vector<Score> of_labels;
      for (const auto& [item, label] : decided.labels) {
        labels.push_back({&pool.all[size_t(item)], label});
        of_labels.push_back(scores[size_t(item)]);
      }
      if (labels.empty()) fail(Status::invalid_argument, "%s: no item came to a label", r.folder.c_str());
      const Outcome after = outcome(f, r, model, labels, of_labels, tests, interrupt);
      r.labels = int64_t(labels.size());
      r.undecided = decided.undecided;
      r.people = decided.people;
      r.steps = after.steps;
      r.tokens = after.tokens;
      r.first_loss = after.first_loss;
      r.last_loss = after.last_loss;
      r.seconds = after.seconds;
      eval::Run run;
      run.name = r.name;
      run.tasks = tests.runs(after.held_out, after.regression, r.folder);
      runs.push_back(std::move(run));
      rounds.push_back(std::move(r));
    }

  const eval::CompareOptions compare;
  const eval::Comparison against_base = eval::compare_runs(runs, compare);
  eval::Comparison between;
  if (arms.size() > 1) {
    std::vector<eval::Run> means;
    for (size_t a = arms.size(); a-- > 0;) {  // the last is what the others are compared with
      std::vector<const eval::TaskRun*> of_arm;
      for (size_t i = 0; i < rounds.size(); ++i)
        if (rounds[i].arm == arms[a].name) of_arm.push_back(&runs[i + 1].tasks[0]);
      means.push_back(mean_of(arms[a].name, of_arm));
    }
    between = eval::compare_runs(means, compare);
  }
  const std::string report = report_text(facts, rounds, against_base, between);
  write_text(f.out + "/report.md", report);
  write_text(f.out + "/report.json", json_of(against_base, compare) + "\n");
  print(report);
  fprintf(stderr, "puna: %s/report.md\n", f.out.c_str());
}

}  // namespace
}  // namespace improving

void add_improve(CLI::App& app) {
  const auto f = std::make_shared<ImproveFlags>();
  const Verb verb(app, "improve",
                  "Label what a model is weak on, learn from it, and measure on other items whether it gained");
  verb.refuse_empty_texts();
  // The two ways of using it, and what belongs to one alone.
  const auto by_pairs = [f] { return !f->pairs.empty(); };
  const auto by_items = [f] { return f->pairs.empty(); };
  constexpr const char *kPairs = "with --pairs", *kItems = "without --pairs";
  verb.option("--model,MODEL", f->model.path, "a GGUF file or a Hugging Face folder");
  verb.config("a TOML file with these options by their long names (default: improve.toml, where there is one)",
              "improve.toml");
  verb.option(
          "--pool", f->pool,
          "items to choose from: JSON lines of {\"item\", \"prompt\", \"choices\", \"answer\"} (people give answers "
          "that are missing), or of ARC")
      .read_when(by_items, kItems);
  verb.option("--held-out", f->held_out, "such items that are never learned: the gain is measured on them")
      .read_when(by_items, "without --pairs (--held-out-pairs are pairs)");
  verb.option("--regression", f->regression, "such items of something else, on which nothing should be lost")
      .read_when(by_items, kItems);
  verb.option("--pairs", f->pairs,
              "instead: preferences to learn from, {\"prompt\", \"chosen\", \"rejected\"} (.gz too)");
  verb.option("--held-out-pairs", f->held_out_pairs, "such pairs that are never learned (default: --share of --pairs)")
      .read_when(by_pairs, kPairs);
  verb.option("--share", f->share, "of the pairs that are held out (default 0.2)")
      .within(0.01, 0.9)
      .read_when([f] { return !f->pairs.empty() && f->held_out_pairs.empty(); },
                 "with --pairs and without --held-out-pairs");
  verb.option("--text", f->text, "with --pairs: a text whose perplexity is measured before and after")
      .read_when(by_pairs, kPairs);
  verb.option("--budget", f->budget, "labels, as 200-labels (the default)")
      .read_when(
          [f] {
            const std::vector<std::string> arms = split_names(f->arms);
            const auto has_number = [](const std::string& arm) { return arm.find(':') != arm.npos; };
            return arms.empty() || !std::all_of(arms.begin(), arms.end(), has_number);
          },
          "where an --arm has no number of its own");
  verb.option("--arm", f->arms,
              "how the items are chosen, random, margin (default), entropy or errors, and how many: margin:140; each "
              "of several is a model of its own, and the last one is what the others are compared with");
  verb.option("--seed", f->seeds, "of choosing and learning (default 1); 1,2,3: a model each");
  verb.option("--method", f->method, "sft (default), or dpo: the label against the choice the model likes best")
      .read_when([f] { return f->pairs.empty() || f->method == "dpo"; }, "without --pairs, which are learned by DPO");
  verb.flag("--ask-people", f->ask_people, "people label, whatever the pool's answers say").read_when(by_items, kItems);
  f->of_people = {
      verb.option("--wanted", f->wanted, "people an item (default 1)").within(1, 1000).read_when(by_items, kItems),
      verb.option("--decide", f->decide, "how people's labels are decided: majority (default), ds, onecoin, mace, glad")
          .read_when(by_items, kItems)};
  verb.option("--rank", f->learn.rank, "of the adapter (default 8)").at_least(1);
  verb.option("--epochs", f->learn.epochs, "times through the labels (default 4)").at_least(1);
  verb.option("--lr", f->learn.learning_rate, "learning rate (default 1e-3)").within(1e-9, 100);
  verb.option("--beta", f->learn.beta, "dpo: how far the model may go from where it was (default 0.1)")
      .within(1e-6, 1e6)
      .read_when([f] { return !f->pairs.empty() || f->method == "dpo"; }, "with --method dpo, or --pairs");
  verb.option("--step-tokens", f->learn.step_tokens, "tokens of a step (default 1024)").at_least(1);
  verb.option("--max-tokens", f->max_tokens, "with --pairs: longer ones are left out (default 256)")
      .at_least(8)
      .read_when(by_pairs, kPairs);
  verb.option("--tolerance", f->tolerance, "a loss on the regression set that counts as none (default 0.02)")
      .within(0, 1)
      .read_when([f] { return !f->regression.empty(); }, "with --regression");
  verb.option("--out", f->out, "folder of labels, adapters, runs and the report (default improve)");
  const Option goes_on =
      verb.flag("--resume", f->resume, "go on with the labels and the learned models that are in --out");
  verb.flag("--overwrite", f->overwrite, "begin anew where --out holds labels or learned pairs").excludes(goes_on);
  f->model.add_computing(verb);
  verb.run([f] { improving::run_improve(*f); });
}

}  // namespace puna::cli
