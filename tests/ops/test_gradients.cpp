// The gradient of every op on a Tape is the complex-step derivative of its formula. The scalar whose gradient is taken
// is sum dy * y.
#include <cmath>

#include "ops/attention.h"
#include "ops/experts.h"
#include "ops/loss.h"
#include "ops/pass.h"
#include "ops/rows.h"
#include "ops/tape_run.h"
#include "ops/weights.h"
#include "ref/attention.h"
#include "ref/compare.h"
#include "ref/complex_step.h"
#include "support/catch.h"

using namespace puna;
using namespace puna::test;
using ref::Complex;

namespace {

template <class A, class B>
Vector product(const A& x, const B& w, int64_t T, int64_t N, int64_t K) {  // x [T,K], w [N,K]
  Vector y(size_t(T * N), 0.0);
  for (int64_t t = 0; t < T; ++t)
    for (int64_t n = 0; n < N; ++n)
      for (int64_t k = 0; k < K; ++k)
        y[size_t(t * N + n)] += Complex(x[size_t(t * K + k)]) * Complex(w[size_t(n * K + k)]);
  return y;
}

// dx of y = x W^T, given dy; the tape's parameters get theirs.
Floats gradient_of_input(Tape& rec, const Weight& w, const Floats& x, const Floats& dy) {
  const int64_t T = int64_t(x.size()) / w.cols;
  Activations in;
  in.x = put(rec, x, T, w.cols);
  const View y = rec.make(T, w.rows);
  linear(rec, in, {{y, &w}});
  set_gradient(rec, y, dy);
  rec.backward();
  Floats dx;
  take(rec, dx, in.x);
  return dx;
}

}  // namespace

TEST_CASE("linear: gradients of input, weight and adapter", "[ops][grad]") {
  for (const auto& [T, N, K] :
       {std::tuple<int64_t, int64_t, int64_t>(1, 1, 1), {5, 17, 24}}) {  // larger: test_matrix_gradients.cpp
    CAPTURE(T, N, K);
    const int64_t r = 3;
    const StoredWeight w(DType::f32, N, K, 1), a(DType::f32, r, K, 2), b(DType::f32, N, r, 3);
    const Floats x = ref::normal(T * K, 4), dy = ref::normal(T * N, 5);
    Floats dw(w.panels.size() / 4), da(a.panels.size() / 4), db(b.panels.size() / 4), dx;
    const LoraMap adapter{{w.weight.panels, {a.weight, b.weight, 0.7f}}};
    on_tape({{w.weight.panels, dw.data()}, {a.weight.panels, da.data()}, {b.weight.panels, db.data()}},
            [&](Tape& rec) { dx = gradient_of_input(rec, w.weight, x, dy); }, {.threads = 2, .adapter = &adapter});
    const Floats &pw = w.plain.values, &pa = a.plain.values, &pb = b.plain.values;
    const auto value = [&](const auto& xs, const auto& ws, const auto& as, const auto& bs) {
      Vector h = product(xs, as, T, r, K);
      for (Complex& v : h) v *= double(0.7f);
      return weighted(dy, product(xs, ws, T, N, K)) + weighted(dy, product(h, bs, T, N, r));
    };
    ref::check_gradient(dx, x, [&](const Vector& z) { return value(z, pw, pa, pb); });
    ref::check_gradient(out_of_panels(dw, N, K), pw, [&](const Vector& z) { return value(x, z, pa, pb); });
    ref::check_gradient(out_of_panels(da, r, K), pa, [&](const Vector& z) { return value(x, pw, z, pb); });
    ref::check_gradient(out_of_panels(db, N, r), pb, [&](const Vector& z) { return value(x, pw, pa, z); });
  }
}

TEST_CASE("a frozen quantised weight gives the gradient of its dequantised values", "[ops][grad]") {
  const int64_t T = 9, N = 33, K = 64;
  const StoredWeight w(DType::q5_0, N, K, 11);
  const Floats x = ref::normal(T * K, 12), dy = ref::normal(T * N, 13);
  Floats dx;
  on_tape({}, [&](Tape& rec) { dx = gradient_of_input(rec, w.weight, x, dy); });
  ref::check_gradient(dx, x, [&](const Vector& z) { return weighted(dy, product(z, w.plain.values, T, N, K)); });
}

