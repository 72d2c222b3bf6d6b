// Sessions: the same bits alone, in a batch, in pieces, forked, rewound and under flush-to-zero; failures leave them as
// they were.
#include <atomic>
#include <thread>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

#include "puna/base/error.h"
#include "puna/runtime/session.h"
#include "support/catch.h"
#include "support/golden.h"
#include "support/last_logits.h"
#include "support/status.h"

using namespace puna;
using namespace puna::test;

namespace test_session {
namespace {

bool is_text_model(const Golden& g) { return is_text_decoder(g); }

// Tokens far beyond several chunks, from the golden prompt repeated.
std::vector<int32_t> long_prompt(const Golden& g, size_t length) {
  const std::vector<int64_t> ids = g.array("input_ids").i64();
  std::vector<int32_t> tokens;
  for (size_t i = 0; i < length; ++i) tokens.push_back(int32_t(ids[(i * 7 + i / ids.size()) % ids.size()]));
  return tokens;
}

}  // namespace

TEST_CASE("a session gives the same bits alone, in pieces, in a batch, forked and rewound", "[runtime]") {
  const std::vector<Golden> sets = goldens(is_text_model);
  const bool exact = GENERATE(true, false);
  const size_t set = GENERATE_COPY(range(size_t(0), sets.size()));
  {
    const Golden& g = sets[set];
    CAPTURE(g.folder(), exact);
    const ModelPtr model = Model::open(make_context({}), g.folder());
    const std::vector<int32_t> a = long_prompt(g, 150), b = long_prompt(g, 61), tail = {3, 5, 8};
    const SessionOptions options{exact, 0, 64};
    Session alone(model, options);
    alone.append(a);
    const std::vector<float> want = last_logits(alone);

    SECTION("in pieces of any size and with any prefill chunk") {
      for (const size_t piece : {1, 7, 150})
        for (const int64_t chunk : {1, 7, 1000}) {
          Session s(model, {exact, 0, chunk});
          for (size_t i = 0; i < a.size(); i += piece) s.append({a.data() + i, std::min(piece, a.size() - i)});
          CHECK(last_logits(s) == want);
        }
    }
    SECTION("in a batch with other sessions, whatever passes they share") {
      for (const int64_t chunk : {1, 40, 1000}) {
        Session x(model, {exact, 0, chunk}), y(model, {exact, 0, chunk}), y_alone(model, options);
        Session* sessions[] = {&y, &x};
        const PromptView tokens[] = {b, a};
        Session::append_batch(sessions, tokens);
        y_alone.append(b);
        CHECK(last_logits(x) == want);
        CHECK(last_logits(y) == last_logits(y_alone));
      }
    }
    SECTION("forks go their own ways") {
      const std::unique_ptr<Session> fork = alone.fork();
      CHECK(last_logits(*fork) == want);
      fork->append(b);
      alone.append(tail);
      Session again(model, options), other(model, options);
      again.append(a);
      again.append(tail);
      other.append(a);
      other.append(b);
      CHECK(last_logits(alone) == last_logits(again));
      CHECK(last_logits(*fork) == last_logits(other));
    }
    SECTION("rewinding to any length and going on is exact, into dropped chunks too") {
      for (const int64_t length : {0, 1, 15, 16, 17, 100, 127, 128, 129, 144, 149, 150}) {
        CAPTURE(length);
        const std::unique_ptr<Session> s = alone.fork();
        s->truncate(length);
        CHECK(s->length() == length);
        if (length < 150) CHECK(status_of([&] { s->logits(); }) == Status::wrong_state);
        s->append(tail);
        Session fresh(model, options);
        if (length > 0) fresh.append({a.data(), size_t(length)});
        fresh.append(tail);
        CHECK(last_logits(*s) == last_logits(fresh));
        s->truncate(length);  // once more from a rewound session
        s->append(tail);
        CHECK(last_logits(*s) == last_logits(fresh));
      }
    }
#if defined(__x86_64__)
    SECTION("in a host that flushes denormals to zero") {
      const unsigned saved = _mm_getcsr();
      _mm_setcsr(saved | 0x8040);
      Session s(model, options);
      s.append(a);
      CHECK((_mm_getcsr() & 0x8040) == 0x8040);  // and the host's mode is given back
      _mm_setcsr(saved);
      CHECK(last_logits(s) == want);
    }
#endif
  }
}

TEST_CASE("chunked layers drop keys and values that no later position can see", "[runtime]") {
  for (const Golden& g : goldens(is_text_model)) {
    const ModelPtr model = Model::open(make_context({}), g.folder());
    const LlamaConfig& c = model->config();
    Session s(model, {false, 0, 64});
    s.append(long_prompt(g, 600));
    const uint64_t position = uint64_t(2 * c.kv_heads * c.head_dim * 2);  // k and v, f16
    uint64_t most = 0;
    for (int64_t l = 0; l < c.layers; ++l)
      most += position * uint64_t(c.chunked(l) ? c.chunk + c.page_size() : 600 + c.page_size());
    CAPTURE(g.folder(), s.kv_bytes(), most);
    CHECK(s.kv_bytes() <= most);
  }
}

TEST_CASE("a failed append leaves the session as it was", "[runtime]") {
  const Golden g = goldens([](const Golden& s) { return s.fixture() == "text_scout_like"; }).front();
  const ModelPtr model = Model::open(make_context({}), g.folder());
  const std::vector<int32_t> a = long_prompt(g, 100), b = long_prompt(g, 40);
  Session want(model, {});
  want.append(a);
  const std::vector<float> before = last_logits(want);
  want.append(b);

  Session s(model, {false, 140, 16});
  CHECK(status_of([&] { s.logits(); }) == Status::wrong_state);
  s.append(a);
  const std::vector<int32_t> bad = {1, int32_t(model->config().vocab)}, negative = {-1}, many(41, 1);
  CHECK(status_of([&] { s.append(bad); }) == Status::invalid_argument);
  CHECK(status_of([&] { s.append(negative); }) == Status::invalid_argument);
  CHECK(status_of([&] { s.append(std::span<const int32_t>()); }) == Status::invalid_argument);
  CHECK(status_of([&] { s.append(many); }) == Status::context_full);
  s.cancel();
  CHECK(status_of([&] { s.append(b); }) == Status::cancelled);
  CHECK(s.length() == 100);
  CHECK(last_logits(s) == before);
  s.append(b);
  CHECK(last_logits(s) == last_logits(want));
}

TEST_CASE("running out of memory in an append leaves the session as it was", "[runtime]") {
  const Golden g = goldens([](const Golden& s) { return s.fixture() == "text_scout_like"; }).front();
  struct Host {
    std::atomic<int64_t> left{INT64_MAX};
    static void* alloc(void* user, size_t bytes, size_t alignment) {
      if (static_cast<Host*>(user)->left.fetch_sub(1) <= 0) return nullptr;
      return std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
    }
    static void free(void*, void* memory, size_t) { std::free(memory); }
  } host;
  ContextOptions options;
  options.allocator = {&host, Host::alloc, Host::free};
  const ModelPtr model = Model::open(make_context(options), g.folder());
  const std::vector<int32_t> a = long_prompt(g, 100), b = long_prompt(g, 60);
  Session want(model, {});
  want.append(a);
  want.append(b);
  int failures = 0;
  for (int64_t n = 0;; ++n) {
    host.left = INT64_MAX;
    Session s(model, {false, 0, 16});
    s.append(a);
    host.left = n;
    const Status status = status_of([&] { s.append(b); });
    host.left = INT64_MAX;
    if (status == Status::ok) break;
    REQUIRE(status == Status::out_of_memory);
    ++failures;
    REQUIRE(s.length() == 100);
    s.append(b);
    REQUIRE(last_logits(s) == last_logits(want));
  }
  CHECK(failures > 5);
}

TEST_CASE("cancel from another thread ends a long append and the session goes on", "[runtime]") {
  const Golden g = goldens([](const Golden& s) { return s.fixture() == "text_scout_like"; }).front();
  const ModelPtr model = Model::open(make_context({}), g.folder());
  Session s(model, {false, 0, 8});
  const std::vector<int32_t> a = long_prompt(g, 1000);
  std::atomic<bool> started{false};
  std::thread canceller([&] {
    while (!started) std::this_thread::yield();
    s.cancel();
  });
  started = true;
  const Status status = status_of([&] {
    for (;;) {
      s.append(a);
      s.truncate(0);
    }
  });
  canceller.join();
  CHECK(status == Status::cancelled);
  CHECK(s.length() == 0);
  s.append({a.data(), 5});
  CHECK(s.length() == 5);
}

}  // namespace test_session
