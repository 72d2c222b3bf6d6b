// The stages of sequence recommenders: their gradients are complex-step derivatives of the papers' formulas, dropout
// included.
#include <cmath>

#include "ops/add_by_id.h"
#include "ops/history.h"
#include "ops/sampled_softmax.h"
#include "ops/sequence_rows.h"
#include "ops/tape_run.h"
#include "support/catch.h"

using namespace puna;
using namespace puna::test;

namespace {

const std::vector<int64_t> kStarts{0, 1, 27,
                                   60};  // histories of 1, 26 and 33 rows: under, over and far over a block of weights
constexpr int64_t kRows = 60;
HistoryRows rows_of(const std::vector<int64_t>* times = nullptr) {
  HistoryRows r;
  r.starts = kStarts.data();
  r.users = 3;
  r.longest = 33;
  r.times = times ? times->data() : nullptr;
  return r;
}

std::vector<int64_t> some_times(uint64_t seed) {
  std::vector<int64_t> times;
  ref::Random random(seed);
  for (size_t u = 0; u + 1 < kStarts.size(); ++u) {
    int64_t now = random.below(1000);
    for (int64_t i = kStarts[u]; i <= kStarts[u + 1];
         ++i, now += random.below(4) == 0 ? random.below(1000000) : random.below(3))
      times.push_back(now);
  }
  return times;
}

Vector attended(const Vector& q, const Vector& k, const Vector& v, const HistoryRows& rows, const HistoryAttention& a,
                const Vector& positions, const Vector& time_weights) {
  const int64_t Q = a.heads * a.qk_dim, V = a.heads * a.v_dim;
  Vector out(size_t(kRows * V), 0.0);
  for (int64_t u = 0; u < rows.users; ++u)
    for (int64_t h = 0; h < a.heads; ++h)
      for (int64_t i = rows.starts[u]; i < rows.starts[u + 1]; ++i) {
        const int64_t n = i - rows.starts[u];
        Vector weights;
        Complex total = 0;
        for (int64_t j = 0; j <= n; ++j) {
          Complex score = 0;
          for (int64_t d = 0; d < a.qk_dim; ++d)
            score += q[size_t(i * Q + h * a.qk_dim + d)] * k[size_t((rows.starts[u] + j) * Q + h * a.qk_dim + d)];
          if (positions.empty()) {
            weights.push_back(std::exp(score * double(a.scale)));
            total += weights.back();
          } else {
            const int64_t distance = rows.times_of(u)[n + 1] - rows.times_of(u)[j];
            const auto bucket =
                size_t(std::min(128.0, std::floor(double(float(std::log(std::max(1.0, double(distance)))) / 0.301f))));
            const Complex z = score + positions[size_t(j - n + a.slots - 1)] + time_weights[bucket];
            weights.push_back(silu(z) * double(a.scale));
          }
        }
        std::vector<uint8_t> kept(size_t(n + 1), 1);
        const int64_t count = rows.starts[u + 1] - rows.starts[u];
        if (a.dropout) a.dropout.draw(kept.data(), rows.starts[u] * a.heads + h * count + n, n + 1);
        for (int64_t j = 0; j <= n; ++j) {
          Complex w = positions.empty() ? weights[size_t(j)] / total : weights[size_t(j)];
          if (a.dropout) w *= kept[size_t(j)] ? double(a.dropout.scale()) : 0.0;
          for (int64_t d = 0; d < a.v_dim; ++d)
            out[size_t(i * V + h * a.v_dim + d)] += w * v[size_t((rows.starts[u] + j) * V + h * a.v_dim + d)];
        }
      }
  return out;
}

void check_attention(const HistoryAttention& shape, bool biased) {
  HistoryAttention a = shape;
  const int64_t Q = a.heads * a.qk_dim, V = a.heads * a.v_dim;
  const std::vector<int64_t> times = some_times(5);
  const TimeBounds bounds = time_bucket_bounds();
  const HistoryRows rows = rows_of(&times);
  const Floats q = ref::normal(kRows * Q, 1), k = ref::normal(kRows * Q, 2), v = ref::normal(kRows * V, 3),
               dy = ref::normal(kRows * V, 4);
  Floats positions, weights, dpositions, dweights, dq, dk, dv;
  if (biased) {
    a.slots = 40;
    positions = ref::normal(2 * a.slots - 1, 6);
    weights = ref::normal(kTimeBuckets + 1, 7);
    dpositions.resize(positions.size());
    dweights.resize(weights.size());
    a.positions = positions.data();
    a.time_weights = weights.data();
    a.time_bounds = bounds.data();
  }
  const ParameterGradients parameters =
      biased ? ParameterGradients{{positions.data(), dpositions.data()}, {weights.data(), dweights.data()}}
             : ParameterGradients{};
  on_tape(parameters,
          [&](Tape& rec) {
            const View qs = put(rec, q, kRows, Q), ks = put(rec, k, kRows, Q), vs = put(rec, v, kRows, V),
                       out = rec.make(kRows, V);
            attend_history(rec, out, {qs, 0}, {ks, 0}, {vs, 0}, rows, a);
            set_gradient(rec, out, dy);
            rec.backward();
            take(rec, dq, qs);
            take(rec, dk, ks);
            take(rec, dv, vs);
          },
          {.threads = 2});
  const Vector q0 = complex_of(q), k0 = complex_of(k), v0 = complex_of(v), p0 = complex_of(positions),
               w0 = complex_of(weights);
  ref::check_gradient(dq, q, [&](const Vector& z) { return weighted(dy, attended(z, k0, v0, rows, a, p0, w0)); });
  ref::check_gradient(dk, k, [&](const Vector& z) { return weighted(dy, attended(q0, z, v0, rows, a, p0, w0)); });
  ref::check_gradient(dv, v, [&](const Vector& z) { return weighted(dy, attended(q0, k0, z, rows, a, p0, w0)); });
  if (!biased) return;
  ref::check_gradient(dpositions, positions,
                      [&](const Vector& z) { return weighted(dy, attended(q0, k0, v0, rows, a, z, w0)); });
  ref::check_gradient(dweights, weights,
                      [&](const Vector& z) { return weighted(dy, attended(q0, k0, v0, rows, a, p0, z)); });
}

// (x - mean) / sqrt(variance + eps)
Vector normed(const Vector& x, int64_t T, int64_t D, double eps) {
  Vector y;
  for (int64_t t = 0; t < T; ++t) {
    Complex mean = 0, variance = 0;
    for (int64_t d = 0; d < D; ++d) mean += x[size_t(t * D + d)] / double(D);
    for (int64_t d = 0; d < D; ++d)
      variance += (x[size_t(t * D + d)] - mean) * (x[size_t(t * D + d)] - mean) / double(D);
    for (int64_t d = 0; d < D; ++d) y.push_back((x[size_t(t * D + d)] - mean) / std::sqrt(variance + eps));
  }
  return y;
}

Vector unit(const Vector& x, int64_t T, int64_t D) {
  Vector y;
  for (int64_t t = 0; t < T; ++t) {
    Complex square = 0;
    for (int64_t d = 0; d < D; ++d) square += x[size_t(t * D + d)] * x[size_t(t * D + d)];
    for (int64_t d = 0; d < D; ++d) y.push_back(x[size_t(t * D + d)] / std::sqrt(square));
  }
  return y;
}

// What dropout leaves of a row of ones.
Floats kept_ones(const Dropout& dropout, int64_t T, int64_t D) {
  Floats ones(size_t(T * D), 1.0f);
  for (int64_t t = 0; t < T; ++t) dropout.apply(ones.data() + t * D, t, D);
  return ones;
}

// dx of y = stage(x), both [T,D], against the formula.
template <class Stage, class Formula>
void check_stage(int64_t T, int64_t D, Stage&& stage, Formula&& formula) {
  const Floats x = ref::normal(T * D, 21), dy = ref::normal(T * D, 22);
  Floats dx;
  on_tape({}, [&](Tape& rec) {
    const View in = put(rec, x, T, D), out = rec.make(T, D);
    stage(rec, out, in);
    set_gradient(rec, out, dy);
    rec.backward();
    take(rec, dx, in);
  });
  ref::check_gradient(dx, x, [&](const Vector& z) { return weighted(dy, formula(z)); });
}

}  // namespace

