#include "puna/label/agreement.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>
#include <string>

#include "base/shown.h"
#include "label/named.h"
#include "puna/base/error.h"

namespace puna::label {
namespace {

constexpr const char* kMeasures[] = {"nominal", "ordinal", "interval", "ratio"};

bool number_of(const std::string& name, double& value) {
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), value);
  return error == std::errc() && end == name.data() + name.size() && std::isfinite(value);
}

// How many ratings of each label an item has; items with fewer than two apart.
struct Unit {
  int64_t ratings = 0;
  std::vector<std::pair<size_t, double>> counts;  // label, ratings
};

template <class Visit>
void each_unit(const Answers& a, const Watch& watch, Visit visit) {
  Unit unit;
  std::vector<int32_t> labels;
  for (size_t n = 0; n < a.answers.size();) {
    const int32_t item = a.answers[n].item;
    labels.clear();
    for (; n < a.answers.size() && a.answers[n].item == item; ++n) labels.push_back(a.answers[n].label);
    watch.tick(labels.size());
    if (labels.size() < 2) continue;
    std::sort(labels.begin(), labels.end());
    unit.ratings = int64_t(labels.size());
    unit.counts.clear();
    for (const int32_t l : labels) {
      if (unit.counts.empty() || unit.counts.back().first != size_t(l)) unit.counts.push_back({size_t(l), 0});
      unit.counts.back().second += 1;
    }
    visit(unit);
  }
}

// sum over c, k of n_c n_k delta(c, k). All but ratio are sums of squares over all ratings, so a list is walked once.
class Disagreement {
 public:
  Disagreement(Measure measure, std::vector<double> values) : measure_(measure), values_(std::move(values)) {}

  double of(const std::vector<std::pair<size_t, double>>& counts, const Watch& watch) const {
    if (measure_ == Measure::nominal) {  // n^2 - sum n_c^2
      double n = 0, squares = 0;
      for (const auto& [label, count] : counts) {
        n += count;
        squares += count * count;
      }
      return n * n - squares;
    }
    if (measure_ == Measure::ratio) {
      double sum = 0;
      for (const auto& [c, n_c] : counts) {
        for (const auto& [k, n_k] : counts) {
          const double below = values_[c] + values_[k], above = values_[c] - values_[k];
          if (above != 0) sum += n_c * n_k * (above / below) * (above / below);
        }
        watch.tick(1 + counts.size() / 64);
      }
      return sum;
    }
    double n = 0, mean = 0, squares = 0;  // sum n_c n_k (v_c - v_k)^2 = 2 n sum n_c (v_c - mean)^2
    for (const auto& [label, count] : counts) {
      n += count;
      mean += count * values_[label];
    }
    mean /= n;
    for (const auto& [label, count] : counts) squares += count * (values_[label] - mean) * (values_[label] - mean);
    return 2 * n * squares;
  }

 private:
  Measure measure_;
  std::vector<double> values_;  // of the labels
};

