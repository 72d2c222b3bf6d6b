// sampler_survivors.h -- the tokens still in the running and the filters that thin them out, as transformers defines
// them. A token's weight is an integer: 2^40 exp((score - largest) / temperature), rounded. Integer sums are exact in
// any order, so a nucleus or a draw never depends on how a standard library partitions an array. Weights below 2^-41 of
// the largest are zero.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "puna/runtime/sampler.h"

namespace puna {

class Survivors {
 public:
  static constexpr size_t kMaxVocabulary = size_t(1) << 23;  // so that the sum of the weights stays below 2^63

  // Scores are finite or -infinity (already removed), `largest` is their maximum and finite. Borrows scores;
  // temperature > 0.
  Survivors(std::span<const float> scores, float largest, double temperature);

  void top_k(int64_t k);        // scores >= the k-th largest
  void top_p(double p);         // the fewest most probable tokens with probability >= p in sum; lower ids first on ties
  void min_p(double p);         // probability >= p times the largest
  void typical(double mass);    // those whose surprise is nearest to the entropy, until their sum is >= mass; all ties
  void epsilon(double cutoff);  // probability >= cutoff, or the largest
  void eta(double cutoff);      // probability >= min(cutoff, sqrt(cutoff) exp(-entropy)), or the largest

  // out[id] = log-probability, -infinity for the removed.
  void log_probabilities(std::span<float> out);
  // The inverse of the cumulative distribution in order of ids; 0 <= u < 1.
  TokenProbability draw(double u);

 private:
  // (score - largest) / temperature <= 0, in double because a small temperature leaves the range of float.
  double exponent(size_t i) const noexcept { return (double(scores_[i]) - largest_) * inverse_temperature_; }
  int32_t id(size_t i) const noexcept { return ids_.empty() ? int32_t(i) : ids_[i]; }
  void weigh();
  double log_normaliser() const noexcept;  // log-probability = exponent - log_normaliser
  double entropy() const noexcept;
  void keep_probable(double least_log_probability);
  template <class Keep>
  void keep_if(Keep keep);

  std::span<const float> scores_;  // ascending ids; the caller's, or stored_
  std::vector<float> stored_;
  std::vector<int32_t> ids_;       // empty: token i is at i
  std::vector<uint64_t> weights_;  // empty until weigh()
  uint64_t total_ = 0;
  double largest_, inverse_temperature_;
};

}  // namespace puna