TEST_CASE("rms_norm: gradients of input and weight, of chosen rows too", "[ops][grad]") {
  const int64_t R = 4, D = 21;
  const std::vector<int64_t> chosen{1, 3};
  for (const bool all : {true, false}) {
    const int64_t n = all ? R : int64_t(chosen.size());
    const Floats x = ref::normal(R * D, 21), w = ref::normal(D, 22), dy = ref::normal(n * D, 23);
    Floats dw(size_t(D), 0.0f), dx;
    on_tape({{w.data(), dw.data()}}, [&](Tape& rec) {
      const View in = put(rec, x, R, D);
      Activations y;
      y.x = rec.make(n, D);
      norm_rows(rec, y, in, w.data(), 1e-5f, all ? nullptr : chosen.data());
      set_gradient(rec, y.x, dy);
      rec.backward();
      take(rec, dx, in);
    });
    const auto value = [&](const Vector& xs, const Vector& ws) {
      Vector y;
      for (int64_t i = 0; i < n; ++i) {
        const Complex* row = xs.data() + (all ? i : chosen[size_t(i)]) * D;
        Complex squares = 0;
        for (int64_t d = 0; d < D; ++d) squares += row[d] * row[d];
        for (int64_t d = 0; d < D; ++d)
          y.push_back(row[d] / std::sqrt(squares / double(D) + double(1e-5f)) * ws[size_t(d)]);
      }
      return weighted(dy, y);
    };
    ref::check_gradient(dx, x, [&](const Vector& z) { return value(z, complex_of(w)); });
    ref::check_gradient(dw, w, [&](const Vector& z) { return value(complex_of(x), z); });
  }
}

TEST_CASE("SwiGLU and the linear layer behind it: gradients of gate, up, weight and the residual stream",
          "[ops][grad]") {
  const int64_t R = 3, F = 35, N = 18;
  const StoredWeight down(DType::f32, N, F, 30);
  const Floats gate = ref::normal(R * F, 31), up = ref::normal(R * F, 32), dy = ref::normal(R * N, 33),
               x = ref::normal(R * N, 34);
  Floats dgate, dup, dx, dw(down.panels.size() / 4);
  on_tape({{down.weight.panels, dw.data()}}, [&](Tape& rec) {
    const View g = put(rec, gate, R, F), u = put(rec, up, R, F), y = put(rec, x, R, N);
    swiglu_linear(rec, y, g, u, down.weight);
    set_gradient(rec, y, dy);
    rec.backward();
    take(rec, dgate, g);
    take(rec, dup, u);
    take(rec, dx, y);
  });
  const auto value = [&](const Vector& g, const Vector& u, const Vector& w) {
    Vector h;
    for (size_t i = 0; i < g.size(); ++i) h.push_back(silu(g[i]) * u[i]);
    return weighted(dy, product(h, w, R, N, F));
  };
  const Vector g = complex_of(gate), u = complex_of(up), w = complex_of(down.plain.values);
  ref::check_gradient(dgate, gate, [&](const Vector& z) { return value(z, u, w); });
  ref::check_gradient(dup, up, [&](const Vector& z) { return value(g, z, w); });
  ref::check_gradient(out_of_panels(dw, N, F), down.plain.values, [&](const Vector& z) { return value(g, u, z); });
  CHECK(dx == dy);
}

