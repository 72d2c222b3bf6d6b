#include "puna/recsys/content_tower.h"

#include <cmath>

#include "base/fp_env.h"
#include "puna/base/error.h"

namespace puna::recsys {
namespace {

constexpr int64_t kMostContent = 16384;

using Matrix = std::vector<double>;  // row by row

// a = L L^T in its lower half, in place; a symmetric, positive definite: [n][n]     (Cholesky; Golub and Van Loan,
// algorithm 4.2.1)
// Written out, for every sum here has one order. Eigen's LLT fuses on Arm and not on x86, and cuts products by the
// cache sizes it finds: other bits (docs/decisions/63-eigen.md).
void factorise(Matrix& a, size_t n) {
  for (size_t j = 0; j < n; ++j) {
    double* const row_j = a.data() + j * n;
    double d = row_j[j];
    for (size_t k = 0; k < j; ++k) d -= row_j[k] * row_j[k];
    PUNA_REQUIRE(
        d > 0, "the contents are linearly dependent: value %zu follows from those before it; a larger ridge helps", j);
    row_j[j] = std::sqrt(d);
    for (size_t i = j + 1; i < n; ++i) {
      double* const row_i = a.data() + i * n;
      double s = row_i[j];
      for (size_t k = 0; k < j; ++k) s -= row_i[k] * row_j[k];
      row_i[j] = s / row_j[j];
    }
  }
}

// x = (L L^T)^-1 x for each column of x [n][m], in place.
void solve(const Matrix& l, Matrix& x, size_t n, size_t m) {
  for (size_t i = 0; i < n; ++i)
    for (size_t c = 0; c < m; ++c) {
      double s = x[i * m + c];
      for (size_t k = 0; k < i; ++k) s -= l[i * n + k] * x[k * m + c];
      x[i * m + c] = s / l[i * n + i];
    }
  for (size_t i = n; i-- > 0;)
    for (size_t c = 0; c < m; ++c) {
      double s = x[i * m + c];
      for (size_t k = i + 1; k < n; ++k) s -= l[k * n + i] * x[k * m + c];
      x[i * m + c] = s / l[i * n + i];
    }
}

void require_finite(std::span<const float> values, size_t row, const char* what) {
  for (size_t i = 0; i < values.size(); ++i)
    PUNA_REQUIRE(std::isfinite(values[i]), "item %zu: its %s is not finite", i / row, what);
}

std::vector<double> mean_of(std::span<const float> rows, size_t width, const std::vector<double>& weights) {
  std::vector<double> mean(width);
  for (size_t i = 0; i < weights.size(); ++i)
    for (size_t c = 0; c < width; ++c) mean[c] += weights[i] * double(rows[i * width + c]);
  return mean;
}

}  // namespace

ContentTower ContentTower::fit(std::span<const float> x, int64_t content_dim, std::span<const float> y, int64_t dim,
                               double ridge, std::span<const float> weights) {
  PUNA_REQUIRE(content_dim >= 1 && content_dim <= kMostContent && dim >= 1,
               "content_dim is %jd, expected 1 to %jd; dim is %jd", content_dim, kMostContent, dim);
  const auto C = size_t(content_dim), D = size_t(dim), n = x.size() / C;
  PUNA_REQUIRE(n >= 1 && x.size() == n * C && y.size() == n * D,
               "%zu values of contents and %zu of embeddings, expected multiples of %zu and %zu, as many items",
               x.size(), y.size(), C, D);
  PUNA_REQUIRE(weights.empty() || weights.size() == n, "%zu weights of %zu items", weights.size(), n);
  PUNA_REQUIRE(ridge > 0 && ridge < 1e9, "ridge is %g, expected above 0", ridge);
  require_finite(x, C, "content");
  require_finite(y, D, "embedding");
  const FpEnv fp_env;
  double total = 0;
  std::vector<double> share(n, 1.0);
  for (size_t i = 0; i < weights.size(); ++i) {
    PUNA_REQUIRE(weights[i] >= 0 && weights[i] <= 1e9f, "item %zu: weight %g, expected 0 to 1e9", i,
                 double(weights[i]));
    share[i] = double(weights[i]);
  }
  for (const double s : share) total += s;
  PUNA_REQUIRE(total > 0, "no item has any weight");
  for (double& s : share) s /= total;
  ContentTower tower;
  tower.mean_content_ = mean_of(x, C, share);
  tower.mean_embedding_ = mean_of(y, D, share);
  Matrix a(C * C), b(C * D);  // covariances, content with content and with embedding
  std::vector<double> centred(C);
  for (size_t i = 0; i < n; ++i) {
    for (size_t c = 0; c < C; ++c) centred[c] = double(x[i * C + c]) - tower.mean_content_[c];
    for (size_t c = 0; c < C; ++c) {
      const double s = share[i] * centred[c];
      for (size_t k = 0; k <= c; ++k) a[c * C + k] += s * centred[k];
      for (size_t d = 0; d < D; ++d) b[c * D + d] += s * (double(y[i * D + d]) - tower.mean_embedding_[d]);
    }
  }
  for (size_t c = 0; c < C; ++c) a[c * C + c] += ridge;
  factorise(a, C);
  solve(a, b, C, D);
  tower.map_ = std::move(b);
  return tower;
}

std::vector<float> ContentTower::embed(std::span<const float> x) const {
  const size_t C = mean_content_.size(), D = mean_embedding_.size();
  PUNA_REQUIRE(C > 0 && x.size() % C == 0, "%zu values of contents, expected a multiple of %zu", x.size(), C);
  require_finite(x, C, "content");
  const FpEnv fp_env;
  std::vector<float> y;
  std::vector<double> row(D);
  for (size_t i = 0; i < x.size() / C; ++i) {
    row = mean_embedding_;
    for (size_t c = 0; c < C; ++c) {
      const double v = double(x[i * C + c]) - mean_content_[c];
      for (size_t d = 0; d < D; ++d) row[d] += v * map_[c * D + d];
    }
    y.insert(y.end(), row.begin(), row.end());
  }
  return y;
}

}  // namespace puna::recsys
