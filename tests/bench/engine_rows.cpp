// engine_rows.cpp -- an engine's side of the table of engine.py: `engine_rows MODEL [THREADS]` opens the model, reads
// one measure a line and answers each with a line of JSON:
//   tg REQUESTS TOKENS   tokens a second of so many requests together, once each has its first
//   second-turn LENGTH   first token of a chat's second turn behind so many tokens, beside one of a prompt of 16 tokens
//   shared REQUESTS LENGTH   requests whose prompts begin with the same LENGTH tokens beside one: rows and memory
//   look-up LENGTH       finding the pages of a prompt that was read before
//   adapters TARGETS TOKENS   8 requests with an adapter of rank 8 each beside 8 without (TARGETS: all, or PEFT's q,v)
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include "puna/base/error.h"
#include "puna/runtime/engine.h"
#include "runtime/engine/prefix_cache.h"

using namespace puna;

namespace {

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

double median(std::vector<double> v) {
  std::nth_element(v.begin(), v.begin() + std::ptrdiff_t(v.size() / 2), v.end());
  return v[v.size() / 2];
}

class Rows {
 public:
  explicit Rows(ModelPtr model) : model_(std::move(model)) {
    Session(model_, {}).append(tokens(1, 0));  // the first pass touches every page of a mapped file
  }

  void measure(const std::string& line) {
    std::istringstream words(line);
    std::string name, targets;
    int64_t a = 0, b = 0;
    words >> name;
    if (name == "adapters") words >> targets;
    words >> a >> b;
    if (name == "tg") return tokens_a_second(a, b);
    if (name == "second-turn") return second_turn(a);
    if (name == "shared") return shared(a, b);
    if (name == "look-up") return look_up(a);
    if (name == "adapters") return adapters(targets, a);
    fail(Status::invalid_argument, "there is no measure '%s'", line.c_str());
  }

 private:
  std::vector<int32_t> tokens(int64_t count, int64_t seed) const {
    std::vector<int32_t> ids(static_cast<size_t>(count));
    for (int64_t i = 0; i < count; ++i)
      ids[size_t(i)] = int32_t((i * 7919 + 11 + seed * 104729) % model_->config().vocab);
    return ids;
  }

  static EngineRequestOptions request(std::vector<int32_t> prompt, int64_t answer,
                                      const AdapterPtr& adapter = nullptr) {
    EngineRequestOptions r;
    r.prompt.tokens = std::move(prompt);
    r.generate.max_tokens = answer;
    r.generate.ignore_eos = true;
    if (adapter) r.adapters = {{adapter, 1}};
    return r;
  }

  static void require_finished(const EngineRequest& r) {
    const EngineRequestInfo info = r.info();
    if (info.outcome != EngineOutcome::finished || !info.ended) fail(info.status, "%s", info.message.c_str());
  }

  static EngineRequestPtr answered(Engine& engine, EngineRequestOptions options) {
    EngineRequestPtr r = engine.submit(std::move(options));
    while (engine.step()) {}
    require_finished(*r);
    return r;
  }

  // Of all together, from the moment when each has its first token.
  double rate(int64_t requests, int64_t answer, const std::vector<AdapterPtr>& adapters) const {
    EngineOptions options;
    options.cache_bytes = 0;
    Engine engine(model_, options);
    std::vector<EngineRequestPtr> all;
    for (int64_t i = 0; i < requests; ++i)
      all.push_back(engine.submit(request(tokens(8, i), answer, adapters.empty() ? nullptr : adapters[size_t(i)])));
    const auto begun = [](const EngineRequestPtr& r) { return r->info().generated_tokens > 0; };
    while (!std::all_of(all.begin(), all.end(), begun)) engine.step();
    const uint64_t before = engine.stats().generated_tokens;
    const double start = now();
    while (engine.step()) {}
    const double seconds = now() - start;
    for (const EngineRequestPtr& r : all) require_finished(*r);
    return double(engine.stats().generated_tokens - before) / seconds;
  }

  void tokens_a_second(int64_t requests, int64_t answer) const {
    printf("{\"tg_total\": %.3f}\n", rate(requests, answer, {}));
  }

  void second_turn(int64_t length) const {
    constexpr int64_t kNew = 16, kAnswer = 16, kPairs = 11;
    Engine engine(model_, {});
    std::vector<int32_t> held = tokens(length - kAnswer, 1);
    const std::vector<int32_t> said = answered(engine, request(held, kAnswer))->answers().at(0).result.tokens;
    held.insert(held.end(), said.begin(), said.end());
    std::vector<double> second, fresh, ratios;
    int64_t cached = length;
    for (int64_t i = 0; i < kPairs; ++i) {
      std::vector<int32_t> turn = held;
      const std::vector<int32_t> message = tokens(kNew, 100 + i);
      turn.insert(turn.end(), message.begin(), message.end());
      const EngineRequestInfo a = answered(engine, request(turn, 1))->info();
      const EngineRequestInfo b = answered(engine, request(tokens(16, 1000 + i), 1))->info();
      second.push_back(a.first_token_seconds);
      fresh.push_back(b.first_token_seconds);
      ratios.push_back(a.first_token_seconds / b.first_token_seconds);
      cached = std::min(cached, a.cached_tokens);
    }
    printf("{\"second_turn_s\": %.6f, \"prompt_16_s\": %.6f, \"ratio\": %.4f, \"cached_tokens\": %jd}\n",
           median(second), median(fresh), median(ratios), cached);
  }

