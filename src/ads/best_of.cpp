#include "ads/best_of.h"

#include <algorithm>
#include <cmath>

#include "base/det_math.h"
#include "base/normals.h"

namespace puna::ads {
namespace {

constexpr int kCells = 192;

// A Beta's distribution function over equal steps of log odds y; its density there is x^a (1 - x)^b over a constant.
struct BetaTable {
  double low, step;
  double cumulative[kCells + 1];

  BetaTable(double a, double b) {
    const double mode = det::log(a / b), deviation = std::sqrt((a + b) / (a * b));
    low = mode - 7 * deviation - 12 / a;
    step = (mode + 7 * deviation + 12 / b - low) / kCells;
    const auto log_density = [&](double y) {
      return y > 0 ? -b * y - (a + b) * det::log1p(det::exp(-y)) : a * y - (a + b) * det::log1p(det::exp(y));
    };
    const double top = log_density(mode);
    cumulative[0] = 0;
    double before = det::exp(log_density(low) - top);
    for (int i = 1; i <= kCells; ++i) {
      const double here = det::exp(log_density(low + step * i) - top);
      cumulative[i] = cumulative[i - 1] + 0.5 * (before + here);
      before = here;
    }
    for (double& c : cumulative) c /= cumulative[kCells];
  }
  double operator()(double y) const noexcept {
    const double place = (y - low) / step;
    if (place <= 0) return 0;
    if (place >= kCells) return 1;
    const int i = int(place);
    return cumulative[i] + (cumulative[i + 1] - cumulative[i]) * (place - i);
  }
};

}  // namespace

void best_of_betas(std::span<double> p, std::span<const double> a, std::span<const double> b) {
  std::vector<BetaTable> tables;
  tables.reserve(a.size());
  for (size_t k = 0; k < a.size(); ++k) tables.emplace_back(a[k], b[k]);
  double all = 0;
  for (size_t k = 0; k < a.size(); ++k) {
    const BetaTable& own = tables[k];
    p[k] = 0;
    for (int i = 0; i < kCells; ++i) {
      double best = own.cumulative[i + 1] - own.cumulative[i];
      const double y = own.low + own.step * (i + 0.5);
      for (size_t j = 0; j < a.size() && best > 1e-15; ++j)
        if (j != k) best *= tables[j](y);
      p[k] += best;
    }
    all += p[k];
  }
  for (size_t k = 0; k < a.size(); ++k) p[k] /= all;
}

// A column a variant, each of its own stream: variants that come later change no draw of those that are there. The
// second half of the draws mirrors the first.
void BestOfNormals::draw(size_t columns) {
  constexpr uint64_t kSeed = 0x50756E61;
  for (size_t k = z_.size() / kDraws; k < columns; ++k) {
    Normals normals(kSeed, k);
    z_.resize((k + 1) * kDraws);
    float* const z = z_.data() + k * kDraws;
    for (int i = 0; i < kDraws / 2; ++i) {
      z[i] = normals.next();
      z[i + kDraws / 2] = -z[i];
    }
  }
}

void BestOfNormals::operator()(std::span<double> p, std::span<const double> mean, std::span<const double> shared,
                               std::span<const double> own) {
  draw(mean.size() + 1);
  best_.assign(kDraws, -INFINITY);
  who_.assign(kDraws, 0);
  double* const __restrict best = best_.data(), * const __restrict who = who_.data();
  for (size_t k = 0; k < mean.size(); ++k) {
    const float* const __restrict z0 = z_.data();
    const float* const __restrict z = z_.data() + (k + 1) * kDraws;
    const double m = mean[k], with_all = shared[k], alone = own[k];
    for (int i = 0; i < kDraws; ++i) {
      const double value = m + with_all * double(z0[i]) + alone * double(z[i]);
      const bool better = value > best[i];  // no branch: it would be wrong half of the time
      best[i] = better ? value : best[i];
      who[i] = better ? double(k) : who[i];
    }
  }
  for (double& share : p) share = 0;
  for (const double k : who_) p[size_t(k)] += 1.0 / kDraws;
}

}  // namespace puna::ads
