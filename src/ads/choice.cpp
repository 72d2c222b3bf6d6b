#include "puna/ads/choice.h"

#include <algorithm>
#include <cmath>

#include "ads/best_of.h"
#include "ads/two_level.h"
#include "base/det_math.h"
#include "puna/base/error.h"
#include "puna/base/philox.h"

namespace puna::ads {
namespace {

constexpr int32_t kMostVariants = 1000;
constexpr double kSpreadPrior = 4;
constexpr int kSpreadSteps = 8;
constexpr int64_t kMostCells = 10'000'000;

void require_rate(double rate, size_t at) {
  PUNA_REQUIRE(rate > 0 && rate < 1, "rate %zu is %g, expected a number between 0 and 1", at, rate);
}
double logit(double p) { return det::log(p / (1 - p)); }

}  // namespace

struct Chooser::Impl {
  ChooserOptions o;
  int32_t variants;
  std::vector<double> shown, clicks;  // [segments][variants]
  std::vector<bool> retired;
  TwoLevel model;
  BestOfNormals best_of_normals;
  std::vector<double> p, rate;  // [segments][variants]
  std::vector<bool> is_ready;   // [segments]: p and rate are those of the sums
  bool fitted = false;
  std::vector<double> mean, shared, own, scratch;  // [variants]

  explicit Impl(const ChooserOptions& options)
      : o(options),
        variants(o.variants),
        shown(size_t(o.segments) * size_t(o.variants)),
        clicks(shown.size()),
        retired(size_t(o.variants)),
        model(o.segments, o.variants),
        p(shown.size()),
        rate(shown.size()),
        is_ready(size_t(o.segments)) {}

  size_t cell(int32_t s, int32_t k) const { return size_t(s) * size_t(variants) + size_t(k); }
  bool is_linear() const { return o.method == ChoiceMethod::lin_ts || o.method == ChoiceMethod::lin_ucb; }
  void changed() {
    std::fill(is_ready.begin(), is_ready.end(), false);
    fitted = false;
  }

  void fit() {
    if (fitted) return;
    model.reset();
    if (o.method == ChoiceMethod::hierarchical) {
      std::vector<double> offset;
      for (const double r : o.rates) offset.push_back(logit(r));
      TwoLevelPriors priors{.mu_mean = o.rates.empty() ? logit(o.base_rate) : 0,
                            .mu = 0.25,
                            .alpha = 1 / (o.variant_spread * o.variant_spread),
                            .beta = 1 / (o.cell_spread * o.cell_spread)};
      model.fit_logit(priors, shown, clicks, offset);
      // Empirical Bayes: how much variants and cells differ is learnt as well (EM); the options count for as many of
      // them as kSpreadPrior.
      const auto learnt = [](double spread, double squares, double count) {
        return (kSpreadPrior + count) / (kSpreadPrior * spread * spread + squares);
      };
      for (int i = 0; i < kSpreadSteps; ++i) {
        priors.alpha = learnt(o.variant_spread, model.alpha_squares(), double(variants));
        priors.beta = learnt(o.cell_spread, model.beta_squares(), double(shown.size()));
        model.fit_logit(priors, shown, clicks, offset);
      }
    } else if (is_linear()) {
      model.fit_linear({.mu_mean = 0, .mu = o.ridge, .alpha = o.ridge, .beta = o.ridge}, shown, clicks);
    }
    fitted = true;
  }

  double temper() const {
    double all = 0;
    for (const double c : clicks) all += c;
    return o.temper + (o.early_temper - o.temper) * det::exp(-all / o.early_clicks);
  }

