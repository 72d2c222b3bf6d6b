// The gradient of whole models, embedding to loss, is the complex-step derivative of their formulas: RoPE, QK norm, the
// temperature of NoPE layers, chunks, routing and tied heads included. The model is stated once more, in complex
// doubles, as plainly as it can be.
#include <map>

#include "model/made_model.h"
#include "puna/train/parameters.h"
#include "puna/train/pass.h"
#include "ref/complex_step.h"

using namespace puna;
using namespace puna::test;
using namespace puna::train;
using ref::Complex;
using Vector = std::vector<Complex>;

namespace {

class ComplexLlama {
 public:
  explicit ComplexLlama(const Llama& m) : m_(m), c_(m.config) {}

  // Values [rows * cols] at this address, row by row; vectors have one row.
  Vector& values(const void* at, int64_t rows, int64_t cols) {
    const auto [found, is_new] = values_.try_emplace(at);
    Vector& v = found->second;
    const float* from = static_cast<const float*>(at);
    for (int64_t i = 0; is_new && i < rows * cols; ++i) v.push_back(double(from[rows == 1 ? i : place(i, cols)]));
    return v;
  }
  // Where a matrix's element lies in its panels of 16 rows.
  static int64_t place(int64_t i, int64_t cols) { return (i / cols / 16 * cols + i % cols) * 16 + i / cols % 16; }

  Complex loss(const Sequence& s) {
    const int64_t T = int64_t(s.tokens.size());
    std::vector<Vector> x;
    const Vector& embedding = values(m_.weights.embedding.panels, c_.vocab, c_.hidden);
    for (const int32_t token : s.tokens)
      x.emplace_back(embedding.begin() + token * c_.hidden, embedding.begin() + (token + 1) * c_.hidden);
    for (int64_t l = 0; l < c_.layers; ++l) layer(x, l);
    Complex sum = 0;
    for (int64_t t = 1; t < T; ++t) {
      const Vector logits = times(m_.weights.lm_head, norm(x[size_t(t - 1)], m_.weights.final_norm));
      Complex total = 0;
      for (const Complex& z : logits) total += std::exp(z);
      sum += std::log(total) - logits[size_t(s.tokens[size_t(t)])];
    }
    return sum;
  }

 private:
  Vector times(const Weight& w, const Vector& x) {
    const Vector& v = values(w.panels, w.rows, w.cols);
    Vector y(size_t(w.rows), 0.0);
    for (size_t i = 0; i < v.size(); ++i) y[i / size_t(w.cols)] += v[i] * x[i % size_t(w.cols)];
    return y;
  }
  Vector norm(const Vector& x, const float* weight) {
    Complex squares = 0;
    for (const Complex& z : x) squares += z * z;
    const Complex scale = 1.0 / std::sqrt(squares / double(x.size()) + double(c_.norm_eps));
    Vector y = x;
    for (size_t i = 0; i < y.size(); ++i) y[i] *= scale * (weight ? values(weight, 1, c_.hidden)[i] : 1.0);
    return y;
  }
  static void add(Vector& x, const Vector& y) {
    for (size_t i = 0; i < x.size(); ++i) x[i] += y[i];
  }

  Vector head(const Vector& all, int64_t h, int64_t l, int64_t position, bool is_query) {
    const int64_t K = c_.head_dim;
    Vector x(all.begin() + h * K, all.begin() + (h + 1) * K);
    if (c_.uses_rope[size_t(l)]) {
      for (int64_t i = 0; i < K / 2; ++i) {
        const double angle = double(position) * double(c_.inverse_frequency[size_t(i)]), c = std::cos(angle),
                     s = std::sin(angle);
        const Complex a = x[size_t(2 * i)], b = x[size_t(2 * i + 1)];
        x[size_t(2 * i)] = a * c - b * s;
        x[size_t(2 * i + 1)] = a * s + b * c;
      }
      if (c_.qk_norm) x = norm(x, nullptr);
    } else if (c_.temperature && is_query) {
      for (Complex& z : x)
        z *= std::log1p(std::floor(double(position + 1) / double(c_.floor_scale))) * double(c_.attn_scale) + 1.0;
    }
    return x;
  }

  void layer(std::vector<Vector>& x, int64_t l) {
    const LlamaLayer& L = m_.weights.layers[size_t(l)];
    const int64_t T = int64_t(x.size()), K = c_.head_dim;
    std::vector<Vector> q, k, v;
    for (const Vector& row : x) {
      const Vector xn = norm(row, L.attn_norm);
      q.push_back(times(L.wq, xn));
      k.push_back(times(L.wk, xn));
      v.push_back(times(L.wv, xn));
    }
    for (int64_t t = 0; t < T; ++t) {
      Vector attended;
      for (int64_t h = 0; h < c_.heads; ++h) {
        const int64_t kv = h / (c_.heads / c_.kv_heads);
        const Vector query = head(q[size_t(t)], h, l, t, true);
        Vector sum(size_t(K), 0.0);
        Complex total = 0;
        for (int64_t j = c_.chunked(l) ? t / c_.chunk * c_.chunk : 0; j <= t; ++j) {
          const Vector key = head(k[size_t(j)], kv, l, j, false);
          Complex score = 0;
          for (int64_t i = 0; i < K; ++i) score += query[size_t(i)] * key[size_t(i)];
          const Complex weight = std::exp(score / std::sqrt(double(K)));
          total += weight;
          for (int64_t i = 0; i < K; ++i) sum[size_t(i)] += weight * v[size_t(j)][size_t(kv * K + i)];
        }
        for (const Complex& z : sum) attended.push_back(z / total);
      }
      add(x[size_t(t)], times(L.wo, attended));
    }
    for (Vector& row : x) add(row, feed_forward(norm(row, L.ffn_norm), L, c_.is_moe[size_t(l)] != 0));
  }

