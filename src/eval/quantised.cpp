#include "puna/eval/quantised.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "base/det_math.h"
#include "base/format.h"
#include "base/fp_env.h"
#include "base/json_out.h"
#include "puna/base/error.h"
#include "runtime/generate/score_softmax.h"

namespace puna::eval {
namespace {

constexpr size_t kMostFloats = size_t(4) << 20;  // of each model's logits at once

struct Position {
  double base_loss = 0, loss = 0;  // -ln P(token)
  double divergence = 0, change = 0;
  bool same_top = false;
};

Position compare_position(std::span<const float> base, std::span<const float> other, int32_t token) {
  const double base_sum = log_sum_exp(base), other_sum = log_sum_exp(other);
  Position p;
  p.base_loss = base_sum - double(base[size_t(token)]);
  p.loss = other_sum - double(other[size_t(token)]);
  p.change = det::exp(-p.loss) - det::exp(-p.base_loss);
  p.same_top = std::max_element(base.begin(), base.end()) - base.begin() ==
               std::max_element(other.begin(), other.end()) - other.begin();
  for (size_t v = 0; v < base.size(); ++v) {
    const double ln_p = double(base[v]) - base_sum;
    if (ln_p > -700) p.divergence += det::exp(ln_p) * (ln_p - (double(other[v]) - other_sum));
  }
  return p;
}

// Mean and error of one number a position, and their covariance with another, as llama-perplexity computes them.
template <class Value>
Measured mean_of(const std::vector<Position>& all, Value&& value) {
  const auto n = double(all.size());
  double sum = 0, squares = 0;
  for (const Position& p : all) sum += value(p);
  for (const Position& p : all) squares += (value(p) - sum / n) * (value(p) - sum / n);
  return {sum / n, n > 1 ? std::sqrt(squares / n / (n - 1)) : 0};
}

double covariance_of_losses(const std::vector<Position>& all, double base_mean, double mean) {
  double sum = 0;
  for (const Position& p : all) sum += (p.base_loss - base_mean) * (p.loss - mean);
  const auto n = double(all.size());
  return n > 1 ? sum / n / (n - 1) : 0;
}

template <class Value>
Spread spread_of(const std::vector<Position>& all, Value&& value) {
  std::vector<double> sorted;
  for (const Position& p : all) sorted.push_back(value(p));
  std::sort(sorted.begin(), sorted.end());
  Spread s;
  for (size_t i = 0; i < std::size(Spread::kShares); ++i) {
    const double at = Spread::kShares[i] * double(sorted.size() - 1);
    const auto below = size_t(at);
    const size_t above = std::min(below + 1, sorted.size() - 1);
    s.at[i] = sorted[below] + (at - double(below)) * (sorted[above] - sorted[below]);
  }
  return s;
}

QuantisationLoss summary(const std::vector<Position>& all) {
  QuantisationLoss q;
  q.positions = int64_t(all.size());
  const Measured base = mean_of(all, [](const Position& p) { return p.base_loss; });
  const Measured other = mean_of(all, [](const Position& p) { return p.loss; });
  const double both = covariance_of_losses(all, base.value, other.value);
  const double ppl_base = det::exp(base.value), ppl = det::exp(other.value);
  q.base_perplexity = {ppl_base, ppl_base * base.error};
  q.perplexity = {ppl, ppl * other.error};
  q.correlation = base.error > 0 && other.error > 0 ? both / (base.error * other.error) : 0;
  const double variance = base.error * base.error + other.error * other.error - 2 * both;
  q.log_ratio = {other.value - base.value, std::sqrt(std::max(0.0, variance))};
  q.ratio = {det::exp(q.log_ratio.value), det::exp(q.log_ratio.value) * q.log_ratio.error};
  const double a = q.perplexity.error, b = q.base_perplexity.error;
  q.difference = {ppl - ppl_base, std::sqrt(std::max(0.0, a * a + b * b - 2 * ppl * ppl_base * both))};
  const auto divergence = [](const Position& p) { return p.divergence; };
  const auto change = [](const Position& p) { return p.change; };
  q.divergence = mean_of(all, divergence);
  q.divergences = spread_of(all, divergence);
  q.probability_change = mean_of(all, change);
  q.probability_changes = spread_of(all, change);
  const Measured squares = mean_of(all, [](const Position& p) { return p.change * p.change; });
  const double root = std::sqrt(squares.value);
  q.root_mean_square = {root, root > 0 ? 0.5 / root * squares.error : 0};
  q.same_top = mean_of(all, [](const Position& p) { return double(p.same_top); });
  return q;
}

double seconds_of(FunctionRef<void()> work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

QuantisationLoss compare_quantised(const ModelPtr& base, const ModelPtr& quantised, std::span<const int32_t> tokens,
                                   int64_t n_ctx, FunctionRef<bool(int64_t, int64_t)> progress) {
  const FpEnv fp_env;
  PUNA_REQUIRE(base && quantised, "model is NULL");
  const auto vocab = size_t(base->config().vocab);
  PUNA_REQUIRE(quantised->config().vocab == base->config().vocab, "the models have %jd and %jd tokens",
               base->config().vocab, quantised->config().vocab);
  const int64_t limit = std::min(base->config().max_positions, quantised->config().max_positions);
  PUNA_REQUIRE(n_ctx >= 4 && n_ctx <= limit, "n_ctx is %jd, expected 4 to %jd", n_ctx, limit);
  const int64_t chunks = int64_t(tokens.size()) / n_ctx, first = n_ctx / 2, counted = n_ctx - 1 - first;
  PUNA_REQUIRE(chunks >= 1, "%zu tokens do not fill one chunk of %jd", tokens.size(), n_ctx);
  const int32_t begins = base->tokenizer() ? base->tokenizer()->specials().first() : -1;
  Session a(base, {}), b(quantised, {});
  const int64_t step = std::clamp<int64_t>(int64_t(kMostFloats / vocab), 1, counted);
  std::vector<float> of_a(size_t(step) * vocab), of_b(of_a.size());
  std::vector<Position> all;
  double seconds_a = 0, seconds_b = 0;
  for (int64_t c = 0; c < chunks; ++c) {
    std::vector<int32_t> chunk(tokens.begin() + c * n_ctx, tokens.begin() + (c + 1) * n_ctx);
    if (begins >= 0) chunk[0] = begins;
    const auto append = [&](Session& s, int64_t from, int64_t count, std::span<float> logits) {
      return seconds_of(
          [&] { s.append(std::span<const int32_t>(chunk).subspan(size_t(from), size_t(count)), {.logits = logits}); });
    };
    a.truncate(0);
    b.truncate(0);
    seconds_a += append(a, 0, first, {});
    seconds_b += append(b, 0, first, {});
    for (int64_t at = first; at < n_ctx - 1; at += step) {
      const int64_t count = std::min(step, n_ctx - 1 - at);
      seconds_a += append(a, at, count, of_a);
      seconds_b += append(b, at, count, of_b);
      const size_t before = all.size();
      all.resize(before + size_t(count));
      base->context().executor().run(count, [&](int64_t i) {
        const FpEnv env;
        const size_t row = size_t(i) * vocab;
        all[before + size_t(i)] =
            compare_position({of_a.data() + row, vocab}, {of_b.data() + row, vocab}, chunk[size_t(at + i) + 1]);
      });
      for (size_t i = before; i < all.size(); ++i)
        if (!std::isfinite(all[i].divergence) || !std::isfinite(all[i].loss) || !std::isfinite(all[i].base_loss))
          fail(Status::bad_file, "chunk %jd, position %jd: a model's logits are no finite numbers", c,
               at + int64_t(i - before));
      if (progress && !progress(int64_t(all.size()), chunks * counted))
        fail(Status::cancelled, "stopped after %zu positions", all.size());
    }
  }
  QuantisationLoss q = summary(all);
  q.chunks = chunks;
  q.base_seconds = seconds_a;
  q.seconds = seconds_b;
  q.tokens = chunks * (n_ctx - 1);
  return q;
}

std::string text_of(const QuantisationLoss& q) {
  const auto line = [](const char* what, const Measured& m, const char* unit = "", double scale = 1) {
    return format("  %-30s %11.6f +- %.6f%s\n", what, scale * m.value, scale * m.error, unit);
  };
  const auto spread = [](const char* what, const Spread& s, const char* unit, double scale) {
    std::string text = format("  %-30s", what);
    for (const size_t i : {10, 9, 8, 7, 5, 3, 2, 1, 0}) text += format(" %.4f", scale * s.at[i]);
    return text + unit + "\n";
  };
  std::string text = line("perplexity", q.perplexity) + line("perplexity of the base", q.base_perplexity);
  text += format("  %-30s %10.2f %%\n", "correlation of log-probabilities", 100 * q.correlation);
  text += line("ln(perplexity / base's)", q.log_ratio) + line("perplexity / base's", q.ratio) +
          line("perplexity - base's", q.difference);
  text += line("KL divergence", q.divergence);
  text += spread("  max 99.9 99 95 50 5 1 .1 min", q.divergences, "", 1);
  text += line("change of P(token)", q.probability_change, " %", 100) +
          line("  root mean square", q.root_mean_square, " %", 100);
  text += spread("  max 99.9 99 95 50 5 1 .1 min", q.probability_changes, " %", 100);
  return text + line("same likeliest token", q.same_top, " %", 100);
}

std::string json_of(const QuantisationLoss& q) {
  const auto measured = [](const Measured& m) {
    return JsonObject().real("value", m.value).real("error", m.error).str();
  };
  const auto spread = [](const Spread& s) {
    JsonObject j;
    for (size_t i = 0; i < std::size(Spread::kShares); ++i) j.real(format("%g", 100 * Spread::kShares[i]), s.at[i]);
    return j.str();
  };
  return JsonObject()
      .integer("positions", q.positions)
      .integer("chunks", q.chunks)
      .json("perplexity", measured(q.perplexity))
      .json("base_perplexity", measured(q.base_perplexity))
      .real("correlation", q.correlation)
      .json("log_ratio", measured(q.log_ratio))
      .json("ratio", measured(q.ratio))
      .json("difference", measured(q.difference))
      .json("kl_divergence", measured(q.divergence))
      .json("kl_divergence_percentiles", spread(q.divergences))
      .json("probability_change", measured(q.probability_change))
      .json("probability_change_rms", measured(q.root_mean_square))
      .json("probability_change_percentiles", spread(q.probability_changes))
      .json("same_top", measured(q.same_top))
      .integer("tokens", q.tokens)
      .real("seconds", q.seconds)
      .real("base_seconds", q.base_seconds)
      .str();
}

}  // namespace puna::eval
