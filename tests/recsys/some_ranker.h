// some_ranker.h -- a small ranker of each kind, and examples for it with everything in them: several ids, none, hashed
// ones, numbers, unknown outcomes.
#pragma once
#include "puna/recsys/ranker.h"
#include "recsys/golden_sequence.h"
#include "ref/random.h"

namespace puna::test {

inline recsys::RankerConfig some_ranker(recsys::Interaction interaction, int64_t experts = 1,
                                        std::vector<int64_t> tower = {}) {
  using namespace recsys;
  RankerConfig c;
  c.surfaces = {"reels", "feed", "ads"};
  c.tasks = {{"click"}, {"watched", TaskKind::fraction, 0.5}, {"survey", TaskKind::binary, 2.0}};
  c.features = {{"user", 7, false}, {"genres", 5, false}, {"device", 6, true}};
  c.numbers = {"age", "hour"};
  c.interaction = interaction;
  c.dim = 5;
  c.cross_layers = 2;
  c.experts = experts;
  c.hidden = {9, 6};
  c.tower = std::move(tower);
  if (interaction == Interaction::linear) {
    c.hidden.clear();
    c.numbers.clear();
  }
  return c;
}

// Users like the items whose genre is theirs, on one surface more than on another.
inline recsys::ExampleSet some_examples(const recsys::RankerConfig& c, int64_t count, uint64_t seed) {
  ref::Random random(seed);
  recsys::ExampleSet set(c);
  for (int64_t i = 0; i < count; ++i) {
    const auto surface = int32_t(random.below(3));
    const std::vector<int64_t> user{random.below(7)};
    std::vector<int64_t> genres, device{int64_t(random.bits() >> 1)};
    for (int64_t n = random.below(4); n > 0; --n) genres.push_back(random.below(5));
    const std::vector<std::span<const int64_t>> ids{user, genres, device};
    std::vector<float> numbers;
    for (size_t n = 0; n < c.numbers.size(); ++n) numbers.push_back(random.normal());
    bool mine = false;
    for (const int64_t g : genres) mine = mine || g == user[0] % 5;
    const double liking = 0.1 + (mine ? 0.7 : 0.0) + 0.05 * surface;
    const std::vector<float> values{random.uniform() < liking ? 1.0f : 0.0f,
                                    float(0.5 * liking + 0.5 * random.uniform()), random.uniform() < 0.5 ? 1.0f : 0.0f};
    const uint64_t known =
        random.below(5) == 0 ? 7 : 3;  // drawn in this order, whichever way a compiler evaluates arguments
    const float weight = float(1 + random.below(2));
    set.add(surface, ids, numbers, values, known, weight);
  }
  return set;
}

}  // namespace puna::test
