// Keys and values in Q8_0: what they cost in memory and in accuracy, one set of bits, and every way a session is kept,
// copied or refused.
#include <algorithm>
#include <cmath>

#include "puna/runtime/plan.h"
#include "puna/runtime/session.h"
#include "puna/runtime/snapshot.h"
#include "support/catch.h"
#include "support/golden.h"
#include "support/isa.h"
#include "support/last_logits.h"

using namespace puna;
using namespace puna::test;

namespace test_kv_type {
namespace {

const char* const kBundled = PUNA_SOURCE_DIR "/examples/bundled/puna-austen.gguf";  // chunks of 64, a head_dim of 32

ModelPtr open_bundled(const std::string& isa = "", int threads = 2) {
  ContextOptions options;
  options.isa = isa;
  options.threads = threads;
  return Model::open(make_context(options), kBundled);
}

SessionOptions options_of(DType type, int64_t piece = 256) {
  SessionOptions o;
  o.kv_type = type;
  o.prefill_chunk = piece;
  return o;
}

std::vector<int32_t> some_ids(int64_t vocab, size_t count) {
  std::vector<int32_t> ids;
  for (size_t i = 0; i < count; ++i) ids.push_back(int32_t((i * 7919 + 11) % size_t(vocab)));
  return ids;
}

std::vector<float> logits(const ModelPtr& model, const SessionOptions& options, const std::vector<int32_t>& ids) {
  Session s(model, options);
  std::vector<float> all(ids.size() * size_t(model->config().vocab));
  s.append(ids, {.logits = all});
  return all;
}

double mean_kl(const std::vector<float>& p, const std::vector<float>& q, size_t vocab) {
  const auto log_total = [&](const float* x) {
    double total = 0, largest = *std::max_element(x, x + vocab);
    for (size_t i = 0; i < vocab; ++i) total += std::exp(double(x[i]) - largest);
    return largest + std::log(total);
  };
  double sum = 0;
  for (size_t at = 0; at < p.size(); at += vocab) {
    const double tp = log_total(p.data() + at), tq = log_total(q.data() + at);
    for (size_t i = at; i < at + vocab; ++i)
      sum += std::exp(double(p[i]) - tp) * (double(p[i]) - tp - double(q[i]) + tq);
  }
  return sum / double(p.size() / vocab);
}

}  // namespace

TEST_CASE("q8_0 keys and values take 34 bytes where f16 takes 64, as planned, and change the distributions little",
          "[runtime]") {
  const ModelPtr model = open_bundled();
  const std::vector<int32_t> ids = some_ids(model->config().vocab, 200);
  Session half(model, options_of(DType::f16)), eighth(model, options_of(DType::q8_0));
  half.append(ids);
  eighth.append(ids);
  CHECK(eighth.kv_bytes() * 64 == half.kv_bytes() * 34);
  PlanOptions plan;
  plan.session = options_of(DType::q8_0);
  plan.positions = 200;
  const Plan q8 = plan_sessions(*model, plan);
  plan.session.kv_type = DType::f16;
  CHECK(q8.kv * 64 == plan_sessions(*model, plan).kv * 34);
  const double kl = mean_kl(logits(model, options_of(DType::f16), ids), logits(model, options_of(DType::q8_0), ids),
                            size_t(model->config().vocab));
  CAPTURE(kl);
  CHECK(kl > 0);
  CHECK(kl < 2e-3);  // measured 3e-4; a scale in the wrong place costs a hundred times as much
}

TEST_CASE("q8_0 sessions have one set of bits: ISA, threads, prefill chunks, batches, steps of one", "[runtime]") {
  std::vector<float> want;
  const std::vector<std::string> levels = supported_isas();
  for (const std::string& isa : levels)
    for (const int threads : {1, 3}) {
      const bool best = isa == levels.back();
      if (threads == 1 && !best) continue;
      const ModelPtr model = open_bundled(isa, threads);
      const std::vector<int32_t> ids = some_ids(model->config().vocab, 150);
      for (const int64_t piece : {1, 7, 64}) {
        if (piece == 1 && !best) continue;
        const std::vector<float> got = logits(model, options_of(DType::q8_0, piece), ids);
        if (want.empty()) want = got;
        CAPTURE(isa, threads, piece);
        CHECK(got == want);
      }
      Session a(model, options_of(DType::q8_0)), b(model, options_of(DType::q8_0));
      Session* sessions[] = {&a, &b};
      const PromptView tokens[] = {std::span(ids).first(9), ids};
      Session::append_batch(sessions, tokens);
      CHECK(last_logits(b) == std::vector<float>(want.end() - model->config().vocab, want.end()));
    }
}

TEST_CASE("q8_0 sessions fork, rewind and come back from snapshots with their bits", "[runtime]") {
  const ModelPtr model = open_bundled();
  const std::vector<int32_t> ids = some_ids(model->config().vocab, 150);
  Session whole(model, options_of(DType::q8_0)), s(model, options_of(DType::q8_0));
  whole.append(ids);
  s.append(std::span(ids).first(100));
  std::vector<std::byte> bytes(snapshot_bytes(s));
  save_snapshot(s, bytes);
  const auto fork = s.fork();
  const auto restored = restore_snapshot(model, bytes);
  for (Session* other : {fork.get(), restored.get()}) {
    other->append(std::span(ids).subspan(100));
    CHECK(last_logits(*other) == last_logits(whole));
    CHECK(other->kv_bytes() == whole.kv_bytes());
  }
  whole.truncate(40);
  whole.append(std::span(ids).subspan(40));
  CHECK(last_logits(whole) == last_logits(*fork));
}

TEST_CASE("q8_0 is refused where it cannot be", "[runtime]") {
  const ModelPtr model = open_bundled();
  SessionOptions exact = options_of(DType::q8_0);
  exact.exact = true;
  CHECK_THROWS_WITH(Session(model, exact), Catch::Contains("exact session"));
  CHECK_THROWS_WITH(Session(model, options_of(DType::q4_0)), Catch::Contains("f16 or q8_0"));
  Session half(model, options_of(DType::f16)), eighth(model, options_of(DType::q8_0));
  Session* sessions[] = {&half, &eighth};
  const std::vector<int32_t> one = {5};
  const PromptView tokens[] = {one, one};
  CHECK_THROWS_WITH(Session::append_batch(sessions, tokens), Catch::Contains("another mode"));
  CHECK(half.length() == 0);
  const auto narrow = goldens([](const Golden& g) {
    return g.fixture().find("dense") != std::string::npos && g.has_file("model.safetensors");
  });
  const ModelPtr small = Model::open(make_context({}), narrow.at(0).folder());
  REQUIRE(small->config().head_dim % 32 != 0);
  CHECK_THROWS_WITH(Session(small, options_of(DType::q8_0)), Catch::Contains("head_dim"));
}

}  // namespace test_kv_type
