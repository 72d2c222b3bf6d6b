// run(n, fn) calls fn once for every index and returns when all have returned: our pool, the host's, alone, nested and
// contended.
#include "puna/base/executor.h"

#include <time.h>

#include <atomic>
#include <chrono>
#include <set>
#include <thread>
#include <vector>

#include "support/catch.h"

using namespace puna;

namespace {

// How often each index was run; anything but once is wrong.
struct Counts {
  explicit Counts(int64_t n) : times(size_t(n)) {}
  void operator()(int64_t i) { times[size_t(i)].fetch_add(1, std::memory_order_relaxed); }
  size_t wrong() const {
    size_t n = 0;
    for (const auto& t : times) n += t != 1;
    return n;
  }
  std::vector<std::atomic<int>> times;
};

size_t wrong_after_run(Executor& e, int64_t n) {
  Counts counts(n);
  e.run(n, counts);
  return counts.wrong();
}

}  // namespace

TEST_CASE("the pool runs each index exactly once, for any number of threads", "[base]") {
  for (const int threads : {1, 2, 3, 8}) {
    const auto pool = make_thread_pool(threads, {});
    CHECK(pool->width() == threads);
    for (const int64_t n : {0, 1, 2, 3, 7, 100, 1000}) {
      CAPTURE(threads, n);
      CHECK(wrong_after_run(*pool, n) == 0);
    }
    size_t wrong = 0;
    for (int i = 0; i < 500; ++i) wrong += wrong_after_run(*pool, i % 5);  // run after run, none lost in between
    CHECK(wrong == 0);
  }
}

TEST_CASE("what fn wrote is there when run returns", "[base]") {
  const auto pool = make_thread_pool(4, {});
  size_t wrong = 0;
  for (int round = 0; round < 200; ++round) {
    std::vector<int64_t> out(16, -1);  // plain memory: the pool orders it
    pool->run(16, [&](int64_t i) { out[size_t(i)] = i + round; });
    for (size_t i = 0; i < 16; ++i) wrong += out[i] != int64_t(i) + round;
  }
  CHECK(wrong == 0);
}

TEST_CASE("a run inside a run is executed inline, by the thread that asked", "[base]") {
  const auto pool = make_thread_pool(3, {});
  for (const int64_t n : {1, 2, 50}) {
    std::atomic<int> elsewhere{0}, total{0};
    pool->run(n, [&](int64_t) {
      const auto self = std::this_thread::get_id();
      pool->run(10, [&](int64_t) {
        elsewhere += std::this_thread::get_id() != self;
        pool->run(2, [&](int64_t) { ++total; });
      });
    });
    CHECK(elsewhere == 0);
    CHECK(total == n * 20);
  }
  CHECK(wrong_after_run(*pool, 100) == 0);  // and the pool is free again
}

TEST_CASE("many threads may call one pool at once", "[base]") {
  const auto pool = make_thread_pool(3, {});
  std::atomic<size_t> wrong{0};
  std::vector<std::thread> callers;
  for (int c = 0; c < 6; ++c)
    callers.emplace_back([&, c] {
      for (int i = 0; i < 300; ++i) wrong += wrong_after_run(*pool, (i + c) % 17);
    });
  for (std::thread& c : callers) c.join();
  CHECK(wrong == 0);
}

TEST_CASE("pool threads call the start hook once each, with distinct indices", "[base]") {
  struct Seen {
    std::atomic<int> starts[8] = {};
  } seen;
  {
    const auto pool =
        make_thread_pool(4, {&seen, [](void* user, int32_t index) { ++static_cast<Seen*>(user)->starts[index]; }});
    CHECK(wrong_after_run(*pool, 1000) == 0);
  }
  for (int i = 0; i < 8; ++i) CHECK(seen.starts[i] == (i >= 1 && i <= 3 ? 1 : 0));  // 0 is the caller
}

TEST_CASE("pools are made and destroyed at any moment", "[base]") {
  for (int i = 0; i < 50; ++i) {
    const auto idle = make_thread_pool(3, {});  // perhaps before its threads have started
    if (i % 2 == 0) CHECK(wrong_after_run(*idle, 5) == 0);
  }
  CHECK(make_thread_pool(0, {})->width() >= 1);  // one a CPU
  CHECK(make_thread_pool(-1, {})->width() >= 1);
}

TEST_CASE("an idle pool uses no processor time", "[base]") {
  const auto pool = make_thread_pool(4, {});
  CHECK(wrong_after_run(*pool, 100) == 0);
  const auto cpu_ms = [] {
    timespec t{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return double(t.tv_sec) * 1e3 + double(t.tv_nsec) * 1e-6;
  };
  std::this_thread::sleep_for(std::chrono::milliseconds(10));  // a short spin behind a run would be allowed
  const double before = cpu_ms();
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  CHECK(cpu_ms() - before < 20);
}

TEST_CASE("the host's parallel_for gets the work, and is spared runs of nothing or one", "[base]") {
  struct Host {
    int calls = 0;
    int64_t last = 0;
  } host;
  HostExecutor functions;
  functions.user = &host;
  functions.threads = 5;
  functions.parallel_for = [](void* user, int64_t n, void (*task)(void*, int64_t), void* data) {
    auto& h = *static_cast<Host*>(user);
    ++h.calls;
    h.last = n;
    std::vector<std::thread> threads;  // a host of the simplest kind: backwards, on two threads
    for (int t = 0; t < 2; ++t)
      threads.emplace_back([=] {
        for (int64_t i = n - 1; i >= 0; --i)
          if (i % 2 == t) task(data, i);
      });
    for (std::thread& t : threads) t.join();
  };
  const auto executor = make_host_executor(functions);
  CHECK(executor->width() == 5);
  for (const int64_t n : {0, 1}) CHECK(wrong_after_run(*executor, n) == 0);
  CHECK(host.calls == 0);
  CHECK(wrong_after_run(*executor, 33) == 0);
  CHECK((host.calls == 1 && host.last == 33));
  functions.threads = 0;
  CHECK(make_host_executor(functions)->width() == 1);
}
