#include "puna/recsys/pipeline.h"

#include <algorithm>
#include <chrono>
#include <unordered_set>

#include "base/fp_env.h"
#include "puna/base/error.h"

namespace puna::recsys {
namespace {

// Seconds since the last time it was asked.
class Lap {
 public:
  double seconds() {
    const auto now = Clock::now();
    const double since = std::chrono::duration<double>(now - last_).count();
    last_ = now;
    return since;
  }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point last_ = Clock::now();
};

void check(const Catalogue& c) {
  PUNA_REQUIRE(c.vectors.empty() || (c.dim >= 1 && c.vectors.size() % size_t(c.dim) == 0),
               "the catalogue's vectors have %zu values, expected a multiple of %jd", c.vectors.size(), c.dim);
}

}  // namespace

Pipeline::Pipeline(Retrieve retrieve, Describe describe, std::shared_ptr<const Ranker> ranker, ValueFormula value,
                   std::shared_ptr<const Catalogue> catalogue, const PipelineOptions& options)
    : retrieve_(std::move(retrieve)),
      describe_(std::move(describe)),
      value_(std::move(value)),
      catalogue_(std::move(catalogue)),
      options_(options),
      ranker_(std::move(ranker)) {
  PUNA_REQUIRE(retrieve_ && describe_ && ranker_, "a pipeline needs a way to retrieve, one to describe, and a ranker");
  PUNA_REQUIRE(options.candidates >= 1 && options.candidates <= 1 << 20, "candidates is %jd, expected 1 to 2^20",
               options.candidates);
  recsys::check(value_, ranker_->config());
  if (!catalogue_) catalogue_ = std::make_shared<const Catalogue>();
  check(*catalogue_);
  (void)diversify({}, options.diversity);  // they check their options
  std::vector<size_t> none;
  (void)explore(none, {}, 0, options.exploration);
}

void Pipeline::use(std::shared_ptr<const Ranker> ranker) {
  PUNA_REQUIRE(ranker && json_of(ranker->config()) == json_of(this->ranker()->config()),
               "the ranker to be used has another configuration");
  const std::shared_ptr<const Ranker> before = this->ranker();
  for (size_t f = 0; f < ranker->config().features.size(); ++f)
    PUNA_REQUIRE(ranker->vocabulary(f).bytes() == before->vocabulary(f).bytes(),
                 "the ranker to be used has other names for the ids of feature '%s'",
                 ranker->config().features[f].name.c_str());
  const std::lock_guard lock(mutex_);
  ranker_.swap(ranker);
}

std::shared_ptr<const Ranker> Pipeline::ranker() const {
  const std::lock_guard lock(mutex_);
  return ranker_;
}

std::vector<Hit> Pipeline::candidates(const PipelineRequest& request) const {
  std::vector<Hit> hits = retrieve_(request, options_.candidates + int64_t(request.exclude.size()));
  std::unordered_set<int64_t> out(request.exclude.begin(), request.exclude.end());
  // several sources may name an item twice
  std::erase_if(hits, [&](const Hit& h) { return !out.insert(h.item).second; });
  if (int64_t(hits.size()) > options_.candidates) hits.resize(size_t(options_.candidates));
  return hits;
}

DiversityInput Pipeline::known_of(std::span<const Hit> candidates, std::span<const double> values,
                                  Catalogue& scratch) const {
  const Catalogue& c = *catalogue_;
  const auto take = [&](const auto& all, auto& to, size_t each, const char* what) {
    if (all.empty()) return;
    for (const Hit& h : candidates) {
      PUNA_REQUIRE(h.item >= 0 && size_t(h.item) < all.size() / each, "item %jd has no %s in the catalogue of %zu",
                   h.item, what, all.size() / each);
      to.insert(to.end(), all.begin() + h.item * int64_t(each), all.begin() + (h.item + 1) * int64_t(each));
    }
  };
  take(c.groups, scratch.groups, 1, "group");
  take(c.categories, scratch.categories, 1, "category");
  if (options_.diversity.lambda < 1) take(c.vectors, scratch.vectors, size_t(c.dim), "vector");
  return {values, scratch.groups, scratch.categories, scratch.vectors, c.dim};
}

PipelineAnswer Pipeline::recommend(const PipelineRequest& request) const {
  const std::shared_ptr<const Ranker> ranker = this->ranker();
  const RankerConfig& c = ranker->config();
  PUNA_REQUIRE(request.surface >= 0 && size_t(request.surface) < c.surfaces.size(), "surface %d, expected 0 to %zu",
               request.surface, c.surfaces.size() - 1);
  const FpEnv fp_env;
  PipelineAnswer answer;
  Lap lap;
  const std::vector<Hit> hits = candidates(request);
  answer.candidates = int64_t(hits.size());
  answer.retrieve_seconds = lap.seconds();

  ExampleSet examples(c);
  describe_(request, hits, examples);
  PUNA_REQUIRE(examples.size() == answer.candidates, "%jd examples describe %jd candidates", examples.size(),
               answer.candidates);
  const std::vector<float> probabilities = ranker->score(examples.examples());
  answer.rank_seconds = lap.seconds();

  std::vector<double> values;
  for (size_t i = 0; i < hits.size(); ++i)
    values.push_back(value_(size_t(request.surface), probabilities.data() + i * c.tasks.size()));
  answer.value_seconds = lap.seconds();

  Catalogue scratch;
  const DiversityInput known = known_of(hits, values, scratch);
  std::vector<size_t> list = diversify(known, options_.diversity);
  const Explored explored = explore(list, known, request.number, options_.exploration);
  for (size_t place = 0; place < list.size(); ++place) {
    const size_t i = list[place];
    const float* const p = probabilities.data() + i * c.tasks.size();
    PipelineItem item{hits[i].item, values[i], hits[i].score, {p, p + c.tasks.size()}, 1, false};
    if (int64_t(place) == explored.place) {
      item.propensity = explored.propensity;
      item.explored = explored.drawn;
    }
    answer.items.push_back(std::move(item));
  }
  answer.diversify_seconds = lap.seconds();
  return answer;
}

}  // namespace puna::recsys