TEST_CASE("a norm and the linear layers that read it: gradients of input, norm and weights", "[ops][grad]") {
  const int64_t R = 4, D = 21, N = 18, M = 5;
  const StoredWeight a(DType::f32, N, D, 35), b(DType::f32, M, D, 36);
  const Floats x = ref::normal(R * D, 37), w = ref::normal(D, 38), da = ref::normal(R * N, 39),
               db = ref::normal(R * M, 40);
  Floats dx, dw(size_t(D), 0.0f), dwa(a.panels.size() / 4), dwb(b.panels.size() / 4);
  on_tape({{w.data(), dw.data()}, {a.weight.panels, dwa.data()}, {b.weight.panels, dwb.data()}}, [&](Tape& rec) {
    const View in = put(rec, x, R, D), ya = rec.make(R, N), yb = rec.make(R, M);
    norm_linear(rec, in, w.data(), 1e-5f, {{ya, &a.weight}, {yb, &b.weight}});
    rec.stage(1,
              [&](int64_t) { memset(in.data, 0, x.size() * 4); });  // as later layers do: the gradient has its own copy
    set_gradient(rec, ya, da);
    set_gradient(rec, yb, db);
    rec.backward();
    take(rec, dx, in);
  });
  const auto value = [&](const Vector& xs, const Vector& ws, const Vector& wa, const Vector& wb) {
    Vector xn;
    for (int64_t t = 0; t < R; ++t) {
      Complex squares = 0;
      for (int64_t d = 0; d < D; ++d) squares += xs[size_t(t * D + d)] * xs[size_t(t * D + d)];
      for (int64_t d = 0; d < D; ++d)
        xn.push_back(xs[size_t(t * D + d)] / std::sqrt(squares / double(D) + double(1e-5f)) * ws[size_t(d)]);
    }
    return weighted(da, product(xn, wa, R, N, D)) + weighted(db, product(xn, wb, R, M, D));
  };
  const Vector xs = complex_of(x), ws = complex_of(w), wa = complex_of(a.plain.values), wb = complex_of(b.plain.values);
  ref::check_gradient(dx, x, [&](const Vector& z) { return value(z, ws, wa, wb); });
  ref::check_gradient(dw, w, [&](const Vector& z) { return value(xs, z, wa, wb); });
  ref::check_gradient(out_of_panels(dwa, N, D), a.plain.values, [&](const Vector& z) { return value(xs, ws, z, wb); });
  ref::check_gradient(out_of_panels(dwb, M, D), b.plain.values, [&](const Vector& z) { return value(xs, ws, wa, z); });
}

TEST_CASE("token losses: the gradient of weighted cross-entropy in input and head", "[ops][grad]") {
  const int64_t n = 19, D = 6, V = 37;
  const StoredWeight head(DType::f32, V, D, 41);
  const Floats x = ref::normal(n * D, 42), weights = ref::normal(n, 43);
  std::vector<int32_t> labels;
  for (int64_t i = 0; i < n; ++i) labels.push_back(int32_t(i * 7 % V));
  Floats dhead(head.panels.size() / 4), dx;
  std::vector<double> nll(static_cast<size_t>(n));
  on_tape({{head.weight.panels, dhead.data()}}, [&](Tape& rec) {
    const View in = put(rec, x, n, D);
    token_losses(rec, nll.data(), in, head.weight, labels.data(), weights.data());
    rec.backward();
    take(rec, dx, in);
  });
  const auto value = [&](const Vector& xs, const Vector& ws, double* each) {
    const Vector logits = product(xs, ws, n, V, D);
    Complex sum = 0;
    for (int64_t i = 0; i < n; ++i) {
      Complex total = 0;
      for (int64_t v = 0; v < V; ++v) total += std::exp(logits[size_t(i * V + v)]);
      const Complex loss = std::log(total) - logits[size_t(i * V + labels[size_t(i)])];
      if (each) each[i] = loss.real();
      sum += double(weights[size_t(i)]) * loss;
    }
    return sum;
  };
  std::vector<double> want(nll.size());
  value(complex_of(x), complex_of(head.plain.values), want.data());
  for (size_t i = 0; i < nll.size(); ++i) CHECK(std::abs(nll[i] - want[i]) < 1e-5);
  ref::check_gradient(dx, x, [&](const Vector& z) { return value(z, complex_of(head.plain.values), nullptr); });
  ref::check_gradient(out_of_panels(dhead, V, D), head.plain.values,
                      [&](const Vector& z) { return value(complex_of(x), z, nullptr); });
}

namespace {

// Attention of one sequence, [T, heads*K] and [T, kv_heads*K]; the softmax is taken relative to the real maximum.
Vector attention(const Vector& q, const Vector& k, const Vector& v, int64_t T, int64_t heads, int64_t kv_heads,
                 int64_t K, int64_t chunk, double scale) {
  Vector out(q.size(), 0.0);
  for (int64_t t = 0; t < T; ++t)
    for (int64_t h = 0; h < heads; ++h) {
      const int64_t low = chunk ? t / chunk * chunk : 0, kv = h / (heads / kv_heads);
      const auto key = [&](const Vector& x, int64_t j, int64_t i) { return x[size_t((j * kv_heads + kv) * K + i)]; };
      Vector scores;
      double most = -1e300;
      for (int64_t j = low; j <= t; ++j) {
        Complex s = 0;
        for (int64_t i = 0; i < K; ++i) s += q[size_t((t * heads + h) * K + i)] * key(k, j, i);
        scores.push_back(s * scale);
        most = std::max(most, scores.back().real());
      }
      Complex total = 0;
      for (Complex& s : scores) total += s = std::exp(s - most);
      for (int64_t j = low; j <= t; ++j)
        for (int64_t i = 0; i < K; ++i)
          out[size_t((t * heads + h) * K + i)] += scores[size_t(j - low)] / total * key(v, j, i);
    }
  return out;
}

}  // namespace

