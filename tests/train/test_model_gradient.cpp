// The gradient of whole models, embedding to loss, is the complex-step derivative of their formulas: RoPE of every
// kind, QK norm, temperatures, chunks, windows, sinks, soft-caps, biases, norms in every place, routing, tied heads,
// shared keys and values, several residual streams and inputs of each layer included. The model is stated once more, in
// complex doubles, as plainly as it can be.
#include <algorithm>
#include <cmath>
#include <map>
#include <random>
#include <set>

#include "model/extra_tensors.h"
#include "model/made_model.h"
#include "puna/train/parameters.h"
#include "puna/train/pass.h"
#include "ref/complex_step.h"
#include "support/golden.h"

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
    keys_.assign(size_t(c_.layers), {});
    values_kept_ = keys_;
    inputs_.clear();
    const Vector& embedding = values(m_.weights.embedding.panels, c_.vocab, c_.hidden);
    for (const int32_t token : s.tokens) {
      x.emplace_back(embedding.begin() + token * c_.hidden, embedding.begin() + (token + 1) * c_.hidden);
      for (Complex& z : x.back()) z *= double(c_.embedding_scale);
      if (c_.per_layer > 0) inputs_.push_back(per_layer_inputs(token, x.back()));
    }
    is_long_ = !c_.long_frequency.empty() && T > c_.long_from;
    Streams streams = {x};
    for (const Weight& w : m_.weights.widen) {
      streams.emplace_back();
      for (const Vector& row : x) streams.back().push_back(rescaled(times(w, row), row));
    }
    for (int64_t l = 0; l < c_.layers; ++l) layer(streams, l);
    x = streams[0];
    for (size_t i = 0; i < m_.weights.narrow.size(); ++i)
      for (size_t t = 0; t < x.size(); ++t)
        add(x[t], rescaled(times(m_.weights.narrow[i], streams[i + 1][t]), streams[0][t]));
    for (Vector& row : x) scale(row, 1.0 / double(c_.streams));
    Complex sum = 0;
    for (int64_t t = 1; t < T; ++t) {
      Vector logits = times(m_.weights.lm_head, norm(x[size_t(t - 1)], m_.weights.final_norm));
      Complex total = 0;
      for (Complex& z : logits) total += std::exp(z = capped(z * double(c_.logit_scale), c_.final_softcap));
      sum += std::log(total) - logits[size_t(s.tokens[size_t(t)])];
    }
    return sum;
  }

 private:
  using Streams = std::vector<std::vector<Vector>>;  // [streams][positions]

  static void scale(Vector& x, Complex by) {
    for (Complex& z : x) z *= by;
  }
  static Complex mean_square(const Vector& x) {
    Complex sum = 0;
    for (const Complex& z : x) sum += z * z;
    return sum / double(x.size());
  }
  // As long as `like`.
  static Vector rescaled(Vector y, const Vector& like) {
    const Complex square = mean_square(y);
    scale(y, std::sqrt(mean_square(like)) / std::sqrt(square.real() > 1e-5 ? square : 1e-5));
    return y;
  }
  // [L*P] of one token.
  Vector per_layer_inputs(int32_t token, const Vector& x) {
    const LlamaWeights& w = m_.weights;
    Vector y = times(w.per_layer_project, x);
    scale(y, 1 / std::sqrt(double(c_.hidden)));
    const size_t P = size_t(c_.per_layer), columns = y.size();
    const Vector& table = values(w.per_layer_table.panels, w.per_layer_table.rows, w.per_layer_table.cols);
    const size_t row = size_t(token < c_.per_layer_vocab ? token : 0);
    for (size_t at = 0; at < columns; at += P) {
      const Vector part =
          norm(Vector(y.begin() + std::ptrdiff_t(at), y.begin() + std::ptrdiff_t(at + P)), w.per_layer_norm);
      for (size_t i = 0; i < P; ++i)
        y[at + i] = (part[i] + std::sqrt(double(P)) * table[row * columns + at + i]) / std::sqrt(2.0);
    }
    return y;
  }
  // [S] of one position.
  Vector modes(const Vector& x, const AltUpWeights& w) {
    Vector xn = norm(x, w.norm);
    scale(xn, 1.0 / double(c_.hidden));
    Vector y = times(w.router, xn);
    for (Complex& z : y) z = std::tanh(z);
    return y;
  }

  Vector times(const Weight& w, const Vector& x) {
    const Vector& v = values(w.panels, w.rows, w.cols);
    Vector y(size_t(w.rows), 0.0);
    const Complex* row = v.data();
    for (size_t r = 0; r < y.size(); ++r, row += w.cols) {
      double re = 0, im = 0;  // by hand: the standard's product asks for NaN each time
      for (size_t c = 0; c < size_t(w.cols); ++c) {
        re += row[c].real() * x[c].real() - row[c].imag() * x[c].imag();
        im += row[c].real() * x[c].imag() + row[c].imag() * x[c].real();
      }
      y[r] = {re, im};
    }
    return y;
  }
  Vector norm(const Vector& x, const float* weight) {
    Complex squares = 0;
    for (const Complex& z : x) squares += z * z;
    const Complex scale = 1.0 / std::sqrt(squares / double(x.size()) + double(c_.norm_eps));
    Vector y = x;
    const Vector* const weights = weight ? &values(weight, 1, int64_t(x.size())) : nullptr;
    for (size_t i = 0; i < y.size(); ++i) y[i] *= weights ? scale * (*weights)[i] : scale;
    return y;
  }
  static void add(Vector& x, const Vector& y) {
    for (size_t i = 0; i < x.size(); ++i) x[i] += y[i];
  }

  static Complex capped(Complex z, float cap) { return cap == 0 ? z : double(cap) * std::tanh(z / double(cap)); }
  Vector biased(Vector x, const float* bias) {
    if (bias) add(x, values(bias, 1, int64_t(x.size())));
    return x;
  }

  // Queries or keys of one position.
  Vector heads(Vector all, const float* weight, int64_t l, int64_t position, bool is_query) {
    const int64_t K = c_.head_dim_of(l);
    const bool local = c_.sliding(l) && !c_.local_frequency.empty(), pairs = c_.rope_style == RopeStyle::interleaved;
    const std::vector<float>& f = local ? c_.local_frequency : is_long_ ? c_.long_frequency : c_.inverse_frequency;
    const int64_t half = int64_t(f.size());
    const double magnitude = local ? 1 : double(c_.rope_magnitude);
    if (c_.qk_norm == QkNorm::whole) all = norm(all, weight);
    for (int64_t h = 0; h < int64_t(all.size()) / K; ++h) {
      Vector x(all.begin() + h * K, all.begin() + (h + 1) * K);
      if (c_.qk_norm == QkNorm::heads) x = norm(x, weight);
      for (int64_t i = 0; c_.uses_rope[size_t(l)] && i < half; ++i) {
        const double angle = double(position) * double(f[size_t(i)]), c = magnitude * std::cos(angle),
                     s = magnitude * std::sin(angle);
        Complex &first = x[size_t(pairs ? 2 * i : i)], &second = x[size_t(pairs ? 2 * i + 1 : i + half)];
        const Complex a = first, b = second;
        first = a * c - b * s;
        second = a * s + b * c;
      }
      if (c_.uses_rope[size_t(l)] && c_.qk_norm == QkNorm::after_rope) x = norm(x, nullptr);
      double growth = 1;
      if (is_query && !c_.uses_rope[size_t(l)] && c_.temperature)
        growth = std::log1p(std::floor(double(position + 1) / double(c_.floor_scale))) * double(c_.attn_scale) + 1;
      if (is_query && c_.query_growth != 0)
        growth = 1 + double(c_.query_growth) * std::log1p(std::floor(double(position) / double(c_.growth_from)));
      for (int64_t i = 0; i < K; ++i) all[size_t(h * K + i)] = x[size_t(i)] * growth;
    }
    return all;
  }

  // x += residual_scale norm(y)
  void join(Vector& x, Vector y, const float* post_norm) {
    if (post_norm) y = norm(y, post_norm);
    for (Complex& z : y) z *= double(c_.residual_scale);
    add(x, y);
  }
  Vector before(const Vector& x, const float* pre_norm) { return pre_norm ? norm(x, pre_norm) : x; }

  Vector value_heads(Vector v, int64_t K) {
    for (int64_t at = 0; c_.value_norm && at < int64_t(v.size()); at += K) {
      const Vector head = norm(Vector(v.begin() + at, v.begin() + at + K), nullptr);
      std::copy(head.begin(), head.end(), v.begin() + at);
    }
    return v;
  }

  void layer(Streams& streams, int64_t l) {
    const LlamaLayer& L = m_.weights.layers[size_t(l)];
    const size_t S = streams.size(), T = streams[0].size();
    Streams predicted = streams;
    for (size_t t = 0; S > 1 && t < T; ++t) {
      const Vector weights = times(L.altup.predict, modes(streams[0][t], L.altup));
      for (size_t o = 0; o < S; ++o)
        for (size_t i = 0; i < S; ++i) {
          Vector part = streams[i][t];
          scale(part, weights[o * S + i]);
          add(predicted[o][t], part);
        }
    }
    std::vector<Vector> x = predicted[0];
    blocks(x, l);
    if (S == 1) streams[0] = x;
    for (size_t t = 0; S > 1 && t < T; ++t) {
      const Vector weights = times(L.altup.correct, modes(x[t], L.altup));
      for (size_t o = 0; o < S; ++o) {
        streams[o][t] = predicted[o][t];
        for (size_t d = 0; d < x[t].size(); ++d)
          streams[o][t][d] += (1.0 + weights[o]) * (x[t][d] - predicted[0][t][d]);
      }
    }
    for (size_t t = 0; c_.per_layer > 0 && t < T; ++t) {
      Vector first = streams[0][t];
      for (size_t d = 0; S > 1 && d < first.size(); ++d) first[d] *= values(L.altup.scale, 1, c_.hidden)[d];
      Vector gate = times(L.per_layer.gate, first);
      for (size_t i = 0; i < gate.size(); ++i) gate[i] = unit(gate[i], inputs_[t][size_t(l * c_.per_layer) + i]);
      const Vector y = norm(times(L.per_layer.project, gate), L.per_layer.norm);
      for (size_t o = S > 1 ? 1 : 0; o < S; ++o) add(streams[o][t], y);
    }
    for (std::vector<Vector>& stream : streams)
      for (Vector& row : stream)
        if (c_.layer_scale) scale(row, double(*L.scale));
  }

  // Attention and feed-forward block.
  void blocks(std::vector<Vector>& x, int64_t l) {
    const LlamaLayer& L = m_.weights.layers[size_t(l)];
    const int64_t T = int64_t(x.size()), K = c_.head_dim_of(l), kv_heads = c_.kv_heads_of(l);
    std::vector<Vector> q, low_rank;
    std::vector<Vector>&k = keys_[size_t(c_.kv_layer(l))], &v = values_kept_[size_t(c_.kv_layer(l))];
    for (int64_t t = 0; t < T; ++t) {
      const Vector xn = before(x[size_t(t)], L.attn_norm);
      q.push_back(heads(biased(times(L.wq, xn), L.bq), L.q_norm, l, t, true));
      if (c_.laurel_rank > 0) {
        low_rank.push_back(norm(times(L.laurel.right, times(L.laurel.left, xn)), L.laurel.norm));
        add(low_rank.back(), xn);
      }
      if (!L.wk) continue;
      const Vector plain = biased(times(L.wk, xn), L.bk);
      k.push_back(heads(plain, L.k_norm, l, t, false));
      v.push_back(value_heads(L.wv ? biased(times(L.wv, xn), L.bv) : plain, K));
    }
    for (int64_t t = 0; t < T; ++t) {
      Vector attended;
      for (int64_t h = 0; h < c_.heads; ++h) {
        const int64_t kv = h / (c_.heads / kv_heads);
        Vector sum(size_t(K), 0.0);
        Complex total = c_.sinks ? std::exp(values(L.sinks, 1, c_.heads)[size_t(h)]) : 0.0;
        int64_t low = c_.chunked(l) ? t / c_.chunk * c_.chunk : 0;
        if (c_.sliding(l)) low = std::max<int64_t>(0, t - c_.window + 1);
        for (int64_t j = low; j <= t; ++j) {
          Complex score = 0;
          for (int64_t i = 0; i < K; ++i) score += q[size_t(t)][size_t(h * K + i)] * k[size_t(j)][size_t(kv * K + i)];
          const Complex weight = std::exp(capped(score * double(c_.score_scale()), c_.attention_softcap));
          total += weight;
          for (int64_t i = 0; i < K; ++i) sum[size_t(i)] += weight * v[size_t(j)][size_t(kv * K + i)];
        }
        for (const Complex& z : sum) attended.push_back(z / total);
      }
      join(x[size_t(t)], biased(times(L.wo, attended), L.bo), L.post_attn_norm);
      if (c_.laurel_rank == 0) continue;
      add(x[size_t(t)], low_rank[size_t(t)]);
      scale(x[size_t(t)], 1 / std::sqrt(2.0));
    }
    for (Vector& row : x) join(row, feed_forward(row, L, l), L.post_ffn_norm);
  }

  // What is above mean + sparsity * deviation, less that; what is cut has no derivative.
  static void keep_largest(Vector& x, double sparsity) {
    Complex mean = 0, square = 0;
    for (const Complex& z : x) mean += z / double(x.size());
    for (const Complex& z : x) square += (z - mean) * (z - mean) / double(x.size());
    for (Complex& z : x) {
      z -= mean + sparsity * std::sqrt(square);
      if (z.real() <= 0) z = 0;
    }
  }

  Complex unit(Complex g, Complex u) const {
    if (c_.glu.kind == Glu::Kind::silu) return g * u / (1.0 + std::exp(-g));
    if (c_.glu.kind == Glu::Kind::gelu)
      return 0.5 * g * (1.0 + std::tanh(std::sqrt(2 / std::acos(-1.0)) * (g + 0.044715 * g * g * g))) * u;
    const double limit = c_.glu.limit;  // what is cut has no derivative
    if (g.real() > limit) g = limit;
    if (std::abs(u.real()) > limit) u = u.real() > 0 ? limit : -limit;
    return (u + 1.0) * g / (1.0 + std::exp(-double(c_.glu.alpha) * g));
  }
  Vector block(const ExpertWeights& e, const Vector& x, float sparsity = -INFINITY) {
    Vector gate = biased(times(e.gate, x), e.gate_bias);
    if (std::isfinite(sparsity)) keep_largest(gate, double(sparsity));
    const Vector up = biased(times(e.up, x), e.up_bias);
    for (size_t i = 0; i < gate.size(); ++i) gate[i] = unit(gate[i], up[i]);
    return biased(times(e.down, gate), e.down_bias);
  }
  // Of the residual stream.
  Vector feed_forward(const Vector& stream, const LlamaLayer& L, int64_t l) {
    const Vector dense_in = before(stream, L.ffn_norm);
    if (!c_.is_moe[size_t(l)]) return block(L.ffn, dense_in, c_.sparsity.empty() ? -INFINITY : c_.sparsity[size_t(l)]);
    if (!c_.dense_beside_experts) return experts(dense_in, dense_in, L);
    Vector routed_by = norm(stream, L.beside.router_scale);
    scale(routed_by, 1 / std::sqrt(double(c_.hidden)));
    Vector y = norm(block(L.ffn, dense_in), L.beside.dense_norm);
    add(y, norm(experts(norm(stream, L.beside.pre_norm), routed_by, L), L.beside.post_norm));
    return y;
  }
  Vector experts(const Vector& x, const Vector& routed_by, const LlamaLayer& L) {
    const Vector logits = biased(times(L.router, routed_by), L.router_bias);
    std::vector<size_t> order(logits.size());
    for (size_t e = 0; e < order.size(); ++e) order[e] = e;
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t a, size_t b) { return logits[a].real() > logits[b].real(); });
    const std::vector<size_t> chosen(order.begin(), order.begin() + c_.experts_per_token);
    Complex total = 0;
    for (const size_t e : c_.router_score == RouterScore::softmax_chosen ? chosen : order) total += std::exp(logits[e]);
    Vector y = L.ffn.gate && !c_.dense_beside_experts ? block(L.ffn, x) : Vector(x.size(), 0.0);
    for (const size_t e : chosen) {
      const bool scales_input = c_.router_score == RouterScore::sigmoid;
      Complex score = scales_input ? 1.0 / (1.0 + std::exp(-logits[e])) : std::exp(logits[e]) / total;
      if (L.beside.expert_scale) score *= values(L.beside.expert_scale, 1, c_.experts)[e];
      Vector in = x;
      for (Complex& z : in) z *= scales_input ? score : 1.0;
      Vector out = block(L.experts[e], in);
      for (Complex& z : out) z *= scales_input ? 1.0 : score;
      add(y, out);
    }
    return y;
  }

  const Llama& m_;
  const LlamaConfig& c_;
  std::map<const void*, Vector> values_;
  Streams keys_, values_kept_;  // [layers][positions]
  std::vector<Vector> inputs_;  // [positions][L*P]
  bool is_long_ = false;
};

