// evaluate.h -- how well the next event is predicted: leave-last-out over the whole catalogue (no sampled candidates,
// arXiv:2007.13237). Items that the user has seen are taken out, so a target seen before cannot be found: it counts as
// a miss. Of items with the target's score all rank before it. A score that is not finite is an error: in a ranking it
// would pass for a hit.
#pragma once
#include <functional>

#include "puna/recsys/interactions.h"

namespace puna::recsys {

struct RankingReport {
  int64_t users = 0;
  int64_t seen_targets = 0;                       // of items that the user had taken before: misses
  int64_t unknown_targets = 0;                    // items 0 (with_items_of): misses
  double hr1 = 0, hr10 = 0, hr50 = 0, hr200 = 0;  // hit rates at 1, 10, ...
  double ndcg10 = 0, ndcg50 = 0;                  // normalised discounted cumulative gain
  double mrr = 0;                                 // mean reciprocal rank
  double ndcg10_error = 0;                        // standard error over users
  std::vector<double> hr10_by_decile;  // of the targets' popularity, the least popular tenth of targets first
  std::vector<int64_t> ranks;          // of each user's target; 0 = seen before, or unknown
};

// Fills scores [items + 1] (index 0 is not looked at) for each history; history and query time are what is known before
// the target.
using Scorer = std::function<void(std::span<const History> users, float* scores)>;
Scorer scorer_of(std::shared_ptr<const SequenceModel> model);

// Users of fewer than two events are left out; Error{invalid_argument} when that leaves none. `window`: how many events
// before the target the scorer is shown and count as seen; the original code looks at no more than the model does, so
// an older item may be recommended again. Error{invalid_argument} naming the user and item whose score is not finite.
RankingReport evaluate_ranking(const Interactions& all, const Scorer& scorer, int64_t window = 200,
                               FunctionRef<bool()> should_stop = {});

// Baselines. All learn from everything but each user's last event.
Scorer popularity_scorer(const Interactions& all);
// Cosine of the items' user sets, summed over the last `most` events of the history with weight decay^age (1 = all
// alike).
Scorer item_knn_scorer(const Interactions& all, double decay, int64_t most);
// How often an item followed the last one, popularity where that says nothing.
Scorer markov_scorer(const Interactions& all);

}  // namespace puna::recsys
