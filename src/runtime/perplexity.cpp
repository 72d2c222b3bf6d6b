// perplexity.cpp -- exp of the mean negative log-likelihood over disjoint windows, with the standard error of the mean:
// the standard deviation of the tokens' values / sqrt(n), as if they were independent.
#include <cmath>

#include "base/det_math.h"
#include "base/fp_env.h"
#include "puna/base/error.h"
#include "puna/runtime/generate.h"
#include "runtime/generate/score_rows.h"

namespace puna {

Perplexity perplexity(const ModelPtr& model, const SessionOptions& options, std::span<const int32_t> tokens,
                      int64_t window, FunctionRef<bool(int64_t done, int64_t total)> progress) {
  const FpEnv fp_env;
  Session session(model, options);
  PUNA_REQUIRE(window >= 2 && window <= session.max_positions(), "window is %jd, expected 2 to %jd", window,
               session.max_positions());
  const int64_t windows = int64_t(tokens.size()) / window;
  PUNA_REQUIRE(windows >= 1, "%zu tokens do not fill one window of %jd", tokens.size(), window);

  std::vector<float> all(size_t(windows * (window - 1)));
  for (int64_t w = 0; w < windows; ++w) {
    session.truncate(0);
    const std::span<float> nll = std::span(all).subspan(size_t(w * (window - 1)), size_t(window - 1));
    score_rows(session, tokens.subspan(size_t(w * window), size_t(window)), nll, [&](int64_t scored) {
      const int64_t done = w * (window - 1) + scored;
      if (progress && !progress(done, int64_t(all.size()))) fail(Status::cancelled, "stopped after %jd tokens", done);
    });
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