  // The probability of being the best, of those that are not retired.
  void prepare(int32_t s) {
    if (is_ready[size_t(s)]) return;
    fit();
    std::vector<int32_t> live;
    for (int32_t k = 0; k < variants; ++k)
      if (!retired[size_t(k)]) live.push_back(k);
    mean.assign(live.size(), 0);
    shared = own = scratch = mean;
    for (size_t i = 0; i < live.size(); ++i) believe(s, live[i], i);
    switch (o.method) {
      case ChoiceMethod::uniform: std::fill(scratch.begin(), scratch.end(), 1.0 / double(live.size())); break;
      case ChoiceMethod::thompson: best_of_betas(scratch, shared, own); break;
      case ChoiceMethod::lin_ucb:
        for (size_t i = 0; i < live.size(); ++i)
          mean[i] += o.deviations * std::sqrt(shared[i] * shared[i] + own[i] * own[i]);
        scratch[size_t(std::max_element(mean.begin(), mean.end()) - mean.begin())] = 1;
        break;
      case ChoiceMethod::hierarchical:
      case ChoiceMethod::lin_ts: {
        const double scale = o.method == ChoiceMethod::lin_ts ? o.noise : temper();
        for (double& d : shared) d *= scale;
        for (double& d : own) d *= scale;
        best_of_normals(scratch, mean, shared, own);
      }
    }
    const double floor = std::min(o.floor, 1.0 / double(live.size()));
    for (int32_t k = 0; k < variants; ++k) p[cell(s, k)] = 0;
    for (size_t i = 0; i < live.size(); ++i)
      p[cell(s, live[i])] = (1 - double(live.size()) * floor) * scratch[i] + floor;
    is_ready[size_t(s)] = true;
  }

  // What is believed of a rate: its mean, and for the i-th of those that may be shown what the method needs.
  void believe(int32_t s, int32_t k, size_t i) {
    const size_t c = cell(s, k);
    if (o.method == ChoiceMethod::hierarchical || is_linear()) {
      const double offset = o.method == ChoiceMethod::hierarchical && !o.rates.empty() ? logit(o.rates[c]) : 0;
      mean[i] = model.eta(s, k) + offset;
      shared[i] = model.shared_deviation(s, k);
      own[i] = model.own_deviation(s, k);
      rate[c] = is_linear() ? mean[i] : 1 / (1 + det::exp(-mean[i]));
    } else {
      const double guess = o.rates.empty() ? o.base_rate : o.rates[c];
      shared[i] = o.prior_shown * guess + clicks[c];
      own[i] = o.prior_shown * (1 - guess) + shown[c] - clicks[c];
      rate[c] = shared[i] / (shared[i] + own[i]);
    }
  }

