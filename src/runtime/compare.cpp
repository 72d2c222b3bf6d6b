#include "puna/runtime/compare.h"

#include <algorithm>
#include <cmath>

#include "base/det_math.h"
#include "base/fp_env.h"
#include "model/forward.h"
#include "ops/linear.h"
#include "ops/run_measured.h"
#include "puna/base/error.h"
#include "runtime/generate/score_softmax.h"

namespace puna {
namespace {

void check_windows(const Model& model, std::span<const int32_t> tokens, int64_t window) {
  PUNA_REQUIRE(window >= 2 && window <= model.config().max_positions, "window is %jd, expected 2 to %jd", window,
               model.config().max_positions);
  PUNA_REQUIRE(int64_t(tokens.size()) >= window, "%zu tokens do not fill one window of %jd", tokens.size(), window);
}

void report(OnProgress progress, int64_t done, int64_t total) {
  if (progress && !progress(done, total)) fail(Status::cancelled, "stopped after %jd tokens", done);
}

struct Row {
  double kl, source_nll, other_nll;
  bool same_best;
};

Row compare_rows(std::span<const float> a, std::span<const float> b, int32_t next) {
  const double log_a = log_sum_exp(a), log_b = log_sum_exp(b);
  Row r{0, log_a - double(a[size_t(next)]), log_b - double(b[size_t(next)]),
        std::max_element(a.begin(), a.end()) - a.begin() == std::max_element(b.begin(), b.end()) - b.begin()};
  for (size_t i = 0; i < a.size(); ++i) {
    const double log_p = double(a[i]) - log_a;
    if (log_p > -700) r.kl += det::exp(log_p) * (log_p - (double(b[i]) - log_b));
  }
  return r;
}

}  // namespace

Divergence compare_models(const ModelPtr& source, const ModelPtr& other, std::span<const int32_t> tokens,
                          int64_t window, OnProgress progress) {
  const FpEnv fp_env;
  PUNA_REQUIRE(source && other, "model is NULL");
  const size_t vocab = size_t(source->config().vocab);
  PUNA_REQUIRE(other->config().vocab == source->config().vocab, "the models have %jd and %jd tokens",
               source->config().vocab, other->config().vocab);
  check_windows(*source, tokens, window);
  check_windows(*other, tokens, window);
  Session first(source, {}), second(other, {});
  const int64_t step = std::clamp<int64_t>((int64_t(4) << 20) / int64_t(vocab), 1, window),
                windows = int64_t(tokens.size()) / window;
  std::vector<float> a(size_t(step) * vocab), b(a.size());
  std::vector<Row> rows;
  for (int64_t w = 0; w < windows; ++w) {
    first.truncate(0);
    second.truncate(0);
    for (int64_t at = 0; at < window; at += step) {
      const size_t n = size_t(std::min(step, window - at)), begin = size_t(w * window + at);
      first.append(tokens.subspan(begin, n), {.logits = a});
      second.append(tokens.subspan(begin, n), {.logits = b});
      const size_t known = at + int64_t(n) == window ? n - 1 : n, old = rows.size();
      rows.resize(old + known);
      source->context().executor().run(int64_t(known), [&](int64_t i) {
        const size_t row = size_t(i);
        rows[old + row] =
            compare_rows({a.data() + row * vocab, vocab}, {b.data() + row * vocab, vocab}, tokens[begin + row + 1]);
      });
      report(progress, int64_t(rows.size()), windows * (window - 1));
    }
  }
  Divergence d;
  d.tokens = int64_t(rows.size());
  for (const Row& r : rows) {
    d.mean += r.kl / double(rows.size());
    d.source_nll += r.source_nll / double(rows.size());
    d.other_nll += r.other_nll / double(rows.size());
    d.same_best += r.same_best;
  }
  d.same_best /= double(rows.size());
  std::sort(rows.begin(), rows.end(), [](const Row& x, const Row& y) { return x.kl < y.kl; });
  d.median = rows[rows.size() / 2].kl;
  d.high = rows[std::min(rows.size() - 1, rows.size() * 99 / 100)].kl;
  d.largest = rows.back().kl;
  return d;
}

namespace {

// Adds up squares by column; rows come from stages that run alone, column blocks in parallel.
class Squares : public ActivationObserver {
 public:
  void see(Inference& rec, const Weight& w, std::span<const float* const> rows) override {
    if (rec.measuring()) return;
    Sums& s = sums_[w.panels];
    s.squares.resize(size_t(w.cols));
    s.rows += int64_t(rows.size());
    rec.stage((w.cols + 63) / 64, [&](int64_t tile) {
      for (const float* const x : rows)
        for (int64_t k = tile * 64; k < std::min(w.cols, (tile + 1) * 64); ++k)
          s.squares[size_t(k)] += double(x[k]) * double(x[k]);
    });
  }
  std::shared_ptr<const Importance> means() const {
    auto all = std::make_shared<Importance>();
    for (const auto& [panels, s] : sums_)
      for (const double x : s.squares) (*all)[panels].push_back(float(x / double(std::max<int64_t>(1, s.rows))));
    return all;
  }

 private:
  struct Sums {
    std::vector<double> squares;
    int64_t rows = 0;
  };
  std::unordered_map<const std::byte*, Sums> sums_;
};

}  // namespace

std::shared_ptr<const Importance> measure_importance(const ModelPtr& model, std::span<const int32_t> tokens,
                                                     int64_t window, OnProgress progress) {
  const FpEnv fp_env;
  PUNA_REQUIRE(model, "model is NULL");
  check_windows(*model, tokens, window);
  const Context& context = model->context();
  const int64_t vocab = model->config().vocab, windows = int64_t(tokens.size()) / window;
  Squares squares;
  Buffer scratch;
  for (int64_t w = 0; w < windows; ++w) {
    KvCache cache(model->config(), context.allocator(), DType::f32);
    cache.prepare(0, window);
    Batch batch;
    batch.sequences.push_back(&cache);
    for (int64_t t = 0; t < window; ++t) {
      const int32_t id = tokens[size_t(w * window + t)];
      PUNA_REQUIRE(id >= 0 && id < vocab, "token %jd is %d, expected 0 to %jd", w * window + t, id, vocab - 1);
      batch.rows.push_back({0, t, id, nullptr});
    }
    batch.wanted.push_back(window - 1);
    const bool finished = run_measured(context, scratch, "calibration", [&](Arena& arena) {
      Cursor cursor;
      Inference rec(context.kernels(), context.executor(), arena, cursor, /*exact=*/true, {});
      rec.observe(&squares);
      forward(rec, model->llama(), batch, rec.make(1, vocab));
      return rec.finished();
    });
    PUNA_INVARIANT(finished);  // there is no cancellation here
    report(progress, (w + 1) * window, windows * window);
  }
  return squares.means();
}

}  // namespace puna
