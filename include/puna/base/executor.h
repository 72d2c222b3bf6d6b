// executor.h -- parallel loops: run(n, fn) calls fn(0) ... fn(n-1), in any order, on any threads.
// fn is noexcept and never blocks. Our pool and the host's parallel_for both implement it. A run() from inside a
// run() is executed inline. Work is split by problem size, never by width(): the bits must not depend on threads.
#pragma once
#include <atomic>
#include <cstdint>
#include <memory>

#include "puna/base/function_ref.h"

namespace puna {

class Executor {
 public:
  virtual ~Executor() = default;
  virtual int width() const noexcept = 0;  // threads that may run at once, the caller included
  virtual void run(int64_t n, FunctionRef<void(int64_t)> fn) noexcept = 0;
  virtual bool caller_works() const noexcept { return true; }  // false: it may wait while other threads do it all

  // Runs that were shared out, so far: each makes threads wait for each other, which is what small models are bound by.
  uint64_t shared_runs() const noexcept { return shared_runs_.load(std::memory_order_relaxed); }

 protected:
  void count_shared_run() noexcept { shared_runs_.fetch_add(1, std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> shared_runs_{0};
};

// The host's own threads: `parallel_for(user, n, task, task_data)` must call task(task_data, i) once for every i < n
// and return when all have returned.
struct HostExecutor {
  void* user = nullptr;
  int32_t threads = 0;
  void (*parallel_for)(void* user, int64_t n, void (*task)(void* task_data, int64_t i), void* task_data) = nullptr;
};

struct ThreadHook {  // called once on each pool thread as it starts (names, affinity, priority)
  void* user = nullptr;
  void (*on_start)(void* user, int32_t thread_index) = nullptr;
};

// `threads` counts the caller; 0 = one a physical CPU given to this process. Threads sleep when idle.
std::unique_ptr<Executor> make_thread_pool(int threads, const ThreadHook& hook);
std::unique_ptr<Executor> make_host_executor(const HostExecutor& host);

}  // namespace puna