TEST_CASE("SiLU attention with relative bias: gradients of q, k, v and both biases", "[ops][grad]") {
  check_attention({1, 5, 7, 0.25f}, true);
  check_attention({2, 3, 4, 0.25f}, true);
}

TEST_CASE("softmax attention over histories: gradients of q, k, v, with and without dropout", "[ops][grad]") {
  HistoryAttention a{2, 4, 3, 0.5f};
  check_attention(a, false);
  a.dropout = {0.3f, 77, 4, 1000};
  check_attention(a, false);
}

TEST_CASE("rows of sequence models: gradients of norm, SiLU, ReLU, residual and unit length", "[ops][grad]") {
  const int64_t T = 35, D = 9;
  const Dropout dropout{0.25f, 3, 2, 500};
  const Floats kept = kept_ones(dropout, T, D);
  check_stage(
      T, D, [](Tape& rec, View y, View x) { plain_norm(rec, y, x, 1e-3f); },
      [&](const Vector& z) { return normed(z, T, D, double(1e-3f)); });
  check_stage(
      T, D, [](Tape& rec, View y, View x) { silu(rec, y, x); },
      [](Vector z) {
        for (Complex& v : z) v = silu(v);
        return z;
      });
  check_stage(
      T, D, [&](Tape& rec, View y, View x) { relu(rec, y, x, dropout); },
      [&](Vector z) {
        for (size_t i = 0; i < z.size(); ++i) z[i] = z[i].real() > 0 ? z[i] * double(kept[i]) : 0.0;
        return z;
      });
  check_stage(
      T, D, [&](Tape& rec, View y, View x) { residual(rec, y, x, x, dropout); },
      [&](Vector z) {
        for (size_t i = 0; i < z.size(); ++i) z[i] *= 1.0 + double(kept[i]);
        return z;
      });
  check_stage(
      T, D, [](Tape& rec, View y, View x) { unit_rows(rec, y, x, 1e-6f); },
      [&](const Vector& z) { return unit(z, T, D); });
}

