// puna rec cold: the cold start of items, measured. Some items are hidden from the training of a ranker; then their
// embeddings come from their texts (a content tower over a language model's hidden states). Compared with the mean of
// the known rows, rows of zeros, and a ranker trained with the items' events.
#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdio>
#include <map>

#include "base/json.h"
#include "interrupt.h"
#include "progress.h"
#include "puna/base/error.h"
#include "puna/base/philox.h"
#include "puna/recsys/content_tower.h"
#include "puna/recsys/metrics.h"
#include "puna/runtime/prompt.h"
#include "puna/runtime/session.h"
#include "rec_fit.h"
#include "verbs.h"

namespace puna::cli {
namespace {

using namespace recsys;

struct ColdFlags : FitFlags {
  std::string model;
  float share = 0.1f, ridge = 0;
  int64_t seeds = 1;
};

// What items say about themselves, how they were learned, how often: [items][width], [items][row], [items].
struct Items {
  std::vector<float> contents, rows, times;
  int64_t width = 0, row = 0;
  void add(std::span<const float> content, std::span<const float> learned, float often) {
    contents.insert(contents.end(), content.begin(), content.end());
    rows.insert(rows.end(), learned.begin(), learned.end());
    times.push_back(often);
    width = int64_t(content.size());
    row = int64_t(learned.size());
  }
  ContentTower tower(double ridge) const { return ContentTower::fit(contents, width, rows, row, ridge, times); }
};

// Of each text, [hidden]: the language model's final hidden state at its last token, which has read all the others, to
// length 1.
std::vector<float> embedded(const ModelPtr& model, const std::vector<std::string>& texts) {
  Session session(model, {});
  const auto hidden = size_t(model->config().hidden);
  std::vector<float> all(texts.size() * hidden);
  Interrupt interrupt;
  ProgressBar bar("reading contents");
  for (size_t i = 0; i < texts.size(); ++i) {
    if (interrupt.requested()) fail(Status::cancelled, "stopped");
    session.truncate(0);
    const std::string_view text = texts[i].empty() ? std::string_view("unknown") : texts[i];
    session.append(
        encode_prompt(model->require_tokenizer(), text, false),
        {.embeddings = std::span(all).subspan(i * hidden, hidden), .pooling = Pooling::last, .normalise = true});
    bar.update(i + 1, texts.size());
  }
  return all;
}

// Of each text, [512]: its words, counted where their hashes fall, to length 1. What a language model has to beat.
std::vector<float> counted_words(const std::vector<std::string>& texts) {
  constexpr size_t kWidth = 512;
  std::vector<float> all(texts.size() * kWidth);
  for (size_t i = 0; i < texts.size(); ++i) {
    const std::span<float> of = std::span(all).subspan(i * kWidth, kWidth);
    std::string word;
    for (const char c : texts[i] + " ") {
      if (std::isalnum(static_cast<unsigned char>(c)) || static_cast<unsigned char>(c) >= 0x80) {
        word += char(std::tolower(static_cast<unsigned char>(c)));
      } else if (!word.empty()) {
        of[size_t(id_of(word)) % kWidth] += 1;
        word.clear();
      }
    }
    float square = 0;
    for (const float v : of) square += v * v;
    if (square > 0)
      for (float& v : of) v /= std::sqrt(square);
  }
  return all;
}

// Calls what(i, id) for each id of the content's feature of each of these events.
template <class What>
void for_each_id(const RecipeData& data, std::span<const int64_t> places, What what) {
  const Examples e = data.examples.examples();
  const auto F = int64_t(data.config.features.size());
  for (const int64_t i : places)
    for (int64_t j = e.starts[i * F + data.content_feature]; j < e.starts[i * F + data.content_feature + 1]; ++j)
      what(size_t(i), size_t(e.ids[j]));
}

// The known items, as the ranker learned them.
Items learned_items(const Ranker& ranker, const RecipeData& data, std::span<const int64_t> events,
                    const std::vector<float>& contents) {
  const size_t n = data.contents.size(), width = contents.size() / n;
  std::vector<float> times(n);
  for_each_id(data, events, [&](size_t, size_t id) { times[id] += 1; });
  Items items;
  for (size_t id = 0; id < n; ++id)
    if (times[id] > 0)
      items.add(std::span(contents).subspan(id * width, width), ranker.row(size_t(data.content_feature), int64_t(id)),
                times[id]);
  if (items.times.empty()) fail(Status::invalid_argument, "no item is left to learn from; --cold hides fewer");
  return items;
}

// The ridge whose tower, of four fifths of the known items, comes nearest to the rows of the others.
double best_ridge(const Items& items) {
  Items known, held_out;
  for (size_t i = 0; i < items.times.size(); ++i)
    (i % 5 == 0 ? held_out : known)
        .add(std::span(items.contents).subspan(i * size_t(items.width), size_t(items.width)),
             std::span(items.rows).subspan(i * size_t(items.row), size_t(items.row)), items.times[i]);
  if (known.times.empty()) return 1e-2;
  double best = 0, least = INFINITY;
  for (const double ridge : {1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0}) {
    const std::vector<float> rows = known.tower(ridge).embed(held_out.contents);
    double error = 0;
    for (size_t i = 0; i < rows.size(); ++i)
      error += double(held_out.times[i / size_t(items.row)]) * std::pow(double(rows[i]) - double(held_out.rows[i]), 2);
    if (error < least) {
      least = error;
      best = ridge;
    }
  }
  return best;
}

std::vector<float> mean_row(const Items& items) {
  std::vector<double> sum(size_t(items.row));
  double total = 0;
  for (size_t i = 0; i < items.rows.size(); ++i)
    sum[i % sum.size()] += double(items.times[i / sum.size()]) * double(items.rows[i]);
  for (const float t : items.times) total += double(t);
  std::vector<float> mean;
  for (const double s : sum) mean.push_back(float(s / total));
  return mean;
}

OrderedJson judged(const Ranker& ranker, const ExampleSet& set) {
  const Judged j(set, ranker.score(set.examples()), ranker.config().tasks.size(), 0, -1);
  const ProbabilityReport r = evaluate_probabilities(j.predicted, j.observed);
  return {{"auc", r.auc}, {"ne", r.ne}, {"ece", r.ece}};
}

OrderedJson run_once(const ContextPtr& context, const RecipeData& data, const std::vector<float>& contents,
                     const ColdFlags& f, uint64_t seed) {
  const size_t n = data.contents.size(), width = contents.size() / n;
  const auto feature = size_t(data.content_feature);
  std::vector<bool> cold, of_cold(size_t(data.examples.size()));
  for (size_t id = 0; id < n; ++id) cold.push_back(double(philox(seed, id).word[0]) < double(f.share) * 4294967296.0);
  const Parts all(data, f.split, seed);
  for (const Places* part : {&all.train, &all.valid, &all.test})
    for_each_id(data, *part, [&](size_t i, size_t id) { of_cold[i] = of_cold[i] || cold[id]; });
  const Parts known = all.where([&](int64_t i) { return !of_cold[size_t(i)]; });
  const ExampleSet others = chosen(data, known.test),
                   set = chosen(data, all.where([&](int64_t i) { return of_cold[size_t(i)]; }).test);
  if (set.size() == 0 || known.train.empty() || known.valid.empty() || known.test.empty())
    fail(Status::invalid_argument,
         "--cold %g hides %td of %zu items: with so few, or so many, there is nothing to judge", double(f.share),
         std::count(cold.begin(), cold.end(), true), n);

  const auto ranker = trained(context, data, known, f, seed, "without the cold items");
  const Items items = learned_items(*ranker, data, known.train, contents);
  const double ridge = f.ridge > 0 ? double(f.ridge) : best_ridge(items);
  const auto with_rows = [&](auto row_of) {
    for (size_t id = 0; id < n; ++id)
      if (cold[id]) ranker->set_row(feature, int64_t(id), row_of(id));
    return judged(*ranker, set);
  };
  OrderedJson report{{"seed", seed},
                     {"task", data.config.tasks[0].name},
                     {"items", n},
                     {"cold_items", std::count(cold.begin(), cold.end(), true)},
                     {"cold_events", set.size()},
                     {"ridge", ridge},
                     {"known_items", judged(*ranker, others)}};
  const ContentTower tower = items.tower(ridge);
  const std::vector<float> mean = mean_row(items);
  report["tower"] = with_rows([&](size_t id) { return tower.embed(std::span(contents).subspan(id * width, width)); });
  report["mean"] = with_rows([&](size_t) { return mean; });
  report["zero"] = with_rows([&](size_t) { return std::vector<float>(mean.size()); });
  report["learned"] = judged(*trained(context, data, all, f, seed, "with them"), set);
  return report;
}

void print_means(const OrderedJson& runs) {
  const std::map<std::string, const char*> names{{"tower", "cold items, by the content tower"},
                                                 {"mean", "cold items, by the mean row"},
                                                 {"zero", "cold items, by a row of zeros"},
                                                 {"learned", "the same, by a ranker that learned them"},
                                                 {"known_items", "items that both learned"}};
  for (const auto& [key, value] : runs[0].items()) {
    if (!value.is_object()) continue;
    double auc = 0, ne = 0, ece = 0;
    for (const OrderedJson& run : runs) {
      auc += run.at(key).at("auc").get<double>() / double(runs.size());
      ne += run.at(key).at("ne").get<double>() / double(runs.size());
      ece += run.at(key).at("ece").get<double>() / double(runs.size());
    }
    fprintf(stderr, "%-40s AUC %.4f  NE %.4f  ECE %.4f\n", names.at(key), auc, ne, ece);
  }
}

void run_cold(const ColdFlags& f) {
  const ContextPtr context = f.context.make_context();
  const RecipeData data = read_recipe(f.recipe, f.data, f.interaction);
  if (data.content_feature < 0) fail(Status::invalid_argument, "%s says nothing of content", f.recipe.c_str());
  ModelFlags language = f.context;
  language.path = f.model;
  const std::vector<float> contents =
      f.model.empty() ? counted_words(data.contents) : embedded(language.open(), data.contents);
  OrderedJson runs = OrderedJson::array();
  for (int64_t run = 0; run < f.seeds; ++run)
    runs.push_back(run_once(context, data, contents, f, f.seed + uint64_t(run)));
  print_means(runs);
  print_format("%s\n", json_text(runs).c_str());
}

}  // namespace

void add_rec_cold(const Verb& rec) {
  const auto f = std::make_shared<ColdFlags>();
  const Verb verb(rec, "cold",
                  "Hide some items from a ranker, then place them by their texts: what that is worth, beside knowing "
                  "nothing and knowing all");
  f->add(verb);
  verb.option("--model", f->model,
              "a language model (GGUF) that reads the recipe's contents; without one their words are counted");
  verb.option("--cold", f->share, "share of items that are hidden (default 0.1)").within(0, 0.99);
  verb.option("--ridge", f->ridge, "of the tower (default: what fits a fifth of the known items best)").within(0, 1e6);
  verb.option("--seeds", f->seeds,
              "runs with the seed and those that follow (default 1): other splits, other items hidden")
      .within(1, 10000);
  verb.run([f] { run_cold(*f); });
}

}  // namespace puna::cli
