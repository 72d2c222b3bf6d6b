#include "bench_parallel.h"

#include <algorithm>

#include "common.h"
#include "interrupt.h"
#include "puna/base/error.h"
#include "quantile.h"

namespace puna::cli {
namespace {

ParallelSpeed measure_once(const ModelPtr& model, const SessionOptions& session, const ParallelFlags& f) {
  EngineOptions options;
  options.session = session;
  options.session.adapter = nullptr;  // requests bring theirs
  options.max_running = f.requests + 1;
  options.cache_bytes = 0;
  Engine engine(model, options);
  const Interrupt interrupt;
  std::vector<std::vector<double>> times(size_t(f.requests) + 1);  // of each request's tokens; the long one's last
  const bool with_long = f.long_prompt > 0;
  const auto submit = [&](size_t i, int64_t prompt, int64_t tokens) {
    EngineRequestOptions r;
    for (int64_t p = 0; p < prompt; ++p)
      r.prompt.tokens.push_back(int32_t((p * 7919 + 11 + int64_t(i) * 31) % model->config().vocab));
    r.generate.max_tokens = tokens;
    r.generate.ignore_eos = true;
    if (session.adapter) r.adapters = {{session.adapter, 1}};
    r.on_event = [&times, i](const EngineEvent& e) {
      if (e.kind == EngineEventKind::token) times[i].push_back(seconds_now());
      return true;
    };
    return engine.submit(std::move(r));
  };
  // Beside a long prompt the others go on until it has been read, however long that takes, and as long again as before.
  std::vector<EngineRequestPtr> requests;
  for (size_t i = 0; i < size_t(f.requests); ++i) requests.push_back(submit(i, 8, with_long ? 0 : f.generate));
  const auto require_finished = [&] {
    for (const EngineRequestPtr& r : requests)
      if (const EngineRequestInfo info = r->info(); info.ended && info.status != Status::ok)
        fail(info.status, "%s", info.message.c_str());
  };
  double long_start = 0;
  size_t enough = 0;  // tokens, then they end
  while (engine.step()) {
    if (interrupt.requested()) fail(Status::cancelled, "stopped");
    require_finished();
    if (with_long && long_start == 0 && int64_t(times[0].size()) >= f.generate / 2) {
      requests.push_back(submit(size_t(f.requests), f.long_prompt, 1));
      long_start = seconds_now();
    }
    if (enough == 0 && !times.back().empty()) enough = times[0].size() + size_t(f.generate / 2);
    if (enough != 0 && times[0].size() >= enough) break;
  }
  if (enough == 0) require_finished();
  ParallelSpeed speed;
  double first = 0, last = 0;
  int64_t tokens = 0;
  std::vector<double> gaps, long_gaps;
  const double long_end = with_long && !times.back().empty() ? times.back()[0] : 0;
  for (size_t i = 0; i < size_t(f.requests); ++i) {
    first = std::max(first, times[i].front());
    last = std::max(last, times[i].back());
    for (size_t t = 1; t < times[i].size(); ++t) {
      const double at = times[i][t], gap = at - times[i][t - 1];
      (long_start > 0 && at > long_start && at <= long_end ? long_gaps : gaps).push_back(gap);
    }
  }
  for (size_t i = 0; i < size_t(f.requests); ++i)
    tokens += std::count_if(times[i].begin(), times[i].end(), [&](double t) { return t > first; });
  speed.total = double(tokens) / std::max(last - first, 1e-9);
  speed.gap_p50 = quantile(gaps, 0.5);
  speed.gap_p99 = quantile(gaps, 0.99);
  speed.long_gap_p50 = quantile(long_gaps, 0.5);
  speed.long_gap_p99 = quantile(long_gaps, 0.99);
  speed.long_first = long_end > 0 ? long_end - long_start : 0;
  return speed;
}

}  // namespace

ParallelSpeed measure_parallel(const ModelPtr& model, const SessionOptions& session, const ParallelFlags& flags) {
  std::vector<ParallelSpeed> all;
  for (int i = 0; i < flags.repeat; ++i) all.push_back(measure_once(model, session, flags));
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.total < b.total; });
  return all[all.size() / 2];
}

}  // namespace puna::cli
