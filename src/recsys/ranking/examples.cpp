#include "puna/recsys/examples.h"

#include "base/hash.h"
#include "puna/base/error.h"

namespace puna::recsys {

void ExampleSet::add(int32_t surface, std::span<const std::span<const int64_t>> ids, std::span<const float> numbers,
                     std::span<const float> values, uint32_t known, float weight) {
  PUNA_REQUIRE(ids.size() == features_, "ids of %zu features, expected %zu", ids.size(), features_);
  PUNA_REQUIRE(numbers.size() == numbers_, "%zu numbers, expected %zu", numbers.size(), numbers_);
  PUNA_REQUIRE(values.size() == tasks_ || (values.empty() && known == 0), "values of %zu tasks, expected %zu",
               values.size(), tasks_);
  for (const auto& of_feature : ids) {
    ids_.insert(ids_.end(), of_feature.begin(), of_feature.end());
    starts_.push_back(int64_t(ids_.size()));
  }
  surfaces_.push_back(surface);
  given_.insert(given_.end(), numbers.begin(), numbers.end());
  outcomes_.insert(outcomes_.end(), values.begin(), values.end());
  outcomes_.resize(surfaces_.size() * tasks_);
  known_.push_back(known);
  weights_.push_back(weight);
}

void ExampleSet::add(const Example& e) {
  const std::vector<std::span<const int64_t>> ids(e.ids.begin(), e.ids.end());
  add(e.surface, ids, e.numbers, e.values, e.known, e.weight);
}

void ExampleSet::add(const ExampleSet& other, std::span<const int64_t> which) {
  PUNA_REQUIRE(other.features_ == features_ && other.numbers_ == numbers_ && other.tasks_ == tasks_,
               "the examples are of another ranker");
  std::vector<std::span<const int64_t>> ids(features_);
  for (const int64_t i : which) {
    PUNA_REQUIRE(i >= 0 && i < other.size(), "example %jd of %jd", i, other.size());
    const auto at = size_t(i);
    for (size_t f = 0; f < features_; ++f) {
      const auto first = size_t(other.starts_[at * features_ + f]),
                 last = size_t(other.starts_[at * features_ + f + 1]);
      ids[f] = std::span(other.ids_).subspan(first, last - first);
    }
    add(other.surfaces_[at], ids, std::span(other.given_).subspan(at * numbers_, numbers_),
        std::span(other.outcomes_).subspan(at * tasks_, tasks_), other.known_[at], other.weights_[at]);
  }
}

void ExampleSet::clear() noexcept {
  surfaces_.clear();
  starts_.resize(1);
  ids_.clear();
  given_.clear();
  outcomes_.clear();
  weights_.clear();
  known_.clear();
}

Examples ExampleSet::examples() const noexcept {
  return {size(), surfaces_.data(), starts_.data(), ids_.data(), numbers_ > 0 ? given_.data() : nullptr};
}

int64_t id_of(std::string_view name) noexcept {
  Hash hash;
  hash.add(name.data(), name.size());
  return int64_t(hash.value() >> 1);
}

}  // namespace puna::recsys
