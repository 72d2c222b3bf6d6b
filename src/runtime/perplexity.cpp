// perplexity.cpp -- exp of the mean negative log-likelihood over disjoint windows, with the standard error of the mean:
// the standard deviation of the tokens' values / sqrt(n), as if they were independent.
#include <cmath>

#include "base/det_math.h"
#include "base/fp_env.h"
#include "puna/base/error.h"
#include "puna/runtime/generate.h"

namespace puna {

Perplexity perplexity(const ModelPtr& model, const SessionOptions& options, std::span<const int32_t> tokens, int64_t window,
                      FunctionRef<bool(int64_t done, int64_t total)> progress) {
  const FpEnv fp_env;
  Session session(model, options);
  PUNA_REQUIRE(window >= 2 && window <= session.max_positions(), "window is %lld, expected 2 to %lld", static_cast<long long>(window),
               static_cast<long long>(session.max_positions()));
  const int64_t windows = int64_t(tokens.size()) / window;
  PUNA_REQUIRE(windows >= 1, "%zu tokens do not fill one window of %lld", tokens.size(), static_cast<long long>(window));

  std::vector<float> all;
  for (int64_t w = 0; w < windows; ++w) {
    session.truncate(0);
    const std::vector<float> nll = score(session, tokens.subspan(size_t(w * window), size_t(window)));
    all.insert(all.end(), nll.begin(), nll.end());
    if (progress && !progress(w + 1, windows)) fail(Status::cancelled, "stopped after %lld of %lld windows", static_cast<long long>(w + 1), static_cast<long long>(windows));
  }

  const double n = double(all.size());
  double sum = 0, squares = 0;
  for (const float x : all) sum += double(x);
  const double mean = sum / n;
  for (const float x : all) squares += (double(x) - mean) * (double(x) - mean);
  const double variance = all.size() > 1 ? squares / (n - 1) : 0;
  return {mean, std::sqrt(variance / n), det::exp(mean), int64_t(all.size()), windows};
}

}  // namespace puna
