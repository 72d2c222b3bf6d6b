// sampler_survivors.cpp -- the filters. None sorts the vocabulary: each needs one threshold, found by selection in
// linear time.
#include "runtime/generate/sampler_survivors.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/det_math.h"
#include "puna/base/error.h"
#include "runtime/generate/sampler_select.h"

namespace puna {
namespace {

struct Candidate {
  double key;
  size_t index;
  uint64_t weight;
};

// In ascending order of key, then index: the first i at which the running sum of weights reaches `need`, or else the
// last. weights[i] = 0 does not take part. A histogram finds the range of keys where that happens (rounding is
// monotone, so every token of a lower bucket comes before every one of a higher), then selection by halves the token.
template <class Key>
Candidate weighted_select(std::span<const uint64_t> weights, uint64_t need, Key key) {
  constexpr size_t kBuckets = 1024;
  double lowest = std::numeric_limits<double>::infinity(), highest = -lowest;
  for (size_t i = 0; i < weights.size(); ++i) {
    if (weights[i] == 0) continue;
    lowest = std::min(lowest, key(i));
    highest = std::max(highest, key(i));
  }
  const double range = highest - lowest, scale = range > 1e-290 ? (kBuckets - 1) / range : 0;
  const auto bucket = [&](size_t i) { return std::min(kBuckets - 1, size_t((key(i) - lowest) * scale)); };

  std::vector<uint64_t> sums(kBuckets);
  for (size_t i = 0; i < weights.size(); ++i) {
    if (weights[i] != 0) sums[bucket(i)] += weights[i];
  }
  size_t crossing = 0;
  while (crossing + 1 < kBuckets && sums[crossing] < need) need -= sums[crossing++];

  std::vector<Candidate> candidates;
  for (size_t i = 0; i < weights.size(); ++i) {
    if (weights[i] != 0 && bucket(i) == crossing) candidates.push_back({key(i), i, weights[i]});
  }
  auto first = candidates.begin(), last = candidates.end();
  while (last - first > 1) {
    const auto middle = first + (last - first) / 2;
    std::nth_element(first, middle, last, [](const Candidate& a, const Candidate& b) {
      return a.key != b.key ? a.key < b.key : a.index < b.index;
    });
    uint64_t front = 0;
    for (auto c = first; c != middle; ++c) front += c->weight;
    if (front >= need) {
      last = middle;
    } else {
      need -= front;
      first = middle;
    }
  }
  return *first;
}

// ceil(part * total), 0 < part < 1: the least sum of weights whose share is `part`.
uint64_t share(double part, uint64_t total) {
  return std::clamp<uint64_t>(uint64_t(std::ceil(part * double(total))), 1, total);
}

}  // namespace

Survivors::Survivors(std::span<const float> scores, float largest, double temperature)
    : scores_(scores), largest_(largest), inverse_temperature_(1 / temperature) {
  PUNA_REQUIRE(scores.size() <= kMaxVocabulary, "%zu logits, expected at most %zu", scores.size(), kMaxVocabulary);
}

template <class Keep>
void Survivors::keep_if(Keep keep) {
  size_t kept = 0;
  for (size_t i = 0; i < scores_.size(); ++i) kept += keep(i);
  if (kept == scores_.size()) return;
  std::vector<float> scores(kept);
  std::vector<int32_t> ids(kept);
  std::vector<uint64_t> weights(weights_.empty() ? 0 : kept);
  for (size_t i = 0, n = 0; i < scores_.size() && n < kept; ++i) {
    if (!keep(i)) continue;
    scores[n] = scores_[i];
    ids[n] = id(i);
    if (!weights_.empty()) weights[n] = weights_[i];
    ++n;
  }
  total_ = std::accumulate(weights.begin(), weights.end(), uint64_t(0));
  stored_ = std::move(scores);
  ids_ = std::move(ids);
  weights_ = std::move(weights);
  scores_ = stored_;
}

void Survivors::weigh() {
  if (!weights_.empty()) return;
  constexpr size_t kBlock = 512;
  constexpr double kRounder = 4096;  // doubles from 4096 on are 2^-40 apart: adding it rounds to the weight's last bit
  constexpr double kNegligible = -40;
  weights_.resize(scores_.size());
  const double largest = largest_, inverse_temperature = inverse_temperature_;
  uint64_t total = 0;
  double e[kBlock];
  for (size_t begin = 0; begin < scores_.size(); begin += kBlock) {
    const std::span<const float> s = scores_.subspan(begin, std::min(kBlock, scores_.size() - begin));
    uint64_t* const w = weights_.data() + begin;
    for (size_t i = 0; i < s.size(); ++i) {
      const double x = (double(s[i]) - largest) * inverse_temperature;
      e[i] = x > kNegligible ? x : kNegligible;
    }
    det::exp(e, e, int64_t(s.size()));
    for (size_t i = 0; i < s.size(); ++i) {
      w[i] = std::bit_cast<uint64_t>(e[i] + kRounder) - std::bit_cast<uint64_t>(kRounder);
      total += w[i];
    }
  }
  total_ = total;
}

double Survivors::log_normaliser() const noexcept { return det::log(double(total_) * 0x1p-40); }

double Survivors::entropy() const noexcept {
  const double log_z = log_normaliser();
  double sum = 0;
  for (size_t i = 0; i < scores_.size(); ++i) {
    if (weights_[i] != 0) sum += double(weights_[i]) * (log_z - exponent(i));
  }
  return sum / double(total_);
}

void Survivors::top_k(int64_t k) {
  if (k <= 0 || size_t(k) >= scores_.size()) return;
  const float floor = kth_largest(scores_, size_t(k));
  keep_if([&](size_t i) { return scores_[i] >= floor; });
}

void Survivors::top_p(double p) {
  weigh();
  const Candidate last = weighted_select(weights_, share(p, total_), [&](size_t i) { return -double(scores_[i]); });
  keep_if([&](size_t i) { return -scores_[i] != last.key ? -scores_[i] < last.key : i <= last.index; });
}

void Survivors::min_p(double p) {
  const double least = det::log(p);
  keep_if([&](size_t i) { return exponent(i) >= least; });
}

void Survivors::typical(double mass) {
  weigh();
  const double log_z = log_normaliser(), h = entropy();
  const auto distance = [&](size_t i) { return std::fabs((log_z - exponent(i)) - h); };
  const double farthest = weighted_select(weights_, share(mass, total_), distance).key;
  keep_if([&](size_t i) { return distance(i) <= farthest; });
}

void Survivors::keep_probable(double least_log_probability) {
  const double least = least_log_probability + log_normaliser();
  const float top = *std::max_element(scores_.begin(), scores_.end());
  keep_if([&](size_t i) { return exponent(i) >= least || scores_[i] == top; });
}

void Survivors::epsilon(double cutoff) {
  weigh();
  keep_probable(det::log(cutoff));
}

void Survivors::eta(double cutoff) {
  weigh();
  const double log_cutoff = det::log(cutoff);
  keep_probable(std::min(log_cutoff, 0.5 * log_cutoff - entropy()));
}

void Survivors::log_probabilities(std::span<float> out) {
  weigh();
  std::fill(out.begin(), out.end(), -std::numeric_limits<float>::infinity());
  const double log_z = log_normaliser();
  for (size_t i = 0; i < scores_.size(); ++i) out[size_t(id(i))] = float(exponent(i) - log_z);
}

TokenProbability Survivors::draw(double u) {
  weigh();
  uint64_t rest = std::min(uint64_t(u * double(total_)), total_ - 1);
  size_t i = 0;
  while (rest >= weights_[i]) rest -= weights_[i++];
  return {id(i), float(exponent(i) - log_normaliser())};
}

}  // namespace puna
