#include "puna/recsys/calibrate.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/det_math.h"
#include "base/fp_env.h"
#include "puna/base/error.h"

namespace puna::recsys {
namespace {

constexpr size_t kMostKnots = size_t(1) << 24;

double logit(double p) {
  return det::log(std::clamp(p, 0x1p-24, 1 - 0x1p-24)) - det::log1p(-std::clamp(p, 0x1p-24, 1 - 0x1p-24));
}
double sigmoid(double x) { return x >= 0 ? 1 / (1 + det::exp(-x)) : det::exp(x) / (1 + det::exp(x)); }

void check(std::span<const float> p, std::span<const float> y) {
  PUNA_REQUIRE(p.size() == y.size() && !p.empty(),
               "%zu probabilities and %zu outcomes, expected as many and at least one", p.size(), y.size());
  for (size_t i = 0; i < p.size(); ++i)
    PUNA_REQUIRE(p[i] >= 0 && p[i] <= 1 && y[i] >= 0 && y[i] <= 1,
                 "example %zu: probability %g, outcome %g, expected 0 to 1", i, double(p[i]), double(y[i]));
}

// Likelihood of a and b, with its slopes and curvature.
struct PlattFit {
  std::vector<double> x, target;
  double loss(double a, double b) const {
    double sum = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      const double z = a * x[i] + b;
      sum += std::max(z, 0.0) - z * target[i] + det::log1p(det::exp(-std::fabs(z)));
    }
    return sum;
  }
  // One of Newton's steps, halved until it helps (Lin, Lin and Weng 2007). False: nothing helps any more.
  bool step(double& a, double& b) const {
    double ga = 0, gb = 0, haa = 1e-12, hab = 0, hbb = 1e-12;
    for (size_t i = 0; i < x.size(); ++i) {
      const double p = sigmoid(a * x[i] + b), slope = p - target[i], curve = p * (1 - p);
      ga += slope * x[i];
      gb += slope;
      haa += curve * x[i] * x[i];
      hab += curve * x[i];
      hbb += curve;
    }
    const double det = haa * hbb - hab * hab, da = -(hbb * ga - hab * gb) / det, db = -(haa * gb - hab * ga) / det;
    const double before = loss(a, b), along = ga * da + gb * db;
    if (std::fabs(ga) < 1e-9 * double(x.size()) && std::fabs(gb) < 1e-9 * double(x.size())) return false;
    for (double size = 1; size > 1e-10; size /= 2)
      if (loss(a + size * da, b + size * db) < before + 1e-4 * size * along) {
        a += size * da;
        b += size * db;
        return true;
      }
    return false;
  }
};

// Sums over a block.
struct Block {
  double x, y, weight;
};

void pool(std::vector<Block>& blocks, const Block& next) {
  blocks.push_back(next);
  while (blocks.size() > 1 &&
         blocks[blocks.size() - 2].y * blocks.back().weight >= blocks.back().y * blocks[blocks.size() - 2].weight) {
    const Block last = blocks.back();
    blocks.pop_back();
    blocks.back() = {blocks.back().x + last.x, blocks.back().y + last.y, blocks.back().weight + last.weight};
  }
}

}  // namespace

std::vector<double> pool_adjacent_violators(std::span<const double> values, std::span<const double> weights) {
  PUNA_REQUIRE(values.size() == weights.size(), "%zu values and %zu weights", values.size(), weights.size());
  std::vector<Block> blocks;  // x counts the entries
  for (size_t i = 0; i < values.size(); ++i) {
    PUNA_REQUIRE(weights[i] > 0 && std::isfinite(values[i] * weights[i]), "value %zu: %g of weight %g", i, values[i],
                 weights[i]);
    pool(blocks, {1, values[i] * weights[i], weights[i]});
  }
  std::vector<double> fitted;
  for (const Block& b : blocks) fitted.insert(fitted.end(), size_t(b.x), b.y / b.weight);
  return fitted;
}