TEST_CASE("HSTU's gated norm: gradients of gates and input, under dropout", "[ops][grad]") {
  const int64_t T = 35, D = 9;
  const Dropout dropout{0.25f, 3, 2, 500};
  const Floats kept = kept_ones(dropout, T, D), gates = ref::normal(T * D, 31), a = ref::normal(T * D, 32),
               dy = ref::normal(T * D, 33);
  Floats dgates, da;
  on_tape({}, [&](Tape& rec) {
    const View g = put(rec, gates, T, D), in = put(rec, a, T, D), y = rec.make(T, D);
    gated_norm(rec, y, g, in, 1e-6f, dropout);
    set_gradient(rec, y, dy);
    rec.backward();
    take(rec, dgates, g);
    take(rec, da, in);
  });
  const auto value = [&](const Vector& g, const Vector& x) {
    Vector y = normed(x, T, D, 1e-6);
    for (size_t i = 0; i < y.size(); ++i) y[i] *= g[i] * double(kept[i]);
    return weighted(dy, y);
  };
  ref::check_gradient(dgates, gates, [&](const Vector& z) { return value(z, complex_of(a)); });
  ref::check_gradient(da, a, [&](const Vector& z) { return value(complex_of(gates), z); });
}

TEST_CASE("the item table's gradient comes by input, by what came next and by what was drawn", "[ops][grad]") {
  const int64_t D = 6, M = 4;
  const int32_t items = 11;
  std::vector<int32_t> ids, candidates;
  for (int64_t t = 0; t < kRows; ++t) {
    ids.push_back(int32_t(t * 5 % items));
    for (int64_t m = 0; m <= M; ++m)
      candidates.push_back(int32_t((t * 3 + m * (t % 4)) % items));  // every fourth row draws its own positive
  }
  const Floats table = ref::normal(items * D, 41), positions = ref::normal(40 * D, 42);
  Floats dtable(table.size()), dpositions(positions.size()), unit_table(table.size()), dunit(table.size());
  const KernelTable& k = *select_kernels("");
  for (int32_t i = 0; i < items; ++i) unit_row(k, unit_table.data() + i * D, table.data() + i * D, D, 1e-6f);
  HistoryRows rows = rows_of();
  rows.ids = ids.data();
  const Dropout dropout{0.2f, 9, 0, 40};
  const Floats kept = kept_ones(dropout, kRows, D);
  const float temperature = 0.3f, weight = 0.1f;
  std::vector<double> nll(kRows);
  on_tape({{table.data(), dtable.data()}, {positions.data(), dpositions.data()}},
          [&](Tape& rec) {
            const View x = rec.make(kRows, D), e = rec.make(kRows, D);
            embed_history(rec, x, {table.data(), positions.data(), D, 2.0f, items - 1}, rows, dropout);
            unit_rows(rec, e, x, 1e-6f);
            sampled_losses(rec, nll.data(), e,
                           {candidates.data(), 1 + M, unit_table.data(), dunit.data(), D, temperature, items - 1},
                           weight);
            rec.backward();
          },
          {.threads = 2});
  for (int32_t i = 0; i < items; ++i)
    unit_row_backward(k, dtable.data() + i * D, dunit.data() + i * D, table.data() + i * D, D, 1e-6f);
  const auto value = [&](const Vector& w, const Vector& p) {
    Vector x;
    for (int64_t u = 0; u < 3; ++u)
      for (int64_t t = kStarts[size_t(u)]; t < kStarts[size_t(u + 1)]; ++t)
        for (int64_t d = 0; d < D; ++d)
          x.push_back((2.0 * w[size_t(ids[size_t(t)] * D + d)] + p[size_t((t - kStarts[size_t(u)]) * D + d)]) *
                      double(kept[size_t(t * D + d)]));
    const Vector e = unit(x, kRows, D), n = unit(w, items, D);
    Complex loss = 0;
    for (int64_t t = 0; t < kRows; ++t) {
      Complex total = 0, first = 0;
      for (int64_t m = 0; m <= M; ++m) {
        const int32_t id = candidates[size_t(t * (M + 1) + m)];
        if (m > 0 && id == candidates[size_t(t * (M + 1))]) continue;
        Complex logit = 0;
        for (int64_t d = 0; d < D; ++d) logit += e[size_t(t * D + d)] * n[size_t(id * D + d)] / double(temperature);
        total += std::exp(logit);
        if (m == 0) first = logit;
      }
      loss += std::log(total) - first;
    }
    return loss * double(weight);
  };
  double sum = 0;
  for (const double x : nll) sum += x;
  CHECK(std::abs(sum * double(weight) - value(complex_of(table), complex_of(positions)).real()) < 1e-4);
  ref::check_gradient(dtable, table, [&](const Vector& z) { return value(z, complex_of(positions)); });
  ref::check_gradient(dpositions, positions, [&](const Vector& z) { return value(complex_of(table), z); });
}

TEST_CASE("dropout keeps its share and does not depend on how rows are grouped", "[ops]") {
  const Dropout all{0.2f, 5, 3, 0};
  int64_t kept = 0;
  for (int64_t t = 0; t < 1000; ++t) {
    std::vector<uint8_t> a(50), b(50);
    all.draw(a.data(), t, 50);
    Dropout{0.2f, 5, 3, t - 7}.draw(b.data(), 7, 50);
    REQUIRE(a == b);
    for (const uint8_t x : a) kept += x;
  }
  CHECK(kept > 39600);  // of 50,000: six deviations around 40,000
  CHECK(kept < 40540);
}