  void require_segment(int32_t s) const {
    PUNA_REQUIRE(s >= 0 && s < o.segments, "segment is %d, expected 0 to %d", int(s), int(o.segments) - 1);
  }
  void require_variant(int32_t k) const {
    PUNA_REQUIRE(k >= 0 && k < variants, "variant is %d, expected 0 to %d", int(k), int(variants) - 1);
  }
  void widen(std::vector<double>& table) const {  // a column of zeros behind each row of variants
    std::vector<double> wide(size_t(o.segments) * size_t(variants + 1));
    for (int32_t s = 0; s < o.segments; ++s)
      std::copy_n(table.begin() + ptrdiff_t(cell(s, 0)), variants,
                  wide.begin() + ptrdiff_t(size_t(s) * size_t(variants + 1)));
    table = std::move(wide);
  }
};

Chooser::Chooser(const ChooserOptions& o) {
  const auto within = [](double value, double low, double high, const char* name) {
    PUNA_REQUIRE(value >= low && value <= high, "%s is %g, expected %g to %g", name, value, low, high);
  };
  PUNA_REQUIRE(o.variants >= 1 && o.variants <= kMostVariants, "variants is %d, expected 1 to %d", int(o.variants),
               int(kMostVariants));
  PUNA_REQUIRE(o.segments >= 1 && int64_t(o.segments) * o.variants <= kMostCells,
               "segments is %d, expected at least 1, and at most %jd times the variants", int(o.segments), kMostCells);
  within(o.floor, 0, 1.0 / double(o.variants), "floor");
  within(o.discount, 0.01, 1, "discount");
  within(o.temper, 0, 10, "temper");
  within(o.early_temper, 0, 10, "early_temper");
  within(o.early_clicks, 1e-3, 1e12, "early_clicks");
  within(o.variant_spread, 1e-3, 100, "variant_spread");
  within(o.cell_spread, 1e-3, 100, "cell_spread");
  within(o.base_rate, 1e-6, 1 - 1e-6, "base_rate");
  within(o.prior_shown, 1e-3, 1e9, "prior_shown");
  within(o.deviations, 0, 1e3, "deviations");
  within(o.noise, 0, 1e3, "noise");
  within(o.ridge, 1e-6, 1e9, "ridge");
  PUNA_REQUIRE(o.rates.empty() || o.rates.size() == size_t(o.segments) * size_t(o.variants),
               "there are %zu rates, expected one a segment and variant: %zu", o.rates.size(),
               size_t(o.segments) * size_t(o.variants));
  for (size_t i = 0; i < o.rates.size(); ++i) require_rate(o.rates[i], i);
  impl_ = std::make_unique<Impl>(o);
}
Chooser::~Chooser() = default;
Chooser::Chooser(Chooser&&) noexcept = default;
Chooser& Chooser::operator=(Chooser&&) noexcept = default;

std::span<const double> Chooser::propensities(int32_t segment) {
  impl_->require_segment(segment);
  impl_->prepare(segment);
  return std::span(impl_->p).subspan(impl_->cell(segment, 0), size_t(impl_->variants));
}

std::span<const double> Chooser::rates(int32_t segment) {
  propensities(segment);
  return std::span(impl_->rate).subspan(impl_->cell(segment, 0), size_t(impl_->variants));
}

Choice Chooser::choose(int32_t segment, uint64_t seed, uint64_t number) {
  const std::span<const double> p = propensities(segment);
  const Philox bits = philox(seed, number);
  double left = (double(bits.word[0]) + (double(bits.word[1]) + 0.5) / 4294967296.0) / 4294967296.0;
  Choice choice;
  for (size_t k = 0; k < p.size(); ++k) {
    if (p[k] <= 0) continue;
    choice = {.variant = int32_t(k), .propensity = p[k]};
    if ((left -= p[k]) < 0) break;
  }
  return choice;
}

void Chooser::update(std::span<const Outcome> outcomes) {
  Impl& m = *impl_;
  for (const Outcome& e : outcomes) {
    m.require_segment(e.segment);
    m.require_variant(e.variant);
    PUNA_REQUIRE(e.shown >= 0 && e.shown <= 1e15 && e.clicks >= 0 && e.clicks <= e.shown,
                 "%g clicks of %g shown are not possible", e.clicks, e.shown);
  }
  if (m.o.discount < 1)
    for (std::vector<double>* sums : {&m.shown, &m.clicks})
      for (double& sum : *sums) sum *= m.o.discount;
  for (const Outcome& e : outcomes) {
    m.shown[m.cell(e.segment, e.variant)] += e.shown;
    m.clicks[m.cell(e.segment, e.variant)] += e.clicks;
  }
  m.changed();
}

int32_t Chooser::add_variant(std::span<const double> rates) {
  const Impl& m = *impl_;
  PUNA_REQUIRE(m.variants < kMostVariants && int64_t(m.o.segments) * (m.variants + 1) <= kMostCells,
               "there are %d variants, no more are possible", int(m.variants));
  PUNA_REQUIRE(rates.size() == (m.o.rates.empty() ? 0 : size_t(m.o.segments)),
               "there are %zu rates for a new variant, expected %zu", rates.size(),
               m.o.rates.empty() ? size_t(0) : size_t(m.o.segments));
  for (size_t i = 0; i < rates.size(); ++i) require_rate(rates[i], i);
  auto wider = std::make_unique<Impl>(m);
  for (std::vector<double>* table : {&wider->shown, &wider->clicks, &wider->p, &wider->rate}) m.widen(*table);
  if (!m.o.rates.empty()) m.widen(wider->o.rates);
  wider->model.add_variant();
  wider->retired.push_back(false);
  ++wider->variants;
  for (size_t s = 0; s < rates.size(); ++s) wider->o.rates[wider->cell(int32_t(s), m.variants)] = rates[s];
  wider->changed();
  impl_ = std::move(wider);
  return impl_->variants - 1;
}

void Chooser::retire(int32_t variant) {
  impl_->require_variant(variant);
  const auto live = std::count(impl_->retired.begin(), impl_->retired.end(), false);
  PUNA_REQUIRE(impl_->retired[size_t(variant)] || live > 1, "variant %d is the last one that is left", int(variant));
  impl_->retired[size_t(variant)] = true;
  impl_->changed();
}

int32_t Chooser::segments() const noexcept { return impl_->o.segments; }
int32_t Chooser::variants() const noexcept { return impl_->variants; }
std::span<const double> Chooser::shown() const noexcept { return impl_->shown; }
std::span<const double> Chooser::clicks() const noexcept { return impl_->clicks; }
bool Chooser::retired(int32_t variant) const {
  impl_->require_variant(variant);
  return impl_->retired[size_t(variant)];
}

}  // namespace puna::ads
