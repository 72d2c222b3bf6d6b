// Adapters mixed in one batch: each request answers as it does alone with its own.
#include <cmath>

#include "engine/engine_support.h"
#include "puna/base/error.h"

using namespace puna;
using namespace puna::test;

namespace test_engine_adapters {
namespace {

// [rank, columns] or [rows, rank] as panels of 16 rows hold them.
float& at(const Adapter::Block& b, int64_t cols, int64_t row, int64_t col) {
  return b.values[row / 16 * cols * 16 + col * 16 + row % 16];
}

}  // namespace

TEST_CASE("adapters mixed in a batch: each request answers as alone with its own", "[engine]") {
  const char* const fixture = GENERATE("text_scout_like", "text_maverick_like", "dense_llama3");
  const bool exact = GENERATE(false, true);
  const uint64_t budget = GENERATE(0, 1);  // whole passes, or left after a tile and gone on with
  CAPTURE(fixture, exact, budget);
  const ModelPtr model = open_text_model(fixture);
  EngineOptions options;
  options.session = {exact, 0, 48};
  Engine engine(model, options);
  std::vector<AdapterPtr> adapters{nullptr};
  for (uint64_t i = 1; i < 4; ++i) adapters.push_back(made_up_adapter(*model, int64_t(3 * i), i));
  std::vector<EngineRequestOptions> asked;
  std::vector<EngineRequestPtr> requests;
  for (uint32_t i = 0; i < 9; ++i) {
    EngineRequestOptions r = request_for(*model, 5 + 11 * i, 8 + i, i % 3);
    if (const AdapterPtr& a = adapters[i % 4]) r.adapters = {{a, 1}};
    asked.push_back(r);
    requests.push_back(engine.submit(r));
  }
  while (engine.step(budget)) {}
  bool differ = false;
  for (size_t i = 0; i < requests.size(); ++i) {
    CAPTURE(i);
    Told told;
    listen(*requests[i], told);
    CHECK(told.last.message == "");
    CHECK(told.tokens.at(0) == alone(model, asked[i], options.session).tokens);
    EngineRequestOptions plain = asked[i];
    plain.adapters.clear();
    differ = differ || told.tokens.at(0) != alone(model, plain, options.session).tokens;
  }
  CHECK(differ);  // the adapters do change what is said
}

TEST_CASE("a weighted mix of adapters is the adapter that has both, and is itself in any company", "[engine]") {
  const ModelPtr model = open_text_model("dense_llama3");
  const auto first = made_up_adapter(*model, 4, 1, 0.1f), second = made_up_adapter(*model, 6, 2, 0.1f),
             both = made_up_adapter(*model, 10, 3);
  const float weights[] = {0.75f, -1.5f};
  for (size_t i = 0; i < both->blocks().size(); ++i) {
    const Adapter::Block &a = first->blocks()[i], &b = second->blocks()[i], &to = both->blocks()[i];
    if (i % 2 == 0) {  // A
      const int64_t cols = to.count / 16;
      for (int64_t c = 0; c < cols; ++c)
        for (int64_t r = 0; r < 10; ++r) at(to, cols, r, c) = r < 4 ? at(a, cols, r, c) : at(b, cols, r - 4, c);
    } else {
      for (int64_t row = 0; row < to.count / 10; ++row)
        for (int64_t r = 0; r < 10; ++r)
          at(to, 10, row, r) = r < 4 ? weights[0] * at(a, 4, row, r) : weights[1] * at(b, 6, row, r - 4);
    }
  }
  EngineOptions options;
  options.session.exact = true;
  EngineRequestOptions mixed = request_for(*model, 30, 6, 5), merged = mixed, other = request_for(*model, 12, 9, 6);
  mixed.generate.sampler.temperature = merged.generate.sampler.temperature = 0;
  mixed.generate.log_probabilities = merged.generate.log_probabilities = 5;
  mixed.adapters = {{first, weights[0]}, {second, weights[1]}};
  merged.adapters = {{both, 1}};
  other.adapters = {{second, 1}};
  Engine engine(model, options);
  const auto probabilities = [&](const EngineRequestOptions& r, std::vector<TokenProbability>& all) {
    const EngineRequestPtr request = engine.submit(r);
    Told told;
    EngineEvent e;
    while (engine.step()) {}
    while (request->next(e)) all.insert(all.end(), e.probabilities.begin(), e.probabilities.end());
  };
  std::vector<TokenProbability> mix, one, again;
  probabilities(mixed, mix);
  probabilities(merged, one);
  const EngineRequestPtr company = engine.submit(other), more = engine.submit(request_for(*model, 40, 20, 8));
  engine.clear_cache();
  probabilities(mixed, again);
  REQUIRE(mix.size() == 30);
  REQUIRE(one.size() == mix.size());
  REQUIRE(again.size() == mix.size());
  for (size_t i = 0; i < mix.size(); ++i) {
    CHECK(mix[i].token == again[i].token);
    CHECK(mix[i].log_probability == again[i].log_probability);
    CHECK(mix[i].token == one[i].token);
    CHECK(std::abs(mix[i].log_probability - one[i].log_probability) < 1e-4);
  }
}

TEST_CASE("an adapter's prefixes are its own, and go when nobody holds it", "[engine]") {
  const ModelPtr model = open_text_model("dense_llama3");
  Engine engine(model, {});
  AdapterPtr adapter = made_up_adapter(*model, 4, 1);
  EngineRequestOptions r = request_for(*model, 150, 3, 5);
  run(engine, *engine.submit(r));
  r.adapters = {{adapter, 1}};
  EngineRequestPtr first = engine.submit(r);
  run(engine, *first);
  CHECK(first->info().cached_tokens == 0);
  EngineRequestPtr second = engine.submit(r);
  CHECK(run(engine, *second).tokens.at(0) == alone(model, r, {}).tokens);
  CHECK(second->info().cached_tokens == 149);
  const uint64_t with = engine.stats().cache_bytes;
  r.adapters.clear();
  adapter.reset();
  engine.step();
  CHECK(engine.stats().cache_bytes == with);  // the requests' handles hold it
  first.reset();
  second.reset();
  engine.step();
  CHECK(engine.stats().cache_bytes < with);
}

}  // namespace test_engine_adapters
