// puna bench: prompt and generation speed, as tokens a second on this machine.
#include <algorithm>
#include <functional>

#include "base/json.h"
#include "bench_parallel.h"
#include "bench_serve.h"
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
  LoadFlags load;
  bool json = false;
};

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
  if (f.json) return print(json_text(out) + "\n");
  for (const auto& [key, value] : out.items())
    print_format("%-15s %s\n", key.c_str(),
                 value.is_string() ? value.get<std::string>().c_str() : value.dump().c_str());
}

// What a server is asked, it computes as it was started: options of a model say nothing here.
void run_load(const BenchFlags& f) {
  const ModelFlags& m = f.model;
  const SessionOptions& s = f.session.options;
  PUNA_REQUIRE(m.path.empty() && m.isa.empty() && m.adapter.empty() && m.packed.empty() && m.projector.empty() &&
                   m.providers.empty() && m.threads == 0 && f.parallel.requests == 0 && f.parallel.long_prompt == 0 &&
                   !s.exact && f.session.kv_type == "f16" && s.prefill_chunk == SessionOptions().prefill_chunk,
               "--serve measures a server, which was started with a model and its options: beside it expected are "
               "-p, -n, -r, --clients, --endpoint, --serve-model, --key and --json");
  const LoadResult r = measure_load(f.load);
  const double requests = double(r.answered) / r.seconds;
  nlohmann::ordered_json out = {{"server", f.load.url},
                                {"model", r.model},
                                {"endpoint", f.load.endpoint},
                                {"clients", f.load.clients},
                                {"requests", r.answered},
                                {"errors", r.errors.size()},
                                {"seconds", r.seconds},
                                {"requests_a_second", requests},
                                {"pieces", r.pieces},
                                {"pieces_a_second", double(r.pieces) / r.seconds},
                                {"first_token_p50_s", r.first_p50},
                                {"first_token_p99_s", r.first_p99},
                                {"between_tokens_p50_s", r.gap_p50},
                                {"between_tokens_p99_s", r.gap_p99},
                                {"whole_p50_s", r.whole_p50},
                                {"whole_p99_s", r.whole_p99}};
  if (f.json)
    print(out.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n");
  else
    for (const auto& [key, value] : out.items())
      print_format("%-20s %s\n", key.c_str(),
                   value.is_string() ? printable(value.get<std::string>()).c_str() : value.dump().c_str());
  for (size_t i = 0; i < std::min<size_t>(r.errors.size(), 3); ++i) warn(printable(r.errors[i]));
  if (!r.errors.empty()) fail(Status::io, "%zu of the requests went wrong", r.errors.size());
}

}  // namespace

void add_bench(CLI::App& app) {
  const auto f = std::make_shared<BenchFlags>();
  const Verb verb(app, "bench", "Measure speed: pp = prompt tokens a second, tg = generated tokens a second");
  f->model.add(verb, false);
  const Option prompt = verb.option("-p", f->prompt, "prompt tokens (default 512; 0 = skip; with --serve words, 64)");
  prompt.at_least(0);
  const Option tokens =
      verb.option("-n", f->generate, "generated tokens, from an empty session (default 64; 0 = skip)");
  tokens.at_least(0);
  const Option repeat = verb.option("-r,--repeat", f->repeat,
                                    "repetitions; the median counts (default 3; with --serve requests a client, 8)");
  repeat.at_least(1);
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
  const Option serve = verb.option(
      "--serve", f->load.url, "instead of MODEL: load on the server at http://HOST:PORT that speaks OpenAI's protocol");
  verb.option("--clients", f->load.clients, "of --serve, each asking one request after the other (default 8)")
      .within(1, 1024)
      .needs(serve);
  verb.option("--endpoint", f->load.endpoint, "of --serve: chat (default) or completions").needs(serve);
  verb.option("--serve-model", f->load.model, "the name to ask for (default: the first that the server lists)")
      .needs(serve);
  verb.option("--key", f->load.key, "an API key for --serve").needs(serve);
  verb.run([=] {
    if (!serve.given()) {
      if (f->model.path.empty()) usage_error_missing("MODEL or --serve");
      return run_bench(*f);
    }
    if (prompt.given()) f->load.prompt = f->prompt;
    if (repeat.given()) f->load.requests = f->repeat;
    f->load.tokens = f->generate;
    PUNA_REQUIRE(f->load.prompt > 0 && f->load.tokens > 0, "-p and -n are %jd and %jd, expected 1 or more with --serve",
                 f->load.prompt, f->load.tokens);
    run_load(*f);
  });
}

}  // namespace puna::cli
