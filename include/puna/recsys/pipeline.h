// pipeline.h -- one request, start to end:   retrieve -> rank -> value -> diversify,   each stage timed.
//   retrieve   a few hundred candidates of all items (exact search, an approximate index, a sequence model: any
//              function)
//   rank       the probable outcomes of showing each (Ranker)
//   value      one number from that (ValueFormula)
//   diversify  nothing twice, caps for a category, unlike its neighbours; one place for exploring
#pragma once
#include <functional>
#include <mutex>

#include "puna/recsys/diversify.h"
#include "puna/recsys/ranker.h"
#include "puna/recsys/search.h"
#include "puna/recsys/value.h"

namespace puna::recsys {

struct PipelineRequest {
  int32_t surface = 0;
  uint64_t number = 0;               // unique: what exploring draws from
  std::span<const int64_t> exclude;  // items that are not to be shown (seen, blocked), in any order
  const void* user = nullptr;        // the caller's: handed to its functions
};

struct PipelineItem {
  int64_t item = 0;
  double value = 0;
  float retrieval_score = 0;
  std::vector<float> probabilities;  // [tasks]
  double propensity = 1;             // below 1 at the explored place
  bool explored = false;             // drawn by chance
};

struct PipelineAnswer {
  std::vector<PipelineItem> items;  // in the order to be shown
  int64_t candidates = 0;           // that were ranked
  double retrieve_seconds = 0, rank_seconds = 0, value_seconds = 0, diversify_seconds = 0;
};

// What is known of items, by their numbers. Empty lists: unknown.
struct Catalogue {
  std::vector<int64_t> groups;
  std::vector<int32_t> categories;
  std::vector<float> vectors;  // [items][dim], of unit length
  int64_t dim = 0;
};

struct PipelineOptions {
  int64_t candidates = 200;  // ranked at most
  DiversityOptions diversity;
  ExploreOptions exploration;
};

class Pipeline {
 public:
  // The best `count` items by some quick measure, best first. What request.exclude names is taken out behind it, so a
  // few more are asked for.
  using Retrieve = std::function<std::vector<Hit>(const PipelineRequest& request, int64_t count)>;
  // Adds one example a candidate, on the request's surface.
  using Describe = std::function<void(const PipelineRequest& request, std::span<const Hit> candidates, ExampleSet& to)>;

  // Error{invalid_argument} naming the option.
  Pipeline(Retrieve retrieve, Describe describe, std::shared_ptr<const Ranker> ranker, ValueFormula value,
           std::shared_ptr<const Catalogue> catalogue, const PipelineOptions& options);

  // From any number of threads, if the functions may. Error{invalid_argument} naming the surface, the item or the
  // example; a stage's own errors.
  PipelineAnswer recommend(const PipelineRequest& request) const;
  // Requests that begin from now on are ranked by this one; those under way end with theirs. The same configuration.
  void use(std::shared_ptr<const Ranker> ranker);
  std::shared_ptr<const Ranker> ranker() const;

 private:
  std::vector<Hit> candidates(const PipelineRequest& request) const;
  DiversityInput known_of(std::span<const Hit> candidates, std::span<const double> values, Catalogue& scratch) const;

  Retrieve retrieve_;
  Describe describe_;
  ValueFormula value_;
  std::shared_ptr<const Catalogue> catalogue_;
  PipelineOptions options_;
  mutable std::mutex mutex_;  // of ranker_, held while a pointer is copied
  std::shared_ptr<const Ranker> ranker_;
};

}  // namespace puna::recsys