TEST_CASE("attention: gradients of queries, keys and values, full and chunked, on every ISA the same bits",
          "[ops][grad]") {
  struct Case {
    int64_t T, heads, kv_heads, K, chunk;
  };
  for (const Case& c : {Case{1, 1, 1, 2, 0}, Case{7, 4, 2, 8, 0}, Case{9, 2, 2, 5, 4}, Case{37, 3, 1, 4, 0},
                        Case{70, 1, 1, 3, 33}, Case{150, 4, 2, 32, 0}, Case{150, 2, 1, 48, 64}}) {
    CAPTURE(c.T, c.heads, c.kv_heads, c.K, c.chunk);
    const float scale = float(1 / std::sqrt(double(c.K)));
    const int64_t qn = c.T * c.heads * c.K, kn = c.T * c.kv_heads * c.K;
    const Floats q = ref::normal(qn, 51), k = ref::normal(kn, 52), v = ref::normal(kn, 53), dout = ref::normal(qn, 54);
    const Vector plain =
        attention(complex_of(q), complex_of(k), complex_of(v), c.T, c.heads, c.kv_heads, c.K, c.chunk, scale);
    Floats out, state;
    for (const Complex& x : plain) out.push_back(float(x.real()));
    for (int64_t t = 0; t < c.T; ++t)
      for (int64_t h = 0; h < c.heads; ++h) {
        float most = -1e30f;
        std::vector<double> scores;
        for (int64_t j = c.chunk ? t / c.chunk * c.chunk : 0; j <= t; ++j) {
          double s = 0;
          for (int64_t i = 0; i < c.K; ++i)
            s += double(q[size_t((t * c.heads + h) * c.K + i)]) *
                 k[size_t((j * c.kv_heads + h / (c.heads / c.kv_heads)) * c.K + i)];
          scores.push_back(s * double(scale));
          most = std::max(most, float(scores.back()));
        }
        double total = 0;
        for (const double s : scores) total += std::exp(s - double(most));
        state.insert(state.end(), {most, float(total)});
      }
    const auto run = [&](const KernelTable& kernels) {
      Floats all(size_t(qn + 2 * kn), 0.0f), scratch(size_t(attend_backward_scratch(c.K)));
      for (int64_t h = 0; h < c.kv_heads; ++h) {
        const int64_t grouped = c.heads / c.kv_heads, at = h * grouped * c.K, kv = h * c.K;
        kernels.attend_backward({q.data() + at, out.data() + at, dout.data() + at, all.data() + at, c.heads * c.K,
                                 k.data() + kv, v.data() + kv, all.data() + qn + kv, all.data() + qn + kn + kv,
                                 c.kv_heads * c.K, state.data() + h * grouped * 2, c.heads * 2, scratch.data(), c.T,
                                 grouped, c.K, c.chunk, scale});
      }
      return all;
    };
    const Floats got = run(*select_kernels("scalar"));
    for (const std::string& isa : supported_isas()) CHECK(ref::differing(run(*select_kernels(isa.c_str())), got) == 0);
    const auto value = [&](const Vector& qs, const Vector& ks, const Vector& vs) {
      return weighted(dout, attention(qs, ks, vs, c.T, c.heads, c.kv_heads, c.K, c.chunk, scale));
    };
    const Vector zq = complex_of(q), zk = complex_of(k), zv = complex_of(v);
    const auto part = [&](int64_t first, int64_t n) { return std::span(got).subspan(size_t(first), size_t(n)); };
    const auto by_matrices =
        ref::attention_gradients({c.heads, c.kv_heads, c.K, c.chunk, double(scale)}, q, k, v, dout);
    ref::check_within(part(0, qn), by_matrices.q, [](size_t) { return 2e-5; });
    ref::check_within(part(qn, kn), by_matrices.k, [](size_t) { return 2e-5; });
    ref::check_within(part(qn + kn, kn), by_matrices.v, [](size_t) { return 2e-5; });
    if (c.T > 100) continue;  // complex steps, one a value, would take minutes
    ref::check_gradient(part(0, qn), q, [&](const Vector& z) { return value(z, zk, zv); });
    ref::check_gradient(part(qn, kn), k, [&](const Vector& z) { return value(zq, z, zv); });
    ref::check_gradient(part(qn + kn, kn), v, [&](const Vector& z) { return value(zq, zk, z); });
  }
}

