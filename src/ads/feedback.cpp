#include "puna/ads/feedback.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "base/det_math.h"
#include "puna/base/error.h"

namespace puna::ads {
namespace {

void require_impression(const JudgedImpression& i) {
  PUNA_REQUIRE(i.cell >= 0 && i.variant >= 0, "cell %d and variant %d, expected 0 or more", int(i.cell),
               int(i.variant));
  PUNA_REQUIRE(i.propensity > 0 && i.propensity <= 1, "a propensity is %g, expected a probability above 0",
               i.propensity);
  PUNA_REQUIRE(std::fabs(i.reward) <= 1e12, "a reward is %g, expected a number up to 1e12", i.reward);
}

// Sums over the impressions of a text, or of a cell.
struct Sums {
  int64_t shown = 0, rewarded = 0;
  double w = 0, ww = 0, wr = 0, wrr = 0;
  void add(const JudgedImpression& i) noexcept {
    const double weight = 1 / i.propensity;
    ++shown;
    rewarded += i.reward != 0;
    w += weight;
    ww += weight * weight;
    wr += weight * i.reward;
    wrr += weight * i.reward * i.reward;
  }
};

double upper_tail(double z) noexcept { return 0.5 * (1 - det::erf(z / 1.4142135623730951)); }

}  // namespace

std::vector<TextValue> text_values(std::span<const JudgedImpression> impressions, double shrink) {
  PUNA_REQUIRE(shrink > 0 && shrink <= 1e12, "shrink is %g, expected a number above 0, up to 1e12", shrink);
  std::map<int32_t, Sums> of_cell;
  std::map<std::pair<int32_t, int32_t>, Sums> of_text;
  for (const JudgedImpression& i : impressions) {
    require_impression(i);
    of_cell[i.cell].add(i);
    of_text[{i.cell, i.variant}].add(i);
  }
  std::vector<TextValue> values;
  for (const auto& [at, text] : of_text) {
    const Sums& cell = of_cell[at.first];
    const double mean = cell.wr / cell.w, spread = std::max(0.0, cell.wrr / cell.w - mean * mean);
    const double scale = double(cell.shown) / cell.w;  // weights of mean 1 in the cell
    const double weight = text.w * scale, prior = shrink;
    values.push_back({.cell = at.first,
                      .variant = at.second,
                      .shown = text.shown,
                      .rewarded = text.rewarded,
                      .value = (text.wr * scale + prior * mean) / (weight + prior),
                      .standard_error = std::sqrt(spread * text.ww) * scale / (weight + prior)});
  }
  return values;
}

std::vector<PreferredPair> preferred_pairs(std::span<const JudgedImpression> impressions, const PairOptions& o) {
  PUNA_REQUIRE(o.confidence > 0.5 && o.confidence < 1, "confidence is %g, expected above 0.5 and below 1",
               o.confidence);
  PUNA_REQUIRE(o.least_shown >= 1, "least_shown is %jd, expected at least 1", o.least_shown);
  std::vector<TextValue> texts = text_values(impressions, o.shrink);
  std::erase_if(texts, [&](const TextValue& t) { return t.shown < o.least_shown; });
  std::vector<PreferredPair> pairs;
  for (size_t i = 0; i < texts.size(); ++i)
    for (size_t j = i + 1; j < texts.size() && texts[j].cell == texts[i].cell; ++j) {
      const bool first = texts[i].value > texts[j].value;
      const TextValue &better = texts[first ? i : j], &worse = texts[first ? j : i];
      const double difference = better.value - worse.value;
      const double error = std::hypot(better.standard_error, worse.standard_error);
      if (!(difference > 0 && error > 0)) continue;
      const double wrong = upper_tail(difference / error);
      if (wrong <= 1 - o.confidence)
        pairs.push_back({.cell = better.cell,
                         .chosen = better.variant,
                         .rejected = worse.variant,
                         .difference = difference,
                         .wrong = wrong});
    }
  std::stable_sort(pairs.begin(), pairs.end(), [](const auto& a, const auto& b) { return a.wrong < b.wrong; });
  return pairs;
}

WriterDifference writer_difference(std::span<const JudgedImpression> impressions, std::span<const int32_t> writer_of) {
  // Which texts each writer has in each cell.
  std::map<int32_t, std::map<int32_t, int32_t>> texts;  // cell, variant: writer
  for (const JudgedImpression& i : impressions) {
    require_impression(i);
    PUNA_REQUIRE(size_t(i.variant) < writer_of.size(), "variant %d has no writer; there are %zu", int(i.variant),
                 writer_of.size());
    texts[i.cell][i.variant] = writer_of[size_t(i.variant)];
  }
  std::map<int32_t, std::array<double, 2>> share;  // cell: 1 / how many texts a and b have there
  for (const auto& [cell, writers] : texts) {
    double count[2] = {};
    for (const auto& [variant, writer] : writers)
      if (writer == 0 || writer == 1) ++count[writer];
    if (count[0] > 0 && count[1] > 0) share[cell] = {1 / count[0], 1 / count[1]};
  }
  WriterDifference d;
  d.cells = int64_t(share.size());
  // Weights of an impression for a and for b: what each would show here, over what was shown.
  const auto weight = [&](const JudgedImpression& i, int32_t writer) {
    return writer_of[size_t(i.variant)] == writer ? share.at(i.cell)[size_t(writer)] / i.propensity : 0.0;
  };
  double w[2] = {}, ww[2] = {}, wr[2] = {};
  for (const JudgedImpression& i : impressions) {
    if (share.find(i.cell) == share.end()) {
      ++d.left_out;
      continue;
    }
    ++d.impressions;
    for (int32_t writer : {0, 1}) {
      const double x = weight(i, writer);
      w[writer] += x;
      ww[writer] += x * x;
      wr[writer] += x * i.reward;
    }
  }
  if (d.impressions == 0) return d;
  const auto n = double(d.impressions);
  d.value_a = wr[0] / w[0];
  d.value_b = wr[1] / w[1];
  d.ess_a = w[0] * w[0] / ww[0];
  d.ess_b = w[1] * w[1] / ww[1];
  d.mean_weight_a = w[0] / n;
  d.mean_weight_b = w[1] / n;
  // The difference and each impression's influence on it.
  for (const JudgedImpression& i : impressions) {
    if (share.find(i.cell) == share.end()) continue;
    const double a = weight(i, 0) * (i.reward - d.value_a) * n / w[0],
                 b = weight(i, 1) * (i.reward - d.value_b) * n / w[1];
    d.scores.push_back(d.value_b - d.value_a + b - a);
    d.persons.push_back(int64_t(i.person));
  }
  return d;
}

}  // namespace puna::ads
