// thread_pool.cpp -- our Executor: threads that sleep until a run, take indices from one counter, and sleep again.
// One run at a time: a second caller, and a run from inside a run, execute inline (same bits, by contract).
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "base/fp_env.h"
#include "base/os.h"
#include "puna/base/executor.h"

namespace puna {
namespace {

void run_inline(int64_t n, FunctionRef<void(int64_t)> fn) noexcept {
  const FpEnv fp;
  for (int64_t i = 0; i < n; ++i) fn(i);
}

class ThreadPool final : public Executor {
 public:
  ThreadPool(int threads, const ThreadHook& hook) {
    try {
      for (int i = 1; i < threads; ++i) workers_.emplace_back([this, i, hook] { work(i, hook); });
    } catch (...) {
      stop();
      throw;
    }
  }
  ~ThreadPool() override { stop(); }

  int width() const noexcept override { return int(workers_.size()) + 1; }

  void run(int64_t n, FunctionRef<void(int64_t)> fn) noexcept override {
    if (taken_.exchange(true, std::memory_order_acquire)) return run_inline(n, fn);
    if (n <= 1 || workers_.empty()) run_inline(n, fn);
    else run_parallel(n, fn);
    taken_.store(false, std::memory_order_release);
  }

 private:
  void run_parallel(int64_t n, FunctionRef<void(int64_t)> fn) noexcept {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      fn_ = fn;
      count_ = n;
      next_.store(0, std::memory_order_relaxed);
      busy_ = int(workers_.size());
      ++generation_;
    }
    wake_.notify_all();
    take_indices();
    std::unique_lock<std::mutex> lock(mutex_);
    done_.wait(lock, [this] { return busy_ == 0; });
  }

  void take_indices() noexcept {
    const FpEnv fp;
    for (int64_t i; (i = next_.fetch_add(1, std::memory_order_relaxed)) < count_;) fn_(i);
  }

  void work(int index, const ThreadHook& hook) noexcept {
    if (hook.on_start) hook.on_start(hook.user, index);
    uint64_t seen = 0;
    for (;;) {
      {
        std::unique_lock<std::mutex> lock(mutex_);
        wake_.wait(lock, [&] { return stopping_ || generation_ != seen; });
        if (stopping_) return;
        seen = generation_;
      }
      take_indices();
      std::lock_guard<std::mutex> lock(mutex_);
      if (--busy_ == 0) done_.notify_one();
    }
  }

  void stop() noexcept {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    for (auto& w : workers_) w.join();
  }

  std::atomic<bool> taken_{false};  // by a run; no mutex, because a thread may ask for one that it holds itself
  std::mutex mutex_;
  std::condition_variable wake_, done_;
  std::vector<std::thread> workers_;
  FunctionRef<void(int64_t)> fn_;
  int64_t count_ = 0;
  std::atomic<int64_t> next_{0};
  uint64_t generation_ = 0;
  int busy_ = 0;
  bool stopping_ = false;
};

class HostPool final : public Executor {
 public:
  explicit HostPool(const HostExecutor& host) : host_(host) {}
  int width() const noexcept override { return host_.threads > 0 ? host_.threads : 1; }
  void run(int64_t n, FunctionRef<void(int64_t)> fn) noexcept override {
    if (n <= 1) return run_inline(n, fn);
    host_.parallel_for(host_.user, n, [](void* data, int64_t i) {
      const FpEnv fp;
      (*static_cast<FunctionRef<void(int64_t)>*>(data))(i);
    }, &fn);
  }

 private:
  HostExecutor host_;
};

}  // namespace

std::unique_ptr<Executor> make_thread_pool(int threads, const ThreadHook& hook) {
  return std::make_unique<ThreadPool>(threads > 0 ? threads : os::cpu_count(), hook);
}

std::unique_ptr<Executor> make_host_executor(const HostExecutor& host) { return std::make_unique<HostPool>(host); }

}  // namespace puna