Calibrator Calibrator::platt(std::span<const float> p, std::span<const float> y) {
  check(p, y);
  const FpEnv fp_env;
  double positives = 0;
  for (const float v : y) positives += double(v);
  const double high = (positives + 1) / (positives + 2), low = 1 / (double(y.size()) - positives + 2);
  PlattFit fit;
  for (size_t i = 0; i < p.size(); ++i) {
    fit.x.push_back(logit(double(p[i])));
    fit.target.push_back(double(y[i]) * high + (1 - double(y[i])) * low);
  }
  double a = 1, b = 0;
  for (int i = 0; i < 100 && fit.step(a, b); ++i) {}
  return of(Kind::platt, {float(a)}, {float(b)});
}

Calibrator Calibrator::isotonic(std::span<const float> p, std::span<const float> y) {
  check(p, y);
  const FpEnv fp_env;
  std::vector<size_t> order(p.size());
  std::iota(order.begin(), order.end(), size_t(0));
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return p[a] < p[b]; });
  std::vector<Block> blocks;
  for (size_t i = 0; i < order.size();) {
    Block same{0, 0, 0};  // probabilities that are equal must stay so
    for (const float at = p[order[i]]; i < order.size() && p[order[i]] == at; ++i)
      same = {same.x + double(at), same.y + double(y[order[i]]), same.weight + 1};
    pool(blocks, same);
  }
  const double inside = 0.5 / double(p.size() + 1);  // a certain "never" would make one surprise infinitely bad
  std::vector<float> x, fitted;
  for (const Block& b : blocks) {
    const auto knot = float(b.x / b.weight);
    if (!x.empty() && knot <= x.back()) continue;
    x.push_back(knot);
    fitted.push_back(float(std::clamp(b.y / b.weight, inside, 1 - inside)));
  }
  return of(Kind::isotonic, std::move(x), std::move(fitted));
}

Calibrator Calibrator::of(Kind kind, std::vector<float> x, std::vector<float> y) {
  PUNA_REQUIRE(kind == Kind::none || kind == Kind::platt || kind == Kind::isotonic, "a calibrator's kind is %d",
               int(kind));
  PUNA_REQUIRE(x.size() == y.size() && x.size() <= kMostKnots, "%zu and %zu knots", x.size(), y.size());
  PUNA_REQUIRE(kind == Kind::none    ? x.empty()
               : kind == Kind::platt ? x.size() == 1
                                     : !x.empty(),
               "%zu knots", x.size());
  for (size_t i = 0; i < x.size(); ++i) {
    PUNA_REQUIRE(std::isfinite(x[i]) && std::isfinite(y[i]), "knot %zu is not finite", i);
    if (kind != Kind::isotonic) continue;
    PUNA_REQUIRE(x[i] >= 0 && x[i] <= 1 && y[i] >= 0 && y[i] <= 1, "knot %zu is not within 0 and 1", i);
    PUNA_REQUIRE(i == 0 || (x[i] > x[i - 1] && y[i] >= y[i - 1]), "knot %zu does not ascend", i);
  }
  Calibrator c;
  c.kind_ = kind;
  c.x_ = std::move(x);
  c.y_ = std::move(y);
  return c;
}

float Calibrator::operator()(float p) const noexcept {
  if (kind_ == Kind::none) return p;
  const FpEnv fp_env;
  if (kind_ == Kind::platt) return float(sigmoid(double(x_[0]) * logit(double(p)) + double(y_[0])));
  const auto above = size_t(std::upper_bound(x_.begin(), x_.end(), p) - x_.begin());
  if (above == 0) return y_.front();
  if (above == x_.size()) return y_.back();
  const double share = (double(p) - double(x_[above - 1])) / (double(x_[above]) - double(x_[above - 1]));
  return float(double(y_[above - 1]) + share * (double(y_[above]) - double(y_[above - 1])));
}

double with_all_negatives(double p, double q) noexcept { return p / (p + (1 - p) / q); }

}  // namespace puna::recsys
