// diversify.h -- re-ranking: from the best candidates to a list without duplicates and with limits for a category
// (maximal marginal relevance), and exploration (epsilon-greedy).
#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace puna::recsys {

// What is known of each candidate; values in any order. Empty lists: unknown.
struct DiversityInput {
  std::span<const double> values;
  std::span<const int64_t> groups;  // candidates of one group are the same thing (uploaded twice): the best one stays
  std::span<const int32_t> categories;
  std::span<const float> vectors;  // [candidates][dim], of unit length
  int64_t dim = 0;
};

struct DiversityOptions {
  int64_t count = 10;
  int64_t per_category = 0;  // of the list, at most; 0 = any number
  // Maximal marginal relevance (Carbonell and Goldstein 1998): the next one has the largest lambda v - (1 - lambda)
  // (largest cosine with those chosen), v the value scaled to 0 ... 1 over the candidates. 1 = by value alone.
  double lambda = 1;
};

// Which candidates, in the list's order; fewer where the caps leave fewer. Ties go to the earlier candidate.
// Error{invalid_argument} naming the option or the candidate whose value is not finite.
std::vector<size_t> diversify(const DiversityInput& candidates, const DiversityOptions& options);

// One place of the list that is sometimes drawn, so that what never ranks first is learned about too: epsilon-greedy
// over what is there already and the best of the rest, but for what the list shows in another copy. Caps are not looked
// at. The chance of what was shown is known: 1 / propensity weighs the example in training (Outcomes::weights).
struct ExploreOptions {
  double epsilon = 0;  // how often
  int64_t place = 4;   // in the list, from 0; lists that are shorter explore at their end
  int64_t pool = 50;   // candidates by value that may be drawn
  uint64_t seed = 0;
};
struct Explored {
  int64_t place = -1;     // -1: the list has no place to explore
  double propensity = 1;  // the chance that this request shows this at the place
  bool drawn = false;     // by chance
};
// Exchanges list[place] when the request's number says so: the same seed and number draw the same.
Explored explore(std::vector<size_t>& list, const DiversityInput& candidates, uint64_t request,
                 const ExploreOptions& options);

}  // namespace puna::recsys