// What the library says of a block and what the reference says, as derivatives along directions.
class BlockCheck {
 public:
  BlockCheck(ComplexLlama& reference, const Parameters& parameters, const std::vector<Sequence>& batch)
      : reference_(reference), parameters_(parameters), batch_(batch) {}

  // A few derivatives of a block: the largest gradient's, and some anywhere.
  void places(const void* at, int64_t rows, int64_t cols) {
    const std::vector<double> gradient = gradient_of(at, rows, cols);
    const size_t count = gradient.size();
    size_t largest = 0;
    for (size_t i = 1; i < count; ++i)
      if (std::abs(gradient[i]) > std::abs(gradient[largest])) largest = i;
    const double bound = 2e-5 * std::max(1e-2, std::abs(gradient[largest]));
    for (const size_t i : {largest, count / 3, size_t(0), count / 2 + 1, count - 1}) {
      std::vector<double> direction(count, 0.0);
      direction[i] = 1;
      CAPTURE(i);
      along(direction, gradient, at, rows, cols, bound);
    }
  }
  // One derivative of a block along signs drawn for its values: an element that is wrong anywhere is seen. The rounding
  // of all its elements adds up: at worst 2.3e-5 of their norm in the families here.
  void whole(const void* at, int64_t rows, int64_t cols) {
    const std::vector<double> gradient = gradient_of(at, rows, cols);
    std::vector<double> direction(gradient.size());
    for (double& d : direction) d = draw_() % 2 ? 1 : -1;
    double squares = 0;
    for (const double g : gradient) squares += g * g;
    along(direction, gradient, at, rows, cols, 4e-5 * std::max(1e-2, std::sqrt(squares)));
  }

