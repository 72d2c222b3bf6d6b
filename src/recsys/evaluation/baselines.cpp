// baselines.cpp -- the scorers that any learned model has to beat.
#include <cmath>
#include <unordered_map>

#include "puna/recsys/evaluate.h"

namespace puna::recsys {
namespace {

using Counts = std::vector<std::unordered_map<int32_t, float>>;  // of each item: how often with another

std::vector<float> popularity_of(const std::vector<std::vector<Event>>& histories, size_t items) {
  std::vector<float> count(items);
  for (const auto& h : histories)
    for (const Event& e : h) count[size_t(e.item)] += 1;
  return count;
}

}  // namespace

Scorer popularity_scorer(const Interactions& all) {
  return [count = popularity_of(without_last(all), all.items.size())](std::span<const History> users, float* scores) {
    for (size_t u = 0; u < users.size(); ++u) std::copy(count.begin(), count.end(), scores + u * count.size());
  };
}

Scorer item_knn_scorer(const Interactions& all, double decay, int64_t most) {
  const auto histories = without_last(all);
  const std::vector<float> popular = popularity_of(histories, all.items.size());
  Counts together(all.items.size());
  for (const auto& h : histories)
    for (const Event& a : h)
      for (const Event& b : h)
        if (a.item != b.item) together[size_t(a.item)][b.item] += 1;
  for (size_t i = 1; i < together.size(); ++i)
    for (auto& [j, n] : together[i]) n /= std::sqrt(popular[i] * popular[size_t(j)]);
  return [together = std::move(together), decay, most](std::span<const History> users, float* scores) {
    const size_t items = together.size();
    std::fill(scores, scores + users.size() * items, 0.0f);
    for (size_t u = 0; u < users.size(); ++u) {
      const auto& events = users[u].events;
      double weight = 1;
      for (size_t age = 0; age < events.size() && int64_t(age) < most; ++age, weight *= decay)
        for (const auto& [j, cosine] : together[size_t(events[events.size() - 1 - age].item)])
          scores[u * items + size_t(j)] += float(weight) * cosine;
    }
  };
}

Scorer markov_scorer(const Interactions& all) {
  const auto histories = without_last(all);
  const std::vector<float> popular = popularity_of(histories, all.items.size());
  float most = 1;
  for (const float p : popular) most = std::max(most, p);
  Counts follows(all.items.size());
  for (const auto& h : histories)
    for (size_t i = 1; i < h.size(); ++i) follows[size_t(h[i - 1].item)][h[i].item] += 1;
  return [follows = std::move(follows), popular, most](std::span<const History> users, float* scores) {
    const size_t items = popular.size();
    for (size_t u = 0; u < users.size(); ++u) {
      for (size_t i = 0; i < items; ++i) scores[u * items + i] = 0.5f * popular[i] / most;  // below any count
      for (const auto& [j, n] : follows[size_t(users[u].events.back().item)]) scores[u * items + size_t(j)] += n;
    }
  };
}

}  // namespace puna::recsys