  struct Use {
    double rows = 0;
    uint64_t bytes = 0;  // most, over what was there before
  };
  Use use(int64_t requests, int64_t length) const {
    const Allocator& memory = *model_->context().allocator();
    const uint64_t before = memory.used();
    Use use;
    Engine engine(model_, {});
    std::vector<EngineRequestPtr> all;
    for (int64_t i = 0; i < requests; ++i) {
      std::vector<int32_t> prompt = tokens(length, 1);
      for (const int32_t own : tokens(3, 10 + i)) prompt.push_back(own);
      all.push_back(engine.submit(request(std::move(prompt), 8)));
    }
    bool more = true;
    while (more) {
      more = engine.step();
      use.bytes = std::max(use.bytes, memory.used() - before);
    }
    for (const EngineRequestPtr& r : all) require_finished(*r);
    use.rows = double(engine.stats().prompt_rows);
    return use;
  }

  // Each request has a page of its own in every layer, for what follows the common part, and logits of its own: what is
  // compared is the memory without these; `all_memory` is the ratio with them.
  void shared(int64_t requests, int64_t length) const {
    const KvCache layout(model_->config(), model_->context().allocator(), SessionOptions{}.kept());
    uint64_t own = uint64_t(model_->config().vocab) * 8;
    for (int64_t l = 0; l < layout.layers(); ++l) own += uint64_t(layout.page_bytes(l));
    const Use one = use(1, length), many = use(requests, length);
    printf(
        "{\"rows_one\": %.0f, \"rows_many\": %.0f, \"rows\": %.4f, \"bytes_one\": %ju, \"bytes_many\": %ju, "
        "\"memory\": %.4f, \"all_memory\": %.4f}\n",
        one.rows, many.rows, many.rows / one.rows, one.bytes, many.bytes,
        (double(many.bytes) - double(requests) * double(own)) / (double(one.bytes) - double(own)),
        double(many.bytes) / double(one.bytes));
  }

  // Among fifty other prompts. Finding is the walk through the tree; `take_us`, with handing its pages over.
  void look_up(int64_t length) const {
    const DType type = SessionOptions{}.kept();
    const auto empty = [&] { return KvCache(model_->config(), model_->context().allocator(), type); };
    PrefixCache cache(model_, type, UINT64_MAX);
    const PrefixRoot root;
    const auto keep = [&](const std::vector<int32_t>& ids) {
      KvCache kv = empty();
      kv.prepare(0, int64_t(ids.size()));
      cache.keep(root, PrefixKey(PromptView(ids)), int64_t(ids.size()), kv, true);
    };
    for (int64_t i = 0; i < 50; ++i) keep(tokens(80, 2 + i));
    const std::vector<int32_t> ids = tokens(length, 1);
    keep(ids);
    const PrefixKey key{PromptView(ids)};
    std::vector<double> walk, take;
    for (int i = 0; i < 301; ++i) {
      double start = now();
      if (cache.peek(root, key, length) != length) fail(Status::internal, "the prompt was not found");
      walk.push_back(now() - start);
      KvCache to = empty();
      start = now();
      if (cache.find(root, key, length, to) != length) fail(Status::internal, "the prompt was not found");
      take.push_back(now() - start);
    }
    printf("{\"walk_us\": %.3f, \"take_us\": %.3f}\n", median(walk) * 1e6, median(take) * 1e6);
  }

  void adapters(const std::string& targets, int64_t answer) const {
    constexpr int64_t kPairs = 5;
    std::vector<AdapterPtr> own;
    for (uint64_t i = 0; i < 8; ++i) {
      AdapterOptions options;
      options.rank = 8;
      options.seed = i;
      if (targets == "all") options.targets = {"all"};
      own.push_back(Adapter::create(model_->context(), model_->llama(), options));
    }
    std::vector<double> ratios, plain, with;
    for (int64_t i = 0; i < kPairs; ++i) {
      plain.push_back(rate(8, answer, {}));
      with.push_back(rate(8, answer, own));
      ratios.push_back(with.back() / plain.back());
    }
    printf("{\"plain\": %.3f, \"with\": %.3f, \"ratio\": %.4f}\n", median(plain), median(with), median(ratios));
  }

  ModelPtr model_;
};

}  // namespace

int main(int argc, char** argv) try {
  if (argc < 2 || argc > 3) return fprintf(stderr, "usage: engine_rows MODEL [THREADS] <MEASURES\n"), 2;
  ContextOptions options;
  options.threads = argc > 2 ? std::stoi(argv[2]) : 2;
  Rows rows(Model::open(make_context(options), argv[1]));
  printf("{\"open\": true}\n");
  fflush(stdout);
  for (std::string line; std::getline(std::cin, line);) {
    rows.measure(line);
    fflush(stdout);
  }
  return 0;
} catch (const std::exception& e) {
  return fprintf(stderr, "engine_rows: %s\n", e.what()), 1;
}
