// bench_executor.cpp -- what one parallel region costs before any work is done in it. A forward pass runs a handful of
// regions a layer, so this times five times the layers is the floor under one token.
#include <atomic>
#include <cstdint>
#include <string>

#include "puna/base/executor.h"
#include "support/catch.h"

namespace puna {

TEST_CASE("an empty parallel region", "[executor]") {
  for (const int threads : {1, 2, 4}) {
    const auto pool = make_thread_pool(threads, {});
    std::atomic<int64_t> sum{0};
    BENCHMARK("64 tiles, threads: " + std::to_string(threads)) {
      pool->run(64, [&](int64_t i) { sum.fetch_add(i, std::memory_order_relaxed); });
      return sum.load();
    };
  }
}

}  // namespace puna
