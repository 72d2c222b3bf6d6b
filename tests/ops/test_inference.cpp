// Stages: every tile exactly once, whatever the threads and wherever a pass pauses; finished stages return at once.
#include "ops/inference.h"

#include <atomic>

#include "ops/pass.h"
#include "support/catch.h"

using namespace puna;
using namespace puna::test;

namespace {

const KernelTable& kernels() { return *select_kernels("scalar"); }

// A pass of stages with these tile counts; each tile records that it ran and that all earlier stages were complete.
struct Stages {
  explicit Stages(std::vector<int64_t> tiles_) : tiles(std::move(tiles_)) {
    for (const int64_t n : tiles) ran.emplace_back(size_t(n));
  }
  void operator()(Inference& rec) {
    for (size_t s = 0; s < tiles.size(); ++s) {
      int64_t* scratch = rec.take<int64_t>(1);
      rec.stage(tiles[s], [&](int64_t tile) {
        if (tile == 0) *scratch = 1;  // is memory of this stage
        ran[s][size_t(tile)].fetch_add(1);
        if (!complete(s)) early = true;
      });
    }
  }
  bool complete(size_t stages) const {
    for (size_t s = 0; s < stages; ++s)
      for (const auto& times : ran[s])
        if (times != 1) return false;
    return true;
  }
  bool good() const { return complete(tiles.size()) && !early; }
  std::vector<int64_t> tiles;
  std::vector<std::vector<std::atomic<int>>> ran;
  std::atomic<bool> early{false};
};

const std::vector<int64_t> kShape = {1, 5, 0, 33, 2, 0, 1, 64};

}  // namespace

TEST_CASE("a pass runs every tile once and each stage behind the one before", "[ops]") {
  for (const int threads : {1, 2, 3}) {
    const auto pool = make_thread_pool(threads, {});
    Stages stages(kShape);
    CHECK(run_pass(kernels(), *pool, true, stages) == 1);
    CHECK(stages.good());
  }
}

TEST_CASE("a pass that is stopped at its n-th question goes on where it was", "[ops]") {
  for (const int threads : {1, 2, 3}) {
    const auto pool = make_thread_pool(threads, {});
    for (int n = 0; n < 130; ++n) {
      Stages stages(kShape);
      std::atomic<int> asked{0};
      const int calls = run_pass(kernels(), *pool, true, stages, [&] { return asked.fetch_add(1) == n; });
      CAPTURE(threads, n, calls);
      CHECK(stages.good());
      CHECK(calls <= 2);
    }
  }
}

TEST_CASE("a pass that is stopped at every second question does one tile a call", "[ops]") {
  const auto pool = make_thread_pool(1, {});
  Stages stages(kShape);
  int asked = 0;
  const int calls = run_pass(kernels(), *pool, true, stages, [&] { return asked++ % 2 == 1; });
  CHECK(stages.good());
  int64_t tiles = 0;
  for (const int64_t n : kShape) tiles += n;
  CHECK(calls >= int(tiles) / 2);
}

TEST_CASE("a pass that is always stopped computes nothing and returns false", "[ops]") {
  const auto pool = make_thread_pool(2, {});
  Stages stages({3, 4});
  alignas(64) std::byte block[1024];
  Cursor cursor;
  for (int i = 0; i < 3; ++i) {
    Arena arena(block, sizeof block);
    Inference rec(kernels(), *pool, arena, cursor, true, [] { return true; });
    stages(rec);
    CHECK_FALSE(rec.finished());
  }
  CHECK((cursor.stage == 0 && cursor.tile == 0));
  for (const auto& stage : stages.ran)
    for (const auto& times : stage) CHECK(times == 0);
}

TEST_CASE("a measuring pass runs no kernel and calls no callback", "[ops]") {
  const auto pool = make_thread_pool(1, {});
  Arena measure;
  Cursor cursor;
  int asked = 0;
  Inference rec(kernels(), *pool, measure, cursor, true, [&] {
    ++asked;
    return true;
  });
  rec.stage(5, [](int64_t) { FAIL("a tile ran"); });
  const View v = rec.make(3, 5);
  CHECK((v.dims[0] == 3 && v.dims[1] == 5 && v.strides[0] == 5));
  CHECK(measure.peak() == 64);
  CHECK(asked == 0);
  CHECK(rec.finished());
  CHECK((cursor.stage == 0 && cursor.tile == 0));
}

TEST_CASE("scratch has the same addresses at every entry", "[ops]") {
  const auto pool = make_thread_pool(1, {});
  std::vector<void*> first;
  int calls = 0, asked = 0;
  size_t wrong = 0;
  run_pass(
      kernels(), *pool, true,
      [&](Inference& rec) {
        std::vector<void*> addresses;
        for (int s = 0; s < 4; ++s) {
          const auto frame = rec.frame();
          addresses.push_back(rec.take<float>(10 + s));
          addresses.push_back(rec.make(2, 3).data);
          rec.stage(3, [](int64_t) {});
        }
        if (++calls == 1) return;  // measuring
        if (calls == 2) first = addresses;
        wrong += addresses != first;
      },
      [&] { return asked++ % 3 == 2; });
  CHECK(calls > 3);
  CHECK(wrong == 0);
}
