// examples.h -- the examples of a ranker: a row for each time an item was shown to a user, as ids and
// numbers that describe it, and the outcomes.
#pragma once
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "puna/recsys/ranker_config.h"

namespace puna::recsys {

// One of them, with the lists of its own: what a feed is told, an event log keeps and a ranker learns. A list has one
// entry for each feature, number or task of the configuration.
struct Example {
  int32_t surface = 0;
  uint32_t known = 0;                     // bit t: the outcome of task t is known
  float weight = 1;                       // as Outcomes::weights
  std::vector<std::vector<int64_t>> ids;  // of each feature
  std::vector<float> numbers;
  std::vector<float> values;  // outcomes; may be empty when nothing is known
  bool operator==(const Example&) const = default;
};

// Borrowed. Categorical feature f of example i has the ids [starts[i * F + f], starts[i * F + f + 1]) of F features:
// none, one or several.
struct Examples {
  int64_t count = 0;
  const int32_t* surfaces = nullptr;  // [count], numbers of the configuration's surfaces
  const int64_t* starts = nullptr;    // [count * F + 1], ascending from 0
  const int64_t* ids = nullptr;
  // [count][numbers of the configuration], before its mean and scale; NULL when there are none
  const float* numbers = nullptr;
};

// The outcomes of each example. The outcome of a task that could not be observed (a survey that was not shown) is
// unknown and has no gradient.
struct Outcomes {
  const float* values = nullptr;    // [count][tasks], 0 or 1, fractions between; what is not known is not looked at
  const uint32_t* known = nullptr;  // [count], bit t for task t
  const float* weights = nullptr;   // [count], 0 or more, e.g. one over the chance of having been shown; NULL: all 1
};

// Examples that own their memory, added one by one.
class ExampleSet {
 public:
  explicit ExampleSet(const RankerConfig& config)
      : features_(config.features.size()), numbers_(config.numbers.size()), tasks_(config.tasks.size()) {}

  // ids: a span for each feature; numbers: all; values: one a task, or none when nothing is known.
  // Error{invalid_argument} when there are more or fewer.
  void add(int32_t surface, std::span<const std::span<const int64_t>> ids, std::span<const float> numbers,
           std::span<const float> values = {}, uint32_t known = 0, float weight = 1);
  void add(const Example& example);
  // Some of `other`, in this order, behind what is here.
  void add(const ExampleSet& other, std::span<const int64_t> which);
  void clear() noexcept;

  Examples examples() const noexcept;
  Outcomes outcomes() const noexcept { return {outcomes_.data(), known_.data(), weights_.data()}; }
  int64_t size() const noexcept { return int64_t(surfaces_.size()); }
  int32_t surface(int64_t i) const noexcept { return surfaces_[size_t(i)]; }
  bool known(int64_t i, size_t task) const noexcept { return (known_[size_t(i)] >> task & 1u) != 0; }
  float value(int64_t i, size_t task) const noexcept { return outcomes_[size_t(i) * tasks_ + task]; }

 private:
  size_t features_, numbers_, tasks_;
  std::vector<int32_t> surfaces_;
  std::vector<int64_t> starts_{0}, ids_;
  std::vector<float> given_, outcomes_, weights_;
  std::vector<uint32_t> known_;
};

// An id for hashed features, from a name.
int64_t id_of(std::string_view name) noexcept;

}  // namespace puna::recsys
