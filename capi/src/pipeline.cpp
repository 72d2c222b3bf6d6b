// pipeline.cpp -- puna_pipeline_*: a request from its candidates to the list that is shown.
#include "guard.h"
#include "puna_recsys.h"
#include "translate.h"

#if PUNA_RECSYS
#include "puna/recsys/item_features.h"
#include "puna/recsys/pipeline.h"
#include "recsys_handles.h"

using namespace puna;
using namespace puna::capi;
using namespace puna::recsys;

struct puna_pipeline {
  int64_t count;  // of a list
  Pipeline impl;
};

namespace {

// A request's own, where the pipeline's functions find it.
struct Sources {
  Examples about;
  std::span<const int64_t> candidates;
  const float* scores = nullptr;
  puna_user* user = nullptr;
  int64_t query_time = 0;
  RecommendOptions options;
};
const Sources& sources_of(const PipelineRequest& request) { return *static_cast<const Sources*>(request.user); }

std::vector<Hit> retrieve(const PipelineRequest& request, int64_t count) {
  const Sources& s = sources_of(request);
  std::vector<Hit> hits;
  for (size_t i = 0; i < s.candidates.size(); ++i) hits.push_back({s.candidates[i], s.scores ? s.scores[i] : 0.0f});
  if (s.user) {
    RecommendOptions o = s.options;
    o.count = std::min(count, s.user->recommender->model()->config().items);
    const std::vector<Hit> found = s.user->recommender->recommend(s.user->state, s.query_time, o);
    hits.insert(hits.end(), found.begin(), found.end());
  }
  return hits;
}

const puna_pipeline& use_pipeline(const puna_pipeline* pipeline) {
  PUNA_REQUIRE(pipeline != nullptr, "pipeline is NULL");
  pipeline->impl.ranker()->context()->require_same_process();
  return *pipeline;
}

ValueFormula value_from_c(const puna_pipeline_options& o, const RankerConfig& c) {
  ValueFormula value = ValueFormula::of(c);
  if (o.value_weights) value.weights.assign(o.value_weights, o.value_weights + value.weights.size());
  if (o.value_exponents) value.exponents.assign(o.value_exponents, o.value_exponents + value.exponents.size());
  return value;
}

PipelineOptions options_from_c(const puna_pipeline_options& o) {
  require_reserved(o.reserved, "puna_pipeline_options");
  constexpr int64_t kLongestList = 1 << 20;
  in_range(o.count, 0, kLongestList, "count");
  in_range(o.candidates, 0, kLongestList, "candidates");
  in_range(o.per_category, 0, INT64_MAX, "per_category");
  in_range(o.explore_place, 0, kLongestList, "explore_place");
  in_range(o.explore_pool, 0, kLongestList, "explore_pool");
  number_in_range(o.diversity, 0, 1, "diversity");
  number_in_range(o.explore, 0, 1, "explore");
  PipelineOptions p;
  p.candidates = or_default(o.candidates, p.candidates, "candidates");
  p.diversity = {or_default(o.count, p.diversity.count, "count"), o.per_category, 1 - o.diversity};
  p.exploration = {o.explore, o.explore_place, or_default(o.explore_pool, p.exploration.pool, "explore_pool"), o.seed};
  return p;
}

std::shared_ptr<const Catalogue> catalogue_from_c(const puna_catalogue& c, uint64_t count) {
  constexpr uint64_t kLargestDim = 1 << 16;
  PUNA_REQUIRE(!c.vectors || (c.dim >= 1 && c.dim <= kLargestDim), "dim is %ju, expected 1 to 65536", c.dim);
  auto to = std::make_shared<Catalogue>();
  if (c.groups) to->groups.assign(c.groups, c.groups + count);
  if (c.categories) to->categories.assign(c.categories, c.categories + count);
  if (c.vectors) to->vectors.assign(c.vectors, c.vectors + count * c.dim);
  to->dim = int64_t(c.dim);
  return to;
}

Sources sources_from_c(const RankerConfig& config, const puna_pipeline_request& r) {
  Sources s;
  if (r.about) s.about = examples_from_c(config, r.about, false);
  PUNA_REQUIRE(!r.about || s.about.count == 1, "%jd examples say what is known of the request, expected 1",
               s.about.count);
  s.candidates = array_view(r.candidates, r.candidate_count, "candidates");
  s.scores = r.scores;
  PUNA_REQUIRE(r.user || r.candidates, "the request has neither a user nor candidates");
  if (r.user) s.user = &use(r.user);
  s.query_time = r.query_time;
  s.options.include_seen = flag(r.include_seen, "include_seen");
  s.options.allowed = r.allowed;
  return s;
}

void write_list(const PipelineAnswer& from, puna_pipeline_answer& to) {
  to.found = from.items.size();
  to.explored = -1;
  for (size_t i = 0; i < from.items.size(); ++i) {
    const PipelineItem& item = from.items[i];
    to.items[i] = item.item;
    if (to.values) to.values[i] = item.value;
    if (to.propensities) to.propensities[i] = item.propensity;
    if (to.scores) to.scores[i] = item.retrieval_score;
    if (to.probabilities)
      std::copy(item.probabilities.begin(), item.probabilities.end(), to.probabilities + i * item.probabilities.size());
    if (item.explored) to.explored = int64_t(i);
  }
  to.candidates = from.candidates;
  to.retrieve_seconds = from.retrieve_seconds;
  to.rank_seconds = from.rank_seconds;
  to.value_seconds = from.value_seconds;
  to.diversify_seconds = from.diversify_seconds;
}

}  // namespace

