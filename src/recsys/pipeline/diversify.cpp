#include "puna/recsys/diversify.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <unordered_map>
#include <unordered_set>

#include "base/fp_env.h"
#include "puna/base/error.h"
#include "puna/base/philox.h"

namespace puna::recsys {
namespace {

void check(const DiversityInput& in, const DiversityOptions& o) {
  const size_t n = in.values.size();
  PUNA_REQUIRE(o.count >= 0, "count is %jd, expected at least 0", o.count);
  PUNA_REQUIRE(o.per_category >= 0, "per_category is %jd, expected at least 0", o.per_category);
  PUNA_REQUIRE(o.lambda >= 0 && o.lambda <= 1, "lambda is %g, expected 0 to 1", o.lambda);
  PUNA_REQUIRE(in.groups.empty() || in.groups.size() == n, "%zu groups of %zu candidates", in.groups.size(), n);
  PUNA_REQUIRE(in.categories.empty() || in.categories.size() == n, "%zu categories of %zu candidates",
               in.categories.size(), n);
  PUNA_REQUIRE(in.vectors.empty() || (in.dim >= 1 && in.vectors.size() == n * size_t(in.dim)),
               "%zu values in vectors of %zu candidates", in.vectors.size(), n);
  for (size_t i = 0; i < n; ++i) PUNA_REQUIRE(std::isfinite(in.values[i]), "candidate %zu: its value is not finite", i);
}

std::vector<size_t> by_value(std::span<const double> values) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t(0));
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return values[a] > values[b]; });
  return order;
}

double cosine(const DiversityInput& in, size_t a, size_t b) noexcept {
  double sum = 0;
  for (size_t d = 0, n = size_t(in.dim); d < n; ++d)
    sum += double(in.vectors[a * n + d]) * double(in.vectors[b * n + d]);
  return sum;
}

}  // namespace

std::vector<size_t> diversify(const DiversityInput& in, const DiversityOptions& o) {
  check(in, o);
  const FpEnv fp_env;
  std::vector<size_t> left = by_value(in.values);  // the best first: of ties in what follows, the best stays
  std::unordered_set<int64_t> groups;
  if (!in.groups.empty()) std::erase_if(left, [&](size_t i) { return !groups.insert(in.groups[i]).second; });
  const double best = left.empty() ? 0 : in.values[left.front()],
               range = left.empty() ? 0 : best - in.values[left.back()];
  const bool marginal = o.lambda < 1 && !in.vectors.empty();
  // largest cosine with those chosen
  std::vector<double> nearest(in.values.size(), marginal && o.count > 0 ? -1.0 : 0.0);
  std::unordered_map<int32_t, int64_t> taken;
  std::vector<size_t> list;
  while (int64_t(list.size()) < o.count) {
    const auto score = [&](size_t i) {
      const double v = range > 0 ? 1 - (best - in.values[i]) / range : 1;
      return list.empty() ? v : o.lambda * v - (1 - o.lambda) * nearest[i];
    };
    std::erase_if(left, [&](size_t i) {
      return o.per_category > 0 && !in.categories.empty() && taken[in.categories[i]] >= o.per_category;
    });
    if (left.empty()) break;
    const auto next =
        marginal ? std::max_element(left.begin(), left.end(), [&](size_t a, size_t b) { return score(a) < score(b); })
                 : left.begin();
    const size_t chosen = *next;
    left.erase(next);
    list.push_back(chosen);
    if (!in.categories.empty()) ++taken[in.categories[chosen]];
    if (marginal)
      for (const size_t i : left) nearest[i] = std::max(nearest[i], cosine(in, i, chosen));
  }
  return list;
}

Explored explore(std::vector<size_t>& list, const DiversityInput& in, uint64_t request, const ExploreOptions& o) {
  PUNA_REQUIRE(o.epsilon >= 0 && o.epsilon <= 1, "epsilon is %g, expected 0 to 1", o.epsilon);
  PUNA_REQUIRE(o.place >= 0 && o.pool >= 1, "place %jd, pool %jd, expected at least 0 and 1", o.place, o.pool);
  if (list.empty()) return {};
  Explored e;
  e.place = std::min(o.place, int64_t(list.size()) - 1);
  if (o.epsilon == 0) return e;
  const auto group = [&](size_t i) { return in.groups.empty() ? int64_t(i) : in.groups[i]; };
  std::unordered_set<int64_t> out;  // what the list shows, and what the pool has
  for (const size_t i : list) out.insert(group(i));
  std::vector<size_t> pool{list[size_t(e.place)]};
  for (const size_t i : by_value(in.values)) {
    if (int64_t(pool.size()) > o.pool) break;
    if (out.insert(group(i)).second) pool.push_back(i);
  }
  const Philox bits = philox(o.seed, request);
  e.drawn = double(bits.word[0]) < o.epsilon * 4294967296.0;
  const size_t which = e.drawn ? size_t(uint64_t(bits.word[1]) * pool.size() >> 32) : 0;
  list[size_t(e.place)] = pool[which];
  e.propensity = o.epsilon / double(pool.size()) + (which == 0 ? 1 - o.epsilon : 0);
  return e;
}

}  // namespace puna::recsys