 private:
  std::vector<double> gradient_of(const void* at, int64_t rows, int64_t cols) const {
    const float* const gradient = parameters_.gradients().at(at);
    std::vector<double> got;
    for (int64_t i = 0; i < rows * cols; ++i) got.push_back(gradient[rows == 1 ? i : ComplexLlama::place(i, cols)]);
    return got;
  }
  void along(const std::vector<double>& direction, const std::vector<double>& gradient, const void* at, int64_t rows,
             int64_t cols, double bound) {
    constexpr double h = 1e-30;
    Vector& values = reference_.values(at, rows, cols);
    const Vector before = values;
    double got = 0;
    for (size_t i = 0; i < values.size(); ++i) {
      values[i] += Complex(0, h * direction[i]);
      got += gradient[i] * direction[i];
    }
    Complex sum = 0;
    for (const Sequence& s : batch_) sum += reference_.loss(s);
    values = before;
    CAPTURE(got, sum.imag() / h, bound);
    CHECK(std::abs(got - sum.imag() / h) <= bound);
  }

  ComplexLlama& reference_;
  const Parameters& parameters_;
  const std::vector<Sequence>& batch_;
  std::mt19937 draw_{7};
};

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
      BlockCheck check(reference, parameters, batch);
      const auto matrix = [&](const Weight& w) { check.places(w.panels, w.rows, w.cols); };
      const auto vector = [&](const float* w) { check.places(w, 1, model.config.hidden); };
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

