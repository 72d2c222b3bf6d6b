// One hash of what an engine says, over every ISA level and 1 to 3 threads: alone, in a batch, from the prefix cache,
// and paused it is the same; and one for requests with adapters of their own, mixed in a batch or alone.
// Tokens and the bits of their log-probabilities count. The hashes are written down in tests/data/determinism.
#include "engine/engine_support.h"
#include "puna/base/error.h"
#include "support/isa.h"
#include "support/written_hash.h"

using namespace puna;
using namespace puna::test;

namespace test_engine_hashes {
namespace {

constexpr uint32_t kRequests = 6;
const SessionOptions kMode{false, 0, 48};

ModelPtr open_with(const char* fixture, const std::string& isa, int threads) {
  ContextOptions options;
  options.isa = isa;
  options.threads = threads;
  return Model::open(make_context(options), text_model(fixture).folder());
}

// Some begin alike, some draw greedily, one has two answers, one is drafted for.
std::vector<EngineRequestOptions> requests_for(const Model& model) {
  const std::vector<int32_t> trunk = made_up_tokens(model, 70, 3);
  std::vector<EngineRequestOptions> all;
  for (uint32_t i = 0; i < kRequests; ++i) {
    EngineRequestOptions r = request_for(model, 5 + 7 * i, 16, i);
    if (i % 2 == 1) r.prompt.tokens.insert(r.prompt.tokens.begin(), trunk.begin(), trunk.end());
    if (i % 3 == 0) r.generate.sampler.temperature = 0;
    r.generate.log_probabilities = 5;
    r.n = i == 4 ? 2 : 1;
    r.generate.lookup_tokens = i == 5 ? 4 : 0;
    all.push_back(std::move(r));
  }
  return all;
}

// What is hashed of a request: each answer's tokens, their likeliest others, and the bits of all log-probabilities.
class Transcript {
 public:
  void add(const EngineEvent& e) {
    if (e.kind != EngineEventKind::token) return;
    std::string& to = answers_[e.answer];
    append(to, e.token);
    for (const TokenProbability& p : e.probabilities) {
      append(to, p.token);
      append(to, p.log_probability);
    }
  }
  std::string bytes() const {
    std::string all;
    for (const auto& [answer, text] : answers_) all += text;
    return all;
  }

 private:
  template <class T>
  static void append(std::string& to, const T& value) {
    to.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  std::map<int32_t, std::string> answers_;
};

struct Said {
  std::string bytes;  // of all requests, in order
  bool finished = true;
  int32_t pauses = 0;
  int64_t least_cached = INT64_MAX;
  uint64_t hash() const { return fnv1a(bytes.data(), bytes.size()); }
};

// Events are read when there is nothing else to do.
Said ask(Engine& engine, const std::vector<EngineRequestOptions>& asked) {
  std::vector<EngineRequestPtr> requests;
  for (const EngineRequestOptions& r : asked) requests.push_back(engine.submit(r));
  std::vector<Transcript> transcripts(asked.size());
  bool all_ended = false;
  for (int turns = 0; !all_ended; ++turns) {
    REQUIRE(turns < 1000);
    for (int i = 0; engine.step(); ++i) REQUIRE(i < 20'000);
    all_ended = true;
    for (size_t i = 0; i < requests.size(); ++i) {
      for (EngineEvent e; requests[i]->next(e);) transcripts[i].add(e);
      all_ended = all_ended && requests[i]->ended();
    }
  }
  Said said;
  for (size_t i = 0; i < requests.size(); ++i) {
    said.bytes += transcripts[i].bytes();
    const EngineRequestInfo info = requests[i]->info();
    said.finished = said.finished && info.outcome == EngineOutcome::finished;
    said.pauses += info.pauses;
    said.least_cached = std::min(said.least_cached, info.cached_tokens);
  }
  return said;
}

Said ask_one_by_one(const ModelPtr& model, const EngineOptions& options,
                    const std::vector<EngineRequestOptions>& asked) {
  Said said;
  for (const EngineRequestOptions& r : asked) {
    Engine engine(model, options);
    const Said one = ask(engine, {r});
    said.bytes += one.bytes;
    said.finished = said.finished && one.finished;
  }
  return said;
}

}  // namespace

TEST_CASE("batch, cache, pauses and mixed adapters have one hash each, over ISA levels and threads", "[engine]") {
  const char* const fixture = GENERATE("text_scout_like", "dense_llama3");
  uint64_t want = 0, want_adapters = 0;
  const std::vector<std::string> levels = supported_isas();
  for (const std::string& isa : levels)
    for (const int threads : {1, 2, 3}) {
      if (threads != 2 && isa != levels.back()) continue;  // how work is divided depends on no level
      CAPTURE(fixture, isa, threads);
      const ModelPtr model = open_with(fixture, isa, threads);
      const std::vector<EngineRequestOptions> asked = requests_for(*model);
      EngineOptions plain;
      plain.session = kMode;
      plain.cache_bytes = 0;
      EngineOptions caching = plain;
      caching.cache_bytes = EngineOptions::kDefaultCache;

      const Said alone = ask_one_by_one(model, plain, asked);
      CHECK(alone.finished);
      if (want == 0) want = alone.hash();
      CHECK(alone.hash() == want);

      Engine batch(model, plain), cached(model, caching);
      CHECK(ask(batch, asked).hash() == want);
      CHECK(ask(cached, asked).hash() == want);
      const Said again = ask(cached, asked);
      CHECK(again.hash() == want);
      CHECK(again.least_cached > 0);

      // Two slots, and readers that are behind: each makes way for the next, loses its pages and comes back.
      EngineOptions narrow = plain;
      narrow.max_running = 2;
      std::vector<EngineRequestOptions> slowly = asked;
      for (EngineRequestOptions& r : slowly) r.max_events = 3;
      Engine slow(model, narrow);
      const Said paused = ask(slow, slowly);
      CHECK(paused.hash() == want);
      CHECK(paused.pauses >= int32_t(kRequests));

      std::vector<AdapterPtr> adapters{nullptr};
      for (uint64_t i = 1; i < 4; ++i) adapters.push_back(made_up_adapter(*model, int64_t(3 * i), i));
      std::vector<EngineRequestOptions> adapted = asked;
      for (size_t i = 0; i < adapted.size(); ++i) {
        if (adapters[i % 4]) adapted[i].adapters = {{adapters[i % 4], 1}};
        if (i == 5) adapted[i].adapters = {{adapters[1], 0.5f}, {adapters[3], -0.25f}};
      }
      const Said each = ask_one_by_one(model, plain, adapted);
      if (want_adapters == 0) want_adapters = each.hash();
      CHECK(each.hash() == want_adapters);
      Engine mixed(model, plain);
      CHECK(ask(mixed, adapted).hash() == want_adapters);
    }
  CHECK(want != want_adapters);
  const std::string name = name_with_weights(text_model(fixture));
  check_written(name + "-engine", hex(want));
  check_written(name + "-engine-adapters", hex(want_adapters));
}

}  // namespace test_engine_hashes