  Vector swiglu(const ExpertWeights& e, const Vector& x) {
    Vector gate = times(e.gate, x);
    const Vector up = times(e.up, x);
    for (size_t i = 0; i < gate.size(); ++i) gate[i] *= up[i] / (1.0 + std::exp(-gate[i]));
    return times(e.down, gate);
  }
  Vector feed_forward(const Vector& x, const LlamaLayer& L, bool moe) {
    if (!moe) return swiglu(L.ffn, x);
    const Vector logits = times(L.router, x);
    size_t best = 0;
    for (size_t e = 1; e < logits.size(); ++e)
      if (logits[e].real() > logits[best].real()) best = e;
    Vector routed = x;
    for (Complex& z : routed) z /= 1.0 + std::exp(-logits[best]);
    Vector y = swiglu(L.experts[best], routed);
    add(y, swiglu(L.ffn, x));
    return y;
  }

  const Llama& m_;
  const LlamaConfig& c_;
  std::map<const void*, Vector> values_;
};

// A few derivatives of each block: the largest gradient's, and some anywhere.
void check_block(ComplexLlama& reference, const Parameters& parameters, const std::vector<Sequence>& batch,
                 const void* at, int64_t rows, int64_t cols) {
  constexpr double h = 1e-30;
  const float* const gradient = parameters.gradients().at(at);
  const auto got = [&](int64_t i) { return double(gradient[rows == 1 ? i : ComplexLlama::place(i, cols)]); };
  const int64_t count = rows * cols;
  int64_t largest = 0;
  for (int64_t i = 1; i < count; ++i)
    if (std::abs(got(i)) > std::abs(got(largest))) largest = i;
  const double bound = 2e-5 * std::max(1e-2, std::abs(got(largest)));
  Vector& values = reference.values(at, rows, cols);
  for (const int64_t i : {largest, int64_t(0), count / 3, count / 2 + 1, count - 1}) {
    const Complex before = values[size_t(i)];
    values[size_t(i)] += Complex(0, h);
    Complex sum = 0;
    for (const Sequence& s : batch) sum += reference.loss(s);
    values[size_t(i)] = before;
    CAPTURE(i, got(i), sum.imag() / h, bound);
    CHECK(std::abs(got(i) - sum.imag() / h) <= bound);
  }
}

}  // namespace

TEST_CASE("gradients of whole models are their complex-step derivatives", "[train]") {
  for (const bool llama4 : {false, true})
    for (const bool tied : {false, true}) {
      Made made = make_gguf(make_config(llama4, 3, 32, 4, 2, 8, 48, 40));
      if (tied) made.remove("output.weight");
      const LoadedLlama base = load_made(made);
      Parameters parameters(base.context);
      const Llama model = make_trainable(base.llama, parameters);
      std::vector<Sequence> batch;
      for (const int64_t length : {21, 6}) {  // past a chunk of 16 and two steps of the temperature
        Sequence s;
        for (const int64_t t : made_tokens(length, 48)) s.tokens.push_back(int32_t(t));
        s.counted.assign(s.tokens.size(), 1);
        batch.push_back(s);
      }
      Pass(*base.context, model, {}).losses(batch, 1.0f, {&parameters.gradients(), nullptr, {}});
      ComplexLlama reference(model);
      const auto matrix = [&](const Weight& w) { check_block(reference, parameters, batch, w.panels, w.rows, w.cols); };
      const auto vector = [&](const float* w) { check_block(reference, parameters, batch, w, 1, model.config.hidden); };
      const auto expert = [&](const ExpertWeights& e) {
        for (const Weight* w : {&e.gate, &e.up, &e.down}) matrix(*w);
      };
      CAPTURE(llama4, tied);
      REQUIRE(model.config.tied == tied);
      matrix(model.weights.embedding);
      matrix(model.weights.lm_head);
      vector(model.weights.final_norm);
      for (int64_t l = 0; l < model.config.layers; ++l) {
        CAPTURE(l);
        const LlamaLayer& L = model.weights.layers[size_t(l)];
        for (const Weight* w : {&L.wq, &L.wk, &L.wv, &L.wo}) matrix(*w);
        for (const float* w : {L.attn_norm, L.ffn_norm}) vector(w);
        expert(L.ffn);
        if (model.config.is_moe[size_t(l)]) matrix(L.router);
        for (const ExpertWeights& e : L.experts) expert(e);
      }
    }
}
