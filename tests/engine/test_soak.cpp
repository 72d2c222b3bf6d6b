// Many requesters at one engine for a while: grammars, adapters, several answers, slow readers, random cancels and
// deadlines. Afterwards there was no error, the memory is what it was, and a process that waits uses no CPU.
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <random>
#include <thread>

#include "engine/engine_support.h"
#include "puna/base/error.h"

using namespace puna;
using namespace puna::test;

namespace test_engine_soak {
namespace {

constexpr uint32_t kRequesters = 24, kRequests = 200, kKinds = 18;

uint64_t resident_bytes() {
  unsigned long size = 0, resident = 0;
  FILE* const f = fopen("/proc/self/statm", "r");
  if (!f || fscanf(f, "%lu %lu", &size, &resident) != 2) resident = 0;
  if (f) fclose(f);
  return uint64_t(resident) * uint64_t(sysconf(_SC_PAGESIZE));
}

double cpu_seconds() {
  rusage u{};
  getrusage(RUSAGE_SELF, &u);
  return double(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + 1e-6 * double(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

struct Shop {  // what requests are made of
  ModelPtr model;
  GrammarPtr json = grammar_from_any_json(), words = grammar_from_regex("[a-z]{3,9}( [a-z]{2,12}){0,5}\\.");
  std::vector<AdapterPtr> adapters;

  EngineRequestOptions request(uint32_t kind) const {
    static const char* const kOpenings[] = {"It is a truth universally acknowledged, that", "Emma Woodhouse, handsome,",
                                            "It is a truth universally denied, and"};
    EngineRequestOptions r;
    r.prompt.tokens = encode_prompt(model->require_tokenizer(), kOpenings[kind % 3], false);
    r.generate.max_tokens = 6 + 7 * int64_t(kind % 5);
    r.generate.sampler.temperature = kind % 2 == 0 ? 0.0f : 0.9f;
    r.generate.sampler.seed = kind;
    switch (kind % 6) {
      case 0: r.generate.grammar = json; break;
      case 1:
        r.generate.grammar = words;
        r.generate.close_answer = true;
        break;
      case 2: r.generate.lookup_tokens = 5; break;
      case 3: r.n = 3; break;
      case 4: r.generate.stop_strings = {"e", ", a"}; break;
      case 5: r.generate.log_probabilities = 3; break;
    }
    if (kind % 4 != 0) r.adapters = {{adapters[kind % adapters.size()], 1}};
    return r;
  }
};

struct Counts {
  std::atomic<int> finished{0}, cancelled{0}, timed_out{0}, wrong{0}, done{0};
};

void use(Engine& engine, const Shop& shop, uint32_t seed, const std::vector<std::vector<std::vector<int32_t>>>& want,
         Counts& counts) {
  std::mt19937 random(seed);
  for (uint32_t i = 0; i < kRequests; ++i) {
    const uint32_t kind = uint32_t(random()) % kKinds;
    EngineRequestOptions o = shop.request(kind);
    o.key = std::string(1, char('a' + seed % 5));
    o.max_events = int32_t(random() % 3 == 0 ? 1 + random() % 4 : 1024);
    if (random() % 12 == 0) o.deadline_us = 1 + random() % 100'000;
    const bool cancels = random() % 6 == 0, slow = random() % 10 == 0;
    uint32_t events = uint32_t(random() % 20);
    const EngineRequestPtr r = engine.submit(std::move(o));
    EngineEvent e;
    while (r->next(e, UINT64_MAX)) {
      if (cancels && events-- == 0) r->cancel();
      if (slow) std::this_thread::sleep_for(std::chrono::microseconds(random() % 2000));
    }
    ++counts.done;
    switch (r->info().outcome) {
      case EngineOutcome::cancelled: ++counts.cancelled; continue;
      case EngineOutcome::deadline: ++counts.timed_out; continue;
      case EngineOutcome::failed: ++counts.wrong; continue;
      case EngineOutcome::finished: ++counts.finished;
    }
    const std::vector<EngineAnswer> answers = r->answers();
    if (answers.size() != want[kind].size()) ++counts.wrong;
    for (size_t a = 0; a < std::min(answers.size(), want[kind].size()); ++a)
      if (answers[a].result.tokens != want[kind][a]) ++counts.wrong;
  }
}

}  // namespace

TEST_CASE("24 requesters of 200 requests each: no error, flat memory, and nothing to do costs nothing",
          "[engine][slow]") {
  const std::string path = PUNA_SOURCE_DIR "/examples/bundled/puna-austen.gguf";
  const uint64_t bare = Model::open(make_context({}), path)->context().allocator()->used();
  ContextOptions limited;
  limited.threads = 2;
  limited.memory_limit = bare + (uint64_t(24) << 20);
  Shop shop;
  shop.model = Model::open(make_context(limited), path);
  for (uint64_t i = 0; i < 4; ++i) shop.adapters.push_back(made_up_adapter(*shop.model, 8, i, 0.02f));
  std::vector<std::vector<std::vector<int32_t>>> want(kKinds);
  for (uint32_t k = 0; k < kKinds; ++k)
    for (int32_t n = 0; n < shop.request(k).n; ++n) want[k].push_back(alone(shop.model, shop.request(k), {}, n).tokens);
  const Allocator& memory = *shop.model->context().allocator();
  const uint64_t before = memory.used();
  {
    EngineOptions options;
    options.max_running = 12;
    Engine engine(shop.model, options);
    engine.start();
    Counts counts;
    std::vector<std::thread> requesters;
    for (uint32_t u = 0; u < kRequesters; ++u) requesters.emplace_back([&, u] { use(engine, shop, u, want, counts); });
    uint64_t half = 0;
    while (counts.done < int(kRequesters * kRequests)) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      if (half == 0 && counts.done >= int(kRequesters * kRequests / 2)) half = resident_bytes();
    }
    const uint64_t end = resident_bytes();
    for (std::thread& t : requesters) t.join();
    const EngineStats s = engine.stats();
    CAPTURE(counts.finished.load(), counts.cancelled.load(), counts.timed_out.load(), half, end, s.pauses);
    CHECK(counts.wrong == 0);
    CHECK(counts.finished > 3000);
    CHECK(counts.cancelled > 200);
    CHECK(s.submitted == kRequesters * kRequests);
    CHECK(end <= half + (uint64_t(8) << 20));

    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    const double busy = cpu_seconds();
    std::this_thread::sleep_for(std::chrono::seconds(3));
    CHECK(cpu_seconds() - busy < 0.003);
    WARN("finished " << counts.finished << ", cancelled " << counts.cancelled << ", too late " << counts.timed_out
                     << ", pauses " << s.pauses << ", cache hits " << s.cache_hits << ", resident half way "
                     << (half >> 20) << " MB, at the end " << (end >> 20) << " MB");
  }
  CHECK(memory.used() == before);
}

}  // namespace test_engine_soak