TEST_CASE("experts: gradients of input and of every weight, through the routes' scores", "[ops][grad]") {
  const int64_t R = 9, D = 6, F = 10, E = 4, top_k = 2;
  std::vector<StoredWeight> stored;
  for (int64_t i = 0; i < 3 * (E + 1); ++i)
    stored.emplace_back(DType::f32, i % 3 == 2 ? D : F, i % 3 == 2 ? F : D, uint64_t(60 + i));
  const StoredWeight router(DType::f32, E, D, 80);
  std::vector<ExpertWeights> experts;
  for (size_t e = 0; e <= size_t(E); ++e)
    experts.push_back({stored[3 * e].weight, stored[3 * e + 1].weight, stored[3 * e + 2].weight});
  const Floats x = ref::normal(R * D, 81), xn = ref::normal(R * D, 82), dy = ref::normal(R * D, 83);
  std::vector<Floats> gradients;
  ParameterGradients parameters;
  for (const StoredWeight& w : stored) gradients.emplace_back(w.panels.size() / 4);
  gradients.emplace_back(router.panels.size() / 4);
  for (size_t i = 0; i < stored.size(); ++i) parameters.emplace(stored[i].weight.panels, gradients[i].data());
  parameters.emplace(router.weight.panels, gradients.back().data());
  Floats dx, dxn;
  std::vector<int32_t> chosen;
  on_tape(parameters, [&](Tape& rec) {
    const View in = put(rec, x, R, D);
    Activations a;
    a.x = put(rec, xn, R, D);
    const Routes routes = route(rec, a, router.weight, {top_k});
    experts_add(rec, in, a, routes, std::span(experts.data(), size_t(E)), &experts.back());
    set_gradient(rec, in, dy);
    rec.stage(1, [&](int64_t) { chosen.assign(routes.expert, routes.expert + routes.count); });
    rec.backward();
    take(rec, dx, in);
    take(rec, dxn, a.x);
  });
  CHECK(dx == dy);
  // The formula, with the choice of experts as it was: `weights` are those of all matrices, the router's last.
  const auto value = [&](const Vector& z, const std::vector<Vector>& weights) {
    Vector y(size_t(R * D), 0.0);
    const auto run = [&](size_t e, int64_t t, Complex score) {
      Vector in(z.begin() + t * D, z.begin() + (t + 1) * D);
      for (Complex& v : in) v *= score;
      const Vector gate = product(in, weights[3 * e], 1, F, D), up = product(in, weights[3 * e + 1], 1, F, D);
      Vector h;
      for (size_t i = 0; i < size_t(F); ++i) h.push_back(silu(gate[i]) * up[i]);
      const Vector out = product(h, weights[3 * e + 2], 1, D, F);
      for (int64_t d = 0; d < D; ++d) y[size_t(t * D + d)] += out[size_t(d)];
    };
    const Vector logits = product(z, weights.back(), R, E, D);
    for (int64_t t = 0; t < R; ++t) {
      for (int64_t s = 0; s < top_k; ++s) {
        const int32_t e = chosen[size_t(t * top_k + s)];
        run(size_t(e), t, 1.0 / (1.0 + std::exp(-logits[size_t(t * E + e)])));
      }
      run(size_t(E), t, 1.0);
    }
    return weighted(dy, y);
  };
  std::vector<Vector> weights;
  for (const StoredWeight& w : stored) weights.push_back(complex_of(w.plain.values));
  weights.push_back(complex_of(router.plain.values));
  ref::check_gradient(dxn, xn, [&](const Vector& z) { return value(z, weights); });
  for (size_t i = 0; i < gradients.size(); ++i) {
    CAPTURE(i);
    const StoredWeight& w = i < stored.size() ? stored[i] : router;
    ref::check_gradient(out_of_panels(gradients[i], w.weight.rows, w.weight.cols), w.plain.values,
                        [&](const Vector& z) {
                          std::vector<Vector> changed = weights;
                          changed[i] = z;
                          return value(complex_of(xn), changed);
                        });
  }
}
