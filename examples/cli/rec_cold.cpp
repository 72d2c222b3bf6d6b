// puna rec cold: how well a ranker judges what nobody has taken, when its row begins where a language model's view of its text says.
#include <cstdio>
#include <nlohmann/json.hpp>

#include "interrupt.h"
#include "progress.h"
#include "puna/base/error.h"
#include "puna/base/philox.h"
#include "puna/recsys/content_tower.h"
#include "puna/recsys/metrics.h"
#include "puna/runtime/embed.h"
#include "puna/runtime/prompt.h"
#include "rec_fit.h"
#include "verbs.h"

namespace puna::cli {
namespace {

using namespace recsys;

struct ColdFlags : FitFlags {
  std::string model;
  float share = 0.1f, ridge = 0.01f;
};

// Of each text, [hidden]: the language model's final hidden states, their mean, to length 1.
std::vector<float> embedded(const ModelPtr& model, const std::vector<std::string>& texts) {
  Session session(model, {});
  const auto hidden = size_t(model->config().hidden);
  std::vector<float> all(texts.size() * hidden);
  Interrupt interrupt;
  ProgressBar bar("reading contents");
  for (size_t i = 0; i < texts.size(); ++i) {
    if (interrupt.requested()) fail(Status::cancelled, "stopped");
    session.truncate(0);
    embed(session, encode_prompt(model->require_tokenizer(), texts[i].empty() ? "unknown" : texts[i], false), Pooling::mean, true, std::span(all).subspan(i * hidden, hidden));
    bar.update(i + 1, texts.size());
  }
  return all;
}

// Events whose id of the content's feature is cold.
std::vector<bool> cold_events(const RecipeData& data, const std::vector<bool>& cold) {
  const Examples e = data.examples.examples();
  const int64_t F = int64_t(data.config.features.size());
  std::vector<bool> of(size_t(e.count));
  for (int64_t i = 0; i < e.count; ++i)
    for (int64_t j = e.starts[i * F + data.content_feature]; j < e.starts[i * F + data.content_feature + 1]; ++j) of[size_t(i)] = of[size_t(i)] || cold[size_t(e.ids[j])];
  return of;
}

ProbabilityReport report_of(const Ranker& ranker, const ExampleSet& set) {
  const Judged j(set, ranker.score(set.examples()), ranker.config().tasks.size(), 0, -1);
  return evaluate_probabilities(j.predicted, j.observed);
}

// Rows of cold ids from the rows and contents of the others, each weighing as often as it was learned from.
void place(Ranker& ranker, const RecipeData& data, const std::vector<bool>& cold, const std::vector<float>& contents, const Places& learned, double ridge) {
  const size_t n = cold.size(), C = contents.size() / n, f = size_t(data.content_feature);
  std::vector<float> times(n), x, y, weights;
  const Examples e = data.examples.examples();
  const int64_t F = int64_t(data.config.features.size());
  for (const int64_t i : learned)
    for (int64_t j = e.starts[i * F + int64_t(f)]; j < e.starts[i * F + int64_t(f) + 1]; ++j) times[size_t(e.ids[j])] += 1;
  for (size_t id = 0; id < n; ++id) {
    if (times[id] == 0) continue;
    const std::vector<float> row = ranker.row(f, int64_t(id));
    x.insert(x.end(), contents.begin() + int64_t(id * C), contents.begin() + int64_t((id + 1) * C));
    y.insert(y.end(), row.begin(), row.end());
    weights.push_back(times[id]);
  }
  const ContentTower tower = ContentTower::fit(x, int64_t(C), y, int64_t(y.size() / weights.size()), ridge, weights);
  for (size_t id = 0; id < n; ++id)
    if (cold[id]) ranker.set_row(f, int64_t(id), tower.embed(std::span(contents).subspan(id * C, C)));
}

void run_cold(const ColdFlags& f) {
  const ContextPtr context = f.context.make_context();
  const RecipeData data = read_recipe(f.recipe, f.data, f.interaction);
  if (data.content_feature < 0) fail(Status::invalid_argument, "%s says nothing of content", f.recipe.c_str());
  std::vector<bool> cold;
  for (size_t id = 0; id < data.contents.size(); ++id) cold.push_back(double(philox(f.seed, id).word[0]) < double(f.share) * 4294967296.0);
  const std::vector<bool> of = cold_events(data, cold);
  const Parts known = Parts(data, f.split, f.seed).where([&](int64_t i) { return !of[size_t(i)]; });
  Places unseen;
  for (size_t i = 0; i < of.size(); ++i)
    if (of[i]) unseen.push_back(int64_t(i));
  const auto ranker = trained(context, data, known, f, f.seed, "learning the others");
  ModelFlags language;
  language.path = f.model;
  const std::vector<float> contents = embedded(language.open(), data.contents);
  const ExampleSet set = chosen(data, unseen);
  const ProbabilityReport warm = report_of(*ranker, chosen(data, known.test)), before = report_of(*ranker, set);
  place(*ranker, data, cold, contents, known.train, double(f.ridge));
  const ProbabilityReport after = report_of(*ranker, set);
  const auto json = [](const ProbabilityReport& r) { return nlohmann::ordered_json{{"events", r.examples}, {"auc", r.auc}, {"ne", r.ne}, {"ece", r.ece}}; };
  printf("%s\n", nlohmann::ordered_json{{"items", cold.size()}, {"cold_items", std::count(cold.begin(), cold.end(), true)}, {"task", data.config.tasks[0].name},
                                        {"known_items", json(warm)}, {"cold_items_without_content", json(before)}, {"cold_items_with_content", json(after)}}.dump().c_str());
}

}  // namespace

void add_rec_cold(const Verb& rec) {
  const auto f = std::make_shared<ColdFlags>();
  const Verb verb(rec, "cold", "Hide some items from a ranker, then place them by their texts: what that is worth");
  f->add(verb);
  verb.option("--model", f->model, "a language model (GGUF) that reads the recipe's contents").required();
  verb.option("--cold", f->share, "share of items that are hidden (default 0.1)");
  verb.option("--ridge", f->ridge, "of the tower (default 0.01)");
  verb.run([f] { run_cold(*f); });
}

}  // namespace puna::cli
