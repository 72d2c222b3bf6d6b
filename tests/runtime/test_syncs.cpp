// test_syncs.cpp -- how often threads wait for each other while a token is generated: counted, not timed. Small models
// are bound by it.
#include "puna/runtime/session.h"
#include "support/catch.h"
#include "support/golden.h"

using namespace puna;
using namespace puna::test;

TEST_CASE("a generated token costs at most five synchronisations a dense layer", "[runtime]") {
  if (smollm2().empty()) PUNA_SKIP("SmolLM2 is not in the model cache (./dev test fetches it)");
  ContextOptions options;
  options.threads = 2;
  const ModelPtr model = Model::open(make_context(options), smollm2());
  const std::vector<int32_t> ids(40, 28);
  Session session(model, {});
  session.append(std::span(ids));
  const uint64_t before = model->context().executor().shared_runs();
  session.append(std::span(ids).first(1));
  const uint64_t syncs = model->context().executor().shared_runs() - before;
  CHECK(syncs >= uint64_t(model->config().layers));          // it did run in parallel
  CHECK(syncs <= uint64_t(5 * model->config().layers + 1));  // and the vocabulary
}