puna_status puna_pipeline_create(const puna_ranker* ranker, const puna_catalogue* catalogue,
                                 const puna_pipeline_options* options, puna_pipeline** pipeline) {
  return guard([&] {
    const puna_ranker& r = use(ranker);
    PUNA_REQUIRE(catalogue != nullptr, "catalogue is NULL");
    PUNA_REQUIRE(pipeline != nullptr, "pipeline is NULL");
    const puna_catalogue c = read_options(catalogue, "puna_catalogue");
    require_reserved(c.reserved, "puna_catalogue");
    const puna_pipeline_options o = read_options(options, "puna_pipeline_options");
    const PipelineOptions p = options_from_c(o);
    const RankerConfig& config = r.impl->config();
    const auto items = std::make_shared<const ItemFeatures>(config, examples_from_c(config, c.items, false));
    const auto describe = [items](const PipelineRequest& request, std::span<const Hit> candidates, ExampleSet& to) {
      items->describe(request.surface, sources_of(request).about, candidates, to);
    };
    *pipeline = new puna_pipeline{p.diversity.count, Pipeline(retrieve, describe, r.impl, value_from_c(o, config),
                                                              catalogue_from_c(c, uint64_t(items->count())), p)};
  });
}

puna_status puna_pipeline_use(puna_pipeline* pipeline, const puna_ranker* ranker) {
  return guard([&] {
    (void)use_pipeline(pipeline);
    pipeline->impl.use(use(ranker).impl);
  });
}

puna_status puna_pipeline_recommend(const puna_pipeline* pipeline, const puna_pipeline_request* request,
                                    puna_pipeline_answer* answer) {
  return guard([&] {
    const puna_pipeline& p = use_pipeline(pipeline);
    PUNA_REQUIRE(request != nullptr, "request is NULL");
    PUNA_REQUIRE(answer != nullptr, "answer is NULL");
    const puna_pipeline_request r = read_options(request, "puna_pipeline_request");
    require_reserved(r.reserved, "puna_pipeline_request");
    puna_pipeline_answer a = read_options(answer, "puna_pipeline_answer");
    PUNA_REQUIRE(a.items != nullptr && a.capacity >= uint64_t(p.count),
                 "the answer has room for %ju items, a list has up to %jd", a.items ? a.capacity : 0, p.count);
    const Sources sources = sources_from_c(p.impl.ranker()->config(), r);
    write_list(p.impl.recommend({r.surface, r.number, array_view(r.exclude, r.exclude_count, "exclude"), &sources}), a);
    write_info(a, answer, "puna_pipeline_answer");
  });
}

void puna_pipeline_free(puna_pipeline* pipeline) {
  if (pipeline) free_handle(pipeline, *pipeline->impl.ranker()->context());
}

#else
// A build without recommenders refuses each call and has no handles.
using namespace puna;
using namespace puna::capi;
puna_status puna_pipeline_create(const puna_ranker*, const puna_catalogue*, const puna_pipeline_options*,
                                 puna_pipeline**) {
  return missing("recommenders");
}
puna_status puna_pipeline_use(puna_pipeline*, const puna_ranker*) { return missing("recommenders"); }
puna_status puna_pipeline_recommend(const puna_pipeline*, const puna_pipeline_request*, puna_pipeline_answer*) {
  return missing("recommenders");
}
void puna_pipeline_free(puna_pipeline*) {}
#endif
