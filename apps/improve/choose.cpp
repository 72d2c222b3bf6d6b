#include "choose.h"

#include <algorithm>
#include <numeric>

#include "base/det_math.h"
#include "label/named.h"
#include "puna/base/philox.h"
#include "puna/label/text_overlap.h"
#include "puna/text/duplicates.h"

namespace puna::improve {
namespace {

std::vector<double> probabilities(const std::vector<double>& ll) {
  const double most = *std::max_element(ll.begin(), ll.end());
  std::vector<double> p;
  double sum = 0;
  for (const double x : ll) {
    p.push_back(det::exp(x - most));
    sum += p.back();
  }
  for (double& x : p) x /= sum;
  return p;
}

}  // namespace

int64_t Score::best() const {
  return std::max_element(log_likelihood.begin(), log_likelihood.end()) - log_likelihood.begin();
}

double Score::margin() const {
  std::vector<double> p = probabilities(log_likelihood);
  std::nth_element(p.begin(), p.begin() + 1, p.end(), std::greater<>());
  return p[0] - p[1];
}

double Score::entropy() const {
  double sum = 0;
  for (const double p : probabilities(log_likelihood))
    if (p > 0) sum -= p * det::log(p);
  return sum;
}

Choose choose_of(std::string_view name) { return label::named<Choose>(kChooseNames, "way to choose items", name); }

std::vector<int64_t> order_of(const Items& pool, std::span<const Score> scores, Choose choose, uint64_t seed) {
  std::vector<int64_t> order(pool.all.size());
  std::iota(order.begin(), order.end(), int64_t(0));
  // Equal items in random order; so is everything for random.
  std::vector<uint32_t> drawn(order.size());
  for (size_t i = 0; i < drawn.size(); ++i) drawn[i] = philox(seed, uint64_t(i)).word[0];
  std::vector<double> first(order.size(), 0);
  for (size_t i = 0; i < first.size() && choose != Choose::random; ++i) {
    if (choose == Choose::entropy) first[i] = -scores[i].entropy();
    if (choose == Choose::margin || choose == Choose::errors) first[i] = scores[i].margin();
    if (choose == Choose::errors && pool.all[i].answer >= 0 && !scores[i].right(pool.all[i])) first[i] -= 2;
  }
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
    if (first[size_t(a)] != first[size_t(b)]) return first[size_t(a)] < first[size_t(b)];
    return drawn[size_t(a)] < drawn[size_t(b)];
  });
  return order;
}

Checked check_texts(std::span<const std::string_view> pool, std::span<const std::string_view> tests,
                    const Watch& watch) {
  Checked c;
  c.kept.assign(pool.size(), 1);
  std::vector<std::string_view> all(tests.begin(), tests.end());
  all.insert(all.end(), pool.begin(), pool.end());
  const Duplicates duplicates = find_duplicates(all, {}, watch);
  for (size_t i = 0; i < pool.size(); ++i) {
    const int64_t group = duplicates.group[tests.size() + i];
    if (group == int64_t(tests.size() + i)) continue;
    c.kept[i] = 0;
    ++(group < int64_t(tests.size()) ? c.near_tests : c.duplicates);
  }
  label::ContaminationIndex index(pool, {}, watch);
  for (const std::string_view test : tests) index.search(test, "tests", watch);
  for (const auto& hit : index.hits()) {
    if (!c.kept[size_t(hit.item)]) continue;
    c.kept[size_t(hit.item)] = 0;
    ++c.in_tests;
  }
  return c;
}

}  // namespace puna::improve
