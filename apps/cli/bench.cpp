// puna bench: prompt and generation speed, as tokens a second on this machine.
#include <algorithm>
#include <functional>

#ifndef _WIN32
#include <sys/resource.h>
#endif

#include <nlohmann/json.hpp>

#include "bench_parallel.h"
#include "common.h"
#include "interrupt.h"
#include "kernels/kernel_table.h"
#include "puna/base/error.h"
#include "verbs.h"

namespace puna::cli {
namespace {

struct BenchFlags {
  ModelFlags model;
  SessionFlags session;
  int64_t prompt = 512, generate = 64;
  int repeat = 3;
  ParallelFlags parallel;
  bool json = false;
};

uint64_t peak_rss_bytes() {
#ifdef _WIN32
  return 0;
#else
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
#ifdef __APPLE__
  return uint64_t(usage.ru_maxrss);
#else
  return uint64_t(usage.ru_maxrss) * 1024;
#endif
#endif
}

// Ids spread over the vocabulary, so that a mixture's experts all get work.
std::vector<int32_t> some_tokens(int64_t n, int64_t vocab) {
  std::vector<int32_t> ids(size_t(n), 0);
  for (int64_t i = 0; i < n; ++i) ids[size_t(i)] = int32_t((i * 7919 + 11) % vocab);
  return ids;
}

// Tokens a second, the median of the repetitions. `run` starts from an empty session.
double tokens_per_second(const BenchFlags& f, const ModelPtr& model, const SessionOptions& mode, int64_t tokens,
                         const std::function<void(Session&)>& run) {
  if (tokens == 0) return 0;
  std::vector<double> rates;
  for (int i = 0; i < f.repeat; ++i) {
    Session session(model, mode);
    Interrupt interrupt(session);
    const double start = seconds_now();
    run(session);
    rates.push_back(double(tokens) / (seconds_now() - start));
    if (interrupt.requested()) fail(Status::cancelled, "stopped");
  }
  std::nth_element(rates.begin(), rates.begin() + f.repeat / 2, rates.end());
  return rates[size_t(f.repeat) / 2];
}

void run_bench(const BenchFlags& f) {
  const double start = seconds_now();
  const ModelPtr model = f.model.open();
  const double load_seconds = seconds_now() - start;
  SessionOptions mode = f.session.read();
  mode.adapter = f.model.open_adapter(*model);
  const std::vector<int32_t> ids = some_tokens(std::max(f.prompt, f.generate), model->config().vocab);

  Session(model, mode).append(std::span(ids).first(1));  // the first pass touches every page of a mapped file
  // How often threads wait for each other, in one pass over the prompt and in one generated token.
  const auto syncs = [&](size_t tokens) {
    Session session(model, mode);
    const uint64_t before = model->context().executor().shared_runs();
    session.append(std::span(ids).first(tokens));
    return model->context().executor().shared_runs() - before;
  };
  const uint64_t prompt_syncs = f.prompt > 0 ? syncs(size_t(f.prompt)) : 0, token_syncs = f.generate > 0 ? syncs(1) : 0;
  const double pp = tokens_per_second(f, model, mode, f.prompt,
                                      [&](Session& s) { s.append(std::span(ids).first(size_t(f.prompt))); });
  const double tg = tokens_per_second(f, model, mode, f.generate, [&](Session& s) {
    for (int64_t i = 0; i < f.generate; ++i) s.append(std::span(ids).subspan(size_t(i), 1));
  });

  nlohmann::ordered_json out = {{"model", f.model.path},
                                {"parameters", model->parameter_count()},
                                {"file_bytes", model->checkpoint().file_bytes},
                                {"isa", model->context().kernels().name},
                                {"threads", model->context().executor().width()},
                                {"mode", f.session.options.exact ? "exact" : "default"},
                                {"n_prompt", f.prompt},
                                {"n_generate", f.generate},
                                {"repeat", f.repeat},
                                {"load_s", load_seconds},
                                {"pp", pp},
                                {"tg", tg},
                                {"layers", model->config().layers},
                                {"syncs_prompt", prompt_syncs},
                                {"syncs_token", token_syncs},
                                {"peak_rss_bytes", peak_rss_bytes()}};
  if (f.parallel.requests > 0) {
    ParallelFlags parallel = f.parallel;
    parallel.generate = std::max<int64_t>(f.generate, 2);
    parallel.repeat = f.repeat;
    const ParallelSpeed s = measure_parallel(model, mode, parallel);
    out["parallel"] = parallel.requests;
    out["tg_total"] = s.total;
    out["gap_p50_s"] = s.gap_p50;
    out["gap_p99_s"] = s.gap_p99;
    if (parallel.long_prompt > 0) {
      out["long_prompt"] = parallel.long_prompt;
      out["long_gap_p50_s"] = s.long_gap_p50;
      out["long_gap_p99_s"] = s.long_gap_p99;
      out["long_first_token_s"] = s.long_first;
    }
  }
  if (f.json) return print(out.dump() + "\n");
  for (const auto& [key, value] : out.items())
    print_format("%-15s %s\n", key.c_str(),
                 value.is_string() ? value.get<std::string>().c_str() : value.dump().c_str());
}

}  // namespace

void add_bench(CLI::App& app) {
  const auto f = std::make_shared<BenchFlags>();
  const Verb verb(app, "bench", "Measure speed: pp = prompt tokens a second, tg = generated tokens a second");
  f->model.add(verb);
  verb.option("-p", f->prompt, "prompt tokens (default 512; 0 = skip)").at_least(0);
  verb.option("-n", f->generate, "generated tokens, from an empty session (default 64; 0 = skip)").at_least(0);
  verb.option("-r,--repeat", f->repeat, "repetitions; the median counts (default 3)").at_least(1);
  verb.option("--prefill-chunk", f->session.options.prefill_chunk, "most tokens computed together").at_least(1);
  f->model.add_adapter(verb);
  verb.option("--parallel", f->parallel.requests,
              "also so many requests at once: tg_total = tokens a second of all together (default 0 = skip)")
      .within(0, 1024);
  verb.option("--long-prompt", f->parallel.long_prompt,
              "with --parallel: a prompt of so many tokens comes in after half of -n; gaps between two tokens "
              "meanwhile (default 0)")
      .at_least(0);
  f->session.add(verb);
  verb.flag("--json", f->json, "print JSON");
  verb.run([f] { run_bench(*f); });
}

}  // namespace puna::cli
