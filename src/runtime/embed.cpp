#include "puna/runtime/embed.h"

#include <cmath>
#include <cstring>
#include <vector>

#include "base/fp_env.h"
#include "puna/base/error.h"

namespace puna {
namespace {

void to_unit_length(float* v, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; ++i) sum += double(v[i]) * v[i];
  const double scale = sum > 0 ? 1 / std::sqrt(sum) : 0;
  for (size_t i = 0; i < n; ++i) v[i] = float(v[i] * scale);
}

}  // namespace

void embed(Session& session, std::span<const int32_t> tokens, Pooling pooling, bool normalise, std::span<float> out) {
  const FpEnv fp;
  const size_t D = size_t(session.model().config().hidden), T = tokens.size(), rows = pooling == Pooling::none ? T : 1;
  PUNA_REQUIRE(out.size() / D >= rows, "the buffer holds %zu floats, %zu x %zu are needed", out.size(), rows, D);
  PUNA_REQUIRE(T > 0, "no tokens to embed");
  session.require_appendable(tokens);
  std::vector<double> sum(pooling == Pooling::mean ? D : 0);
  // Every token's vector: what the caller gave is written to when nothing can fail any more.
  const Buffer buffer = session.model().context().allocate(T * D * sizeof(float), "hidden states");
  float* const hidden = reinterpret_cast<float*>(buffer.data());
  session.append_hidden(tokens, hidden);
  if (pooling == Pooling::none) memcpy(out.data(), hidden, T * D * sizeof(float));
  if (pooling == Pooling::last) memcpy(out.data(), hidden + (T - 1) * D, D * sizeof(float));
  if (pooling == Pooling::mean) {
    for (size_t t = 0; t < T; ++t)
      for (size_t d = 0; d < D; ++d) sum[d] += double(hidden[t * D + d]);
    for (size_t d = 0; d < D; ++d) out[d] = float(sum[d] / double(T));
  }
  if (normalise)
    for (size_t r = 0; r < rows; ++r) to_unit_length(out.data() + r * D, D);
}

}  // namespace puna
