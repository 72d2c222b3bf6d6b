// Random schedules: arrivals, cancels, pauses of readers, memory limits, budgets, threads. Whatever the schedule, an
// answer that finishes is the answer its request gives alone, and one that does not is a beginning of it.
// PUNA_SCHEDULES=N runs about N of them instead of 500, for slow builds:
//   PUNA_SCHEDULES=48 setarch -R build/tsan/bin/test_engine "in 500 random schedules*"
#include <cstdlib>
#include <random>

#include "engine/engine_support.h"
#include "puna/base/error.h"

using namespace puna;
using namespace puna::test;

namespace test_schedules {
namespace {

struct Asked {
  EngineRequestOptions request;
  int adapter = -1;                        // of the model's own; -1 = none
  std::vector<std::vector<int32_t>> want;  // of each answer
};

std::vector<AdapterPtr> make_adapters(const Model& model) {
  return {made_up_adapter(model, 3, 1), made_up_adapter(model, 8, 2)};
}

// Prompts that share beginnings of many lengths.
std::vector<Asked> make_requests(const ModelPtr& model, const std::vector<AdapterPtr>& adapters,
                                 const SessionOptions& mode, const GrammarPtr& grammar) {
  std::vector<Asked> all;
  std::mt19937 random(99);
  const std::vector<int32_t> trunk = made_up_tokens(*model, 200, 1), branch = made_up_tokens(*model, 200, 2);
  for (uint32_t i = 0; i < 40; ++i) {
    Asked a;
    EngineRequestOptions& r = a.request;
    r.prompt.tokens.assign(trunk.begin(), trunk.begin() + std::ptrdiff_t(random() % 120));
    const auto more = std::ptrdiff_t(1 + random() % 60);
    const auto from = std::ptrdiff_t(random() % 3 * 10);
    r.prompt.tokens.insert(r.prompt.tokens.end(), branch.begin() + from, branch.begin() + from + more);
    r.generate.max_tokens = 1 + random() % 40;
    r.generate.ignore_eos = true;
    r.generate.sampler.temperature = i % 3 == 0 ? 0.0f : 0.8f;
    r.generate.sampler.seed = i;
    r.generate.sampler.repetition_penalty = i % 4 == 0 ? 1.1f : 1.0f;
    r.generate.lookup_tokens = i % 2 == 0 ? 4 : 0;
    if (i % 7 == 3 && grammar) {
      r.generate.grammar = grammar;
      r.generate.ignore_eos = false;
    }
    r.n = i % 9 == 5 ? 3 : 1;
    r.key = std::string(1, char('a' + i % 3));
    r.salt = i % 11 == 0 ? "other" : "";
    r.priority = int32_t(i % 4 == 1);
    if (i % 5 == 2) a.adapter = int(i % 2);
    if (a.adapter >= 0) r.adapters = {{adapters[size_t(a.adapter)], 1}};
    for (int32_t n = 0; n < r.n; ++n) a.want.push_back(alone(model, r, mode, n).tokens);
    r.adapters.clear();
    all.push_back(std::move(a));
  }
  return all;
}

struct Counts {
  int64_t finished = 0, cancelled = 0, out_of_memory = 0, pauses = 0, hits = 0, evictions = 0;
};

void run_schedule(const ModelPtr& model, const std::vector<AdapterPtr>& adapters, const std::vector<Asked>& asked,
                  const SessionOptions& mode, uint32_t seed, Counts& counts) {
  std::mt19937 random(seed);
  const auto chance = [&](uint32_t in) { return random() % in == 0; };
  EngineOptions options;
  options.session = mode;
  options.session.prefill_chunk = int64_t(1 + random() % 80);
  options.max_running = int32_t(3 + random() % 12);
  options.cache_bytes = chance(4) ? 0 : chance(3) ? random() % 400'000 : EngineOptions::kDefaultCache;
  options.prompt_share = chance(2) ? 1.0 : 0.1;
  Engine engine(model, options);
  struct Live {
    const Asked* asked;
    EngineRequestPtr request;
    Told told;
  };
  std::vector<Live> live;
  size_t to_come = 5 + random() % 20;
  int steps = 0;
  while (true) {
    while (to_come > 0 && (live.empty() || chance(3))) {
      const Asked& a = asked[random() % asked.size()];
      EngineRequestOptions r = a.request;
      if (a.adapter >= 0) r.adapters = {{adapters[size_t(a.adapter)], 1}};
      r.cache = !chance(8);
      if (chance(4)) r.max_events = int32_t(1 + random() % 5);
      if (chance(20)) r.deadline_us = 1 + random() % 3000;
      live.push_back({&a, engine.submit(r), {}});
      --to_come;
    }
    const bool more = engine.step(chance(3) ? 1 + random() % 300 : 0);
    for (Live& l : live) {
      if (chance(250)) l.request->cancel();
      if (!chance(4)) listen(*l.request, l.told);
    }
    if (chance(200)) engine.clear_cache();
    REQUIRE(++steps < 200'000);
    bool all_ended = to_come == 0;
    for (const Live& l : live) all_ended = all_ended && l.told.ended;
    if (all_ended) break;
    (void)more;
  }
  for (const Live& l : live) {
    const bool finished = l.told.last.outcome == EngineOutcome::finished;
    counts.finished += finished;
    counts.cancelled += l.told.last.outcome == EngineOutcome::cancelled;
    counts.pauses += l.request->info().pauses;
    if (l.told.last.outcome == EngineOutcome::failed) {
      INFO(l.told.last.message);
      REQUIRE(l.told.last.status == Status::out_of_memory);
      ++counts.out_of_memory;
    }
    for (size_t i = 0; i < l.told.tokens.size(); ++i) {
      const std::vector<int32_t>&got = l.told.tokens[i], &want = l.asked->want[i];
      REQUIRE(got.size() <= want.size());
      REQUIRE(std::equal(got.begin(), got.end(), want.begin()));
      if (finished) REQUIRE(got.size() == want.size());
    }
    if (finished) REQUIRE(l.told.tokens.size() == l.asked->want.size());
  }
  const EngineStats s = engine.stats();
  counts.hits += int64_t(s.cache_hits);
  counts.evictions += int64_t(s.cache_evictions);
  CHECK(s.running + s.queued + s.paused == 0);
}

}  // namespace

TEST_CASE("in 500 random schedules every finished answer is what its request gives alone", "[engine]") {
  const ModelPtr model = open_text_model("text_scout_like", 1);
  const SessionOptions mode{false, 0, 64};
  const std::string choices[] = {"yes it is", "no it is not", "perhaps"};
  const GrammarPtr grammar = model->tokenizer() ? grammar_from_choices(choices) : nullptr;
  const std::vector<AdapterPtr> adapters = make_adapters(*model);
  const std::vector<Asked> asked = make_requests(model, adapters, mode, grammar);
  // Room for the model, and for a few of the requests or for many.
  Session probe(model, mode);
  probe.append(asked[0].request.prompt);
  const uint64_t used = model->context().allocator()->used();
  Counts counts;
  const char* const asked_for = std::getenv("PUNA_SCHEDULES");
  const int each = std::max(asked_for ? std::atoi(asked_for) / 12 : 42, 1);
  uint32_t seed = 1;
  for (const int threads : {1, 2, 3})
    for (const uint64_t room : {uint64_t(0), uint64_t(1'200'000), uint64_t(2'500'000), uint64_t(8'000'000)}) {
      const ModelPtr limited = open_text_model("text_scout_like", threads, room == 0 ? 0 : used + room);
      const std::vector<AdapterPtr> own = make_adapters(*limited);
      for (int i = 0; i < each; ++i, ++seed) {
        CAPTURE(threads, room, seed);
        run_schedule(limited, own, asked, mode, seed, counts);
        CHECK(limited->context().allocator()->used() <= used);
      }
    }
  CAPTURE(counts.finished, counts.cancelled, counts.out_of_memory, counts.pauses, counts.hits, counts.evictions);
  CHECK(counts.finished > 48 * each);
  CHECK(counts.pauses > 2 * each);
  CHECK(counts.hits > 12 * each);
  if (each < 42) return;  // rare events need many schedules
  CHECK(counts.cancelled > 200);
  CHECK(counts.evictions > 100);
}

}  // namespace test_schedules
