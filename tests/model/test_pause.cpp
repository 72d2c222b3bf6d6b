// A forward paused between any two tiles and resumed gives the bits of one that was not (docs/architecture.md, section
// 7).
#include <algorithm>
#include <atomic>

#include "ops/pass.h"
#include "ref/compare.h"
#include "support/catch.h"
#include "support/golden.h"
#include "support/run_model.h"

using namespace puna;
using namespace puna::test;

namespace test_pause {
namespace {

bool is_llama4_text(const Golden& g) {
  return g.has("logits") && g.has("embeddings") && g.has("router_experts") &&
         read_text(g.folder() + "/config.json").find("llama4") != std::string::npos;
}

struct Result {
  std::vector<float> logits;
  int calls = 0;
};

// The prompt, then one more token over the pages the prompt left.
Result run_paused(const LoadedLlama& m, Executor& executor, std::span<const int64_t> ids, bool exact,
                  FunctionRef<bool()> stop) {
  Result r;
  KvCache cache = new_cache(m, exact);
  const int64_t V = m.llama.config.vocab, prompt = int64_t(ids.size()) - 1;
  for (const auto& [begin, end] : {std::pair<int64_t, int64_t>{0, prompt}, {prompt, prompt + 1}}) {
    Batch b;
    b.sequences.push_back(&cache);
    cache.prepare(begin, end);
    for (int64_t p = begin; p < end; ++p) b.rows.push_back({0, p, int32_t(ids[size_t(p)]), nullptr});
    for (int64_t i = 0; i < end - begin; ++i) b.wanted.push_back(i);
    std::vector<float> logits(size_t((end - begin) * V), -1.0f);
    const View out(logits.data(), DType::f32, {end - begin, V});
    r.calls += run_pass(
        m.context->kernels(), executor, exact, [&](Inference& rec) { forward(rec, m.llama, b, out); }, stop);
    cache.commit(end);
    r.logits.insert(r.logits.end(), logits.begin(), logits.end());
  }
  return r;
}

}  // namespace

TEST_CASE("a forward that pauses after every single tile gives the same bits", "[model][golden]") {
  for (const Golden& g : goldens(is_llama4_text)) {
    INFO("golden set " << g.folder());
    const LoadedLlama m = load_llama(g.folder());
    const std::vector<int64_t> all = g.array("input_ids").i64(),
                               ids(all.begin(), all.begin() + std::min<std::ptrdiff_t>(20, std::ssize(all)));
    const auto one = make_thread_pool(1, {});
    for (const bool exact : {true, false}) {
      const Result want = run_paused(m, *one, ids, exact, {});
      CHECK(want.calls == 2);
      int asked = 0;
      const Result got = run_paused(m, *one, ids, exact, [&] { return asked++ % 2 == 1; });
      CAPTURE(asked);
      CHECK(got.calls > asked / 4);  // a pause behind a stage's last tile is none
      CHECK(ref::differing(got.logits, want.logits) == 0);
    }
  }
}

TEST_CASE("a forward paused once, anywhere, with any number of threads, gives the same bits", "[model][golden]") {
  for (const Golden& g : goldens(is_llama4_text)) {
    INFO("golden set " << g.folder());
    const LoadedLlama m = load_llama(g.folder());
    const std::vector<int64_t> all = g.array("input_ids").i64(), ids(all.begin(), all.begin() + 4);
    for (const bool exact : {true, false})
      for (const int threads : {1, 3}) {
        const auto pool = make_thread_pool(threads, {});
        std::atomic<int> questions{0};
        const Result want = run_paused(m, *pool, ids, exact, [&] {
          ++questions;
          return false;
        });
        const int step =
            threads == 1 ? 7
                         : 101;  // 7 divides no panel count: over the sets, every kind of stage is met at every phase
        size_t wrong = 0;
        int paused = 0;
        for (int n = 0; n < questions; n += step) {
          std::atomic<int> asked{0};
          const Result got = run_paused(m, *pool, ids, exact, [&] { return asked++ == n; });
          wrong += ref::differing(got.logits, want.logits) != 0;
          paused += got.calls == 3;
        }
        CAPTURE(exact, threads, questions.load(), paused);
        CHECK(wrong == 0);
        if (threads == 1) CHECK(paused > questions / step / 2);  // a pause behind a stage's last tile is none
      }
  }
}

TEST_CASE("other passes may run while one is paused", "[model][golden]") {
  for (const Golden& g : goldens(is_llama4_text)) {
    const LoadedLlama m = load_llama(g.folder());
    const std::vector<int64_t> all = g.array("input_ids").i64();
    const std::ptrdiff_t n = std::min<std::ptrdiff_t>(6, std::ssize(all) / 2);
    const std::vector<int64_t> ids(all.begin(), all.begin() + n), others(all.begin() + n, all.begin() + 2 * n);
    const auto pool = make_thread_pool(2, {});
    const Result want = run_paused(m, *pool, ids, false, {}), want_other = run_paused(m, *pool, others, false, {});
    const auto inner = make_thread_pool(1, {});
    int questions = 0;
    run_paused(m, *inner, ids, false, [&] { return ++questions, false; });
    const int step = std::max(1, questions / 16) |
                     1;  // some pauses fall behind a stage's last tile and are none, but not all of them
    int asked = 0;
    size_t wrong = 0;
    const Result got = run_paused(m, *inner, ids, false, [&] {
      if (asked++ % step != step - 1) return false;
      wrong += ref::differing(run_paused(m, *pool, others, false, {}).logits, want_other.logits) != 0;
      return true;
    });
    CAPTURE(questions, step);
    CHECK(got.calls > 2);
    CHECK(wrong == 0);
    CHECK(ref::differing(got.logits, want.logits) == 0);
  }
}

}  // namespace test_pause