TEST_CASE("gradients of every family are their complex-step derivatives", "[train][golden]") {
  for (const Golden& g : goldens(is_decoder)) {
    const LoadedLlama base = load_llama(g.folder());
    const LlamaConfig& c = base.llama.config;
    if (c.architecture == "llama" || c.architecture == "llama4") continue;  // above, with every value of them
    INFO("golden set " << g.folder());
    Parameters parameters(base.context);
    const Llama model = make_trainable(base.llama, parameters);
    Sequence s;
    const std::vector<int64_t> ids = g.array("input_ids").i64();
    for (size_t t = 0; t < 20; ++t) s.tokens.push_back(int32_t(ids[t]));  // past a window of 16
    s.counted.assign(s.tokens.size(), 1);
    const std::vector<Sequence> batch = {s};
    Pass(*base.context, model, {.exact = true}).losses(batch, 1.0f, {&parameters.gradients(), nullptr, {}});
    ComplexLlama reference(model);
    BlockCheck block(reference, parameters, batch);
    const auto check = [&](const char* what, const void* at, int64_t rows, int64_t cols) {
      CAPTURE(what);
      if (parameters.gradients().contains(at)) block.whole(at, rows, cols);
    };
    const auto matrix = [&](const char* what, const Weight& w) { check(what, w.panels, w.rows, w.cols); };
    const auto extras = [&](const std::vector<ExtraTensor>& tensors) {
      for (const ExtraTensor& t : tensors) {
        CHECK(parameters.gradients().contains(t.vector ? *t.vector : static_cast<const void*>(t.matrix->panels)) ==
              !t.is_buffer);
        if (t.vector)
          check(t.huggingface.c_str(), *t.vector, 1, t.cols);
        else
          matrix(t.huggingface.c_str(), *t.matrix);
      }
    };
    LlamaWeights weights = model.weights;
    matrix("embedding", model.weights.embedding);
    check("final norm", model.weights.final_norm, 1, c.hidden);
    extras(extra_tensors(c, weights, ""));
    std::set<int64_t> layers{0, c.layers - 1};
    if (c.shared_kv > 0) layers.insert({c.last_kv_layer(false), c.last_kv_layer(true)});
    for (const int64_t l : layers) {
      CAPTURE(l);
      LlamaLayer& L = weights.layers[size_t(l)];
      extras(extra_tensors(c, L, l, ""));
      const int64_t Q = L.wq.rows, KV = L.wk.rows;
      const bool whole = c.qk_norm == QkNorm::whole;
      matrix("q", L.wq);
      if (L.wk) matrix("k", L.wk);
      if (L.wv) matrix("v", L.wv);
      matrix("o", L.wo);
      check("attention norm", L.attn_norm, 1, c.hidden);
      check("norm behind attention", L.post_attn_norm, 1, c.hidden);
      check("ffn norm", L.ffn_norm, 1, c.hidden);
      check("norm behind ffn", L.post_ffn_norm, 1, c.hidden);
      check("bias of q", L.bq, 1, Q);
      check("bias of k", L.bk, 1, KV);
      check("bias of v", L.bv, 1, KV);
      check("bias of o", L.bo, 1, c.hidden);
      check("norm of q", L.q_norm, 1, whole ? Q : c.head_dim_of(l));
      check("norm of k", L.k_norm, 1, whole ? KV : c.head_dim_of(l));
      check("sinks", L.sinks, 1, c.heads);
      if (L.router) matrix("router", L.router);
      check("bias of the router", L.router_bias, 1, c.experts);
      const ExpertWeights& e = L.experts.empty() ? L.ffn : L.experts[1];
      matrix("gate", e.gate);
      matrix("up", e.up);
      matrix("down", e.down);
      CHECK((!e.gate_bias || parameters.gradients().contains(e.gate_bias)));
      check("bias of an expert's gate", e.gate_bias, 1, e.gate.rows);
      check("bias of an expert's up", e.up_bias, 1, e.up.rows);
      check("bias of an expert's down", e.down_bias, 1, e.down.rows);
      if (c.dense_beside_experts) {
        matrix("dense gate", L.ffn.gate);
        matrix("dense down", L.ffn.down);
      }
    }
  }
}