// Where the labels lie. Ordinal: (sum_{g=c..k} n_g - (n_c + n_k)/2)^2 is the squared difference of the middles of the
// labels' ranges when all ratings stand in order.
std::vector<double> places_of(const Answers& a, Measure measure, const std::vector<std::string>& order,
                              const std::vector<double>& ratings) {
  const size_t K = a.labels.size();
  std::vector<double> values(K);
  if (measure == Measure::nominal) return values;
  bool numbers = true;
  for (size_t l = 0; l < K; ++l) {
    const bool is_number = number_of(a.labels[l], values[l]);
    if (!is_number && measure != Measure::ordinal)
      fail(Status::invalid_argument, "label '%s' is no number, so there is no %s alpha", shown(a.labels[l]).c_str(),
           kMeasures[int(measure)]);
    if (is_number && measure == Measure::ratio && values[l] < 0)
      fail(Status::invalid_argument, "label '%s' is below 0, so there is no ratio alpha", shown(a.labels[l]).c_str());
    numbers &= is_number;
  }
  if (measure != Measure::ordinal) return values;
  for (size_t l = 0; l < K && !numbers; ++l) {
    const auto at = std::find(order.begin(), order.end(), a.labels[l]);
    if (!order.empty() && at == order.end())
      fail(Status::invalid_argument, "label '%s' has no place in the order of labels", shown(a.labels[l]).c_str());
    values[l] = order.empty() ? double(l) : double(at - order.begin());
  }
  std::vector<size_t> by_value(K);
  for (size_t l = 0; l < K; ++l) by_value[l] = l;
  std::sort(by_value.begin(), by_value.end(), [&](size_t x, size_t y) { return values[x] < values[y]; });
  std::vector<double> middle(K);
  double before = 0;
  for (size_t i = 0; i < K;) {  // "1" and "1.0" are one place
    size_t end = i;
    double here = 0;
    for (; end < K && values[by_value[end]] == values[by_value[i]]; ++end) here += ratings[by_value[end]];
    for (; i < end; ++i) middle[by_value[i]] = before + here / 2;
    before += here;
  }
  return middle;
}

}  // namespace

Measure measure_of(std::string_view name) { return named<Measure>(kMeasures, "measure", name); }

Alpha krippendorff_alpha(const Answers& a, Measure measure, const std::vector<std::string>& order, const Watch& watch) {
  Alpha result;
  std::vector<double> ratings(a.labels.size());
  each_unit(a, watch, [&](const Unit& unit) {
    ++result.units;
    result.values += unit.ratings;
    for (const auto& [label, count] : unit.counts) ratings[label] += count;
  });
  PUNA_REQUIRE(result.units > 0, "alpha is not defined: no item has two answers");
  const Disagreement disagreement(measure, places_of(a, measure, order, ratings));
  std::vector<std::pair<size_t, double>> all;
  for (size_t l = 0; l < ratings.size(); ++l)
    if (ratings[l] > 0) all.push_back({l, ratings[l]});
  const double expected = disagreement.of(all, watch);
  if (expected == 0)
    fail(Status::invalid_argument,
         "alpha is not defined: all answers of items with two or more are '%s', so there is nothing to disagree on",
         shown(a.labels[all[0].first]).c_str());
  double observed = 0;
  each_unit(a, watch,
            [&](const Unit& unit) { observed += disagreement.of(unit.counts, watch) / double(unit.ratings - 1); });
  result.alpha = 1 - double(result.values - 1) * observed / expected;
  return result;
}

std::vector<AnnotatorReport> annotator_reports(const Answers& a) {
  std::vector<AnnotatorReport> reports(a.workers.size());
  std::vector<int64_t> votes(a.labels.size());
  for (size_t n = 0; n < a.answers.size();) {
    const size_t from = n;
    const int32_t item = a.answers[n].item;
    for (; n < a.answers.size() && a.answers[n].item == item; ++n) ++votes[size_t(a.answers[n].label)];
    for (size_t i = from; i < n; ++i) {
      AnnotatorReport& r = reports[size_t(a.answers[i].worker)];
      const int32_t gold = a.gold[size_t(item)];
      ++r.answers;
      r.pairs += int64_t(n - from) - 1;
      r.equal_pairs += votes[size_t(a.answers[i].label)] - 1;
      r.gold_answers += gold != kUnknown;
      r.gold_right += gold == a.answers[i].label;
    }
    for (size_t i = from; i < n; ++i) votes[size_t(a.answers[i].label)] = 0;
  }
  return reports;
}

std::vector<int64_t> confusion_of(const Answers& a, int32_t worker, const std::vector<int32_t>& reference) {
  const size_t K = a.labels.size();
  std::vector<int64_t> cells(K * K);
  for (const Answer& x : a.answers)
    if (x.worker == worker && reference[size_t(x.item)] != kUnknown)
      ++cells[size_t(reference[size_t(x.item)]) * K + size_t(x.label)];
  return cells;
}

}  // namespace puna::label
