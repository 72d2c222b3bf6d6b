// score.cpp -- how surprised the model is by each token of a given text. A few hundred rows of logits at a time, since
// all of them at once would be gigabytes (2048 tokens of a 200k vocabulary: 1.6 GB).
#include <algorithm>
#include <cmath>

#include "base/fp_env.h"
#include "puna/base/error.h"
#include "runtime/generate/sampler_select.h"
#include "runtime/generate/score_rows.h"
#include "runtime/generate/score_softmax.h"
#include "runtime/session/session_impl.h"

namespace puna {

void score_rows(Session& session, std::span<const int32_t> tokens, std::span<float> nll,
                FunctionRef<void(int64_t)> scored) {
  constexpr size_t kMaxFloats = size_t(16) << 20, kMaxRows = 256;  // at most 64 MiB of logits
  const Context& context = session.model().context();
  const size_t vocab = size_t(session.model().config().vocab);
  for (size_t i = 0; i < tokens.size();
       ++i)  // all of them now: a row is scored before the pass that appends its next token
    PUNA_REQUIRE(tokens[i] >= 0 && size_t(tokens[i]) < vocab, "token %zu is %d, expected 0 to %zu", i, tokens[i],
                 vocab - 1);
  if (int64_t(tokens.size()) >
      session.max_positions() - session.length())  // now, not after all but the last have been computed
    fail(Status::context_full, "%zu tokens do not fit: the session holds %jd of %jd positions", tokens.size(),
         session.length(), session.max_positions());
  const size_t most = std::min(std::clamp<size_t>(kMaxFloats / vocab, 1, kMaxRows), tokens.size());
  Buffer buffer = context.allocate(most * vocab * sizeof(float), "logits of scored tokens");
  float* const logits = reinterpret_cast<float*>(buffer.data());
  for (size_t begin = 0; begin < tokens.size(); begin += most) {
    const size_t rows = std::min(most, tokens.size() - begin);
    session.append_now({tokens.subspan(begin, rows), {}},
                       {.options = {.logits = {logits, rows * vocab}}, .in_place = true});
    const size_t known = std::min(rows, nll.size() - begin);  // the last token predicts nothing that we know
    {
      const Session::Running running(session);
      context.executor().run(int64_t(known), [&](int64_t r) {
        const std::span<const float> row(logits + size_t(r) * vocab, vocab);
        nll[begin + size_t(r)] = float(log_sum_exp(row) - double(row[size_t(tokens[begin + size_t(r) + 1])]));
      });
    }
    for (size_t r = begin; r < begin + known; ++r) {
      if (std::isnan(nll[r])) fail(Status::bad_file, "logits are not finite after token %zu; %s", r, kModelIsToBlame);
    }
    if (scored) scored(int64_t(begin + known));
  }
}

std::vector<float> score(Session& session, std::span<const int32_t> tokens) {
  const FpEnv fp_env;
  PUNA_REQUIRE(tokens.size() >= 2, "%zu tokens to score, expected at least 2", tokens.size());
  session.require_empty();
  std::vector<float> nll(tokens.size() - 1);
  SessionTimings& timings = session.impl_->timings;
  const SessionTimings before = timings;
  try {
    score_rows(session, tokens, nll, {});
  } catch (...) {
    if (session.length() != 0) session.truncate(0);
    timings.prompt_tokens = before.prompt_tokens;  // those of calls that succeeded
    timings.decoded_tokens = before.decoded_tokens;
    throw;
  }
  session.clear_cancel();  // one that came too late for this call is not meant for the next
  return nll;
}

}  // namespace puna
