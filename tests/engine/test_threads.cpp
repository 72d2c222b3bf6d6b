// Many threads at one engine: they submit, read slowly, cancel and look at it while its own thread steps, starts and
// stops. Under ThreadSanitizer (cmake --preset tsan) this is the test of who may touch what.
#include <atomic>
#include <chrono>
#include <random>
#include <thread>

#include "engine/engine_support.h"
#include "puna/base/error.h"

using namespace puna;
using namespace puna::test;

namespace test_engine_threads {
namespace {

constexpr uint32_t kUsers = 4, kRequests = 16, kKinds = 6;

EngineRequestOptions request_of(const Model& model, uint32_t kind) {
  EngineRequestOptions r;
  r.prompt.tokens = made_up_tokens(model, 90, 1);  // all begin alike: their pages are shared
  r.prompt.tokens.resize(20 + 10 * kind);
  r.prompt.tokens.push_back(int32_t(kind));
  r.generate.max_tokens = 10;
  r.generate.ignore_eos = true;
  r.generate.sampler.temperature = 1;
  r.generate.sampler.seed = kind;
  r.n = kind % 3 == 2 ? 2 : 1;
  return r;
}

struct Counts {
  std::atomic<int> finished{0}, cancelled{0}, busy{0}, wrong{0};
};

// One user: a request after the other, some cancelled by another thread, some left by closing their handle.
void use(Engine& engine, uint32_t seed, const std::vector<std::vector<std::vector<int32_t>>>& want, Counts& counts) {
  std::mt19937 random(seed);
  for (uint32_t i = 0; i < kRequests; ++i) {
    const uint32_t kind = uint32_t(random()) % kKinds;
    EngineRequestOptions o = request_of(*engine.model(), kind);
    o.max_events = int32_t(1 + random() % 4);
    o.key = std::string(1, char('a' + seed % 3));
    if (random() % 8 == 0) o.deadline_us = 1 + random() % 5000;
    std::atomic<int> heard{0};
    const bool calls = random() % 4 == 0;
    if (calls)
      o.on_event = [&heard](const EngineEvent&) {
        ++heard;
        return true;
      };
    EngineRequestPtr r;
    while (!r) {
      try {
        r = engine.submit(o);
      } catch (const Error& e) {
        if (e.status() != Status::busy) ++counts.wrong;
        ++counts.busy;
        std::this_thread::sleep_for(std::chrono::microseconds(std::min<uint64_t>(engine.retry_after_us(), 2000)));
      }
    }
    std::thread canceller;
    if (random() % 3 == 0)
      canceller = std::thread([r, after = random() % 3000] {
        std::this_thread::sleep_for(std::chrono::microseconds(after));
        r->cancel();
      });
    std::vector<std::vector<int32_t>> tokens(size_t(o.n));
    EngineEvent e;
    if (calls) {
      while (!r->ended()) std::this_thread::sleep_for(std::chrono::microseconds(200));
    } else {
      while (true) {
        if (!r->next(e, random() % 2 == 0 ? UINT64_MAX : 500)) continue;
        if (e.kind == EngineEventKind::ended) break;
        if (e.kind == EngineEventKind::token) tokens[size_t(e.answer)].push_back(e.token);
        if (random() % 4 == 0) std::this_thread::sleep_for(std::chrono::microseconds(random() % 500));
      }
    }
    if (canceller.joinable()) canceller.join();
    const EngineOutcome outcome = r->info().outcome;
    counts.finished += outcome == EngineOutcome::finished;
    counts.cancelled += outcome == EngineOutcome::cancelled;
    if (outcome == EngineOutcome::failed) ++counts.wrong;
    if (outcome != EngineOutcome::finished) continue;
    const std::vector<EngineAnswer> answers = r->answers();
    for (size_t a = 0; a < answers.size(); ++a)
      if (answers[a].result.tokens != want[kind][a] || (!calls && tokens[a] != want[kind][a])) ++counts.wrong;
  }
}

}  // namespace

TEST_CASE("many threads submit, read slowly and cancel while the engine runs, stops and starts", "[engine][threads]") {
  const ModelPtr model = open_text_model("text_scout_like");
  EngineOptions options;
  options.session.prefill_chunk = 24;
  options.max_running = 5;
  options.max_queued = 3;
  options.cache_bytes = 300'000;  // evicts all the time
  std::vector<std::vector<std::vector<int32_t>>> want(kKinds);
  for (uint32_t k = 0; k < kKinds; ++k)
    for (int32_t n = 0; n < request_of(*model, k).n; ++n)
      want[k].push_back(alone(model, request_of(*model, k), options.session, n).tokens);
  Engine engine(model, options);
  engine.start();
  Counts counts;
  std::atomic<uint32_t> busy_users{kUsers};
  std::vector<std::thread> users;
  for (uint32_t u = 0; u < kUsers; ++u)
    users.emplace_back([&, u] {
      use(engine, u, want, counts);
      --busy_users;
    });
  for (uint32_t round = 0; busy_users > 0; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(3));
    switch (round % 4) {
      case 0:
        engine.stop();
        engine.start();
        break;
      case 1: CHECK(engine.stats().running <= 5); break;
      case 2: engine.clear_cache(); break;
      case 3: (void)engine.save_cache(); break;
    }
  }
  for (std::thread& u : users) u.join();
  CHECK(counts.wrong == 0);
  CHECK(counts.finished > 0);
  CHECK(counts.cancelled > 0);
  const EngineStats s = [&] {
    engine.stop();
    engine.step();
    return engine.stats();
  }();
  CHECK(s.running + s.queued + s.paused == 0);
  CHECK(s.submitted == s.finished + s.cancelled + s.timed_out + s.failed);
  CHECK(s.submitted == kUsers * kRequests);
}

TEST_CASE("an engine that is closed while it runs ends every request, and their handles stay good",
          "[engine][threads]") {
  const ModelPtr model = open_text_model("text_scout_like");
  for (int after = 0; after < 8; ++after) {
    auto engine = std::make_unique<Engine>(model, EngineOptions{});
    engine->start();
    std::vector<EngineRequestPtr> requests;
    for (uint32_t i = 0; i < 6; ++i) {
      EngineRequestOptions o = request_of(*model, i);
      o.generate.max_tokens = 200;
      requests.push_back(engine->submit(o));
    }
    std::vector<std::thread> readers;
    std::atomic<int> ended{0};
    for (const EngineRequestPtr& r : requests)
      readers.emplace_back([r, &ended] {
        EngineEvent e;
        while (r->next(e, UINT64_MAX)) {}
        ended += r->ended();
      });
    std::this_thread::sleep_for(std::chrono::milliseconds(2 * after));
    engine.reset();
    for (std::thread& t : readers) t.join();
    CHECK(ended == 6);
    requests[0]->cancel();
  }
}

}  // namespace test_engine_threads
