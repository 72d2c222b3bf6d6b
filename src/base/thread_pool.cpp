// thread_pool.cpp -- our Executor: threads that take indices from one counter, look out for the next run for some
// microseconds, then sleep. No more of them are awake than there are CPUs, however many were asked for. One run at a
// time: a second caller, and a run from inside a run, execute inline (same bits, by contract).
#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "base/fp_env.h"
#include "base/os.h"
#include "puna/base/error.h"
#include "puna/base/executor.h"

namespace puna {
namespace {

void run_inline(int64_t n, FunctionRef<void(int64_t)> fn) noexcept {
  const FpEnv fp;
  for (int64_t i = 0; i < n; ++i) fn(i);
}

class ThreadPool final : public Executor {
 public:
  ThreadPool(int threads, const ThreadHook& hook)
      : looks_(os::cpu_count() > 1 ? 1000 : 0), most_awake_(std::max(1, std::min(threads, os::cpu_count()) - 1)) {
    try {
      for (int i = 1; i < threads; ++i) workers_.emplace_back([this, i, hook] { work(i, hook); });
    } catch (const std::system_error&) {
      const int made = width();
      stop();
      fail(Status::out_of_memory, "the system gives no more than %d of %d threads", made, threads);
    } catch (...) {
      stop();
      throw;
    }
  }
  ~ThreadPool() override { stop(); }

  int width() const noexcept override { return int(workers_.size()) + 1; }

  void run(int64_t n, FunctionRef<void(int64_t)> fn) noexcept override {
    if (taken_.exchange(true, std::memory_order_acquire)) return run_inline(n, fn);
    if (n <= 1 || workers_.empty())
      run_inline(n, fn);
    else
      run_parallel(n, fn);
    taken_.store(false, std::memory_order_release);
  }

 private:
  // One word says whether a run is open, which one it is, and how many workers are inside. The caller closes it when
  // the indices are gone and waits for those inside only: a worker that a busy machine has not woken yet is not waited
  // for.
  static constexpr uint64_t kInside = 0xFFFF, kOpen = kInside + 1, kRun = kOpen * 2;

  void run_parallel(int64_t n, FunctionRef<void(int64_t)> fn) noexcept {
    count_shared_run();
    fn_ = fn;
    count_ = n;
    next_.store(0, std::memory_order_relaxed);
    state_.store((state_.load(std::memory_order_relaxed) | kOpen) + kRun);  // no worker is inside
    if (sleeping_.load() != 0) call(n - 1);
    take_indices();
    state_.fetch_and(~kOpen);
    const auto empty = [this] { return (state_.load() & kInside) == 0; };
    if (look_out(empty)) return;
    std::unique_lock<std::mutex> lock(mutex_);
    caller_sleeps_.store(true);
    done_.wait(lock, empty);
    caller_sleeps_.store(false, std::memory_order_relaxed);
  }

  // Wakes as many as there is work and room for; those awake see the run by themselves.
  void call(int64_t wanted) noexcept {
    std::lock_guard<std::mutex> lock(mutex_);
    const int64_t awake = std::min<int64_t>(wanted, most_awake_);
    for (; sleeping_.load() != 0 && int64_t(workers_.size()) - sleeping_.load() < awake; sleeping_.fetch_sub(1)) {
      ++called_;
      wake_.notify_one();
    }
  }

  void take_indices() noexcept {
    const FpEnv fp;
    for (int64_t i; (i = next_.fetch_add(1, std::memory_order_relaxed)) < count_;) fn_(i);
  }

  // Enters the open run unless it is the one seen last.
  bool enter(uint64_t& seen) noexcept {
    uint64_t state = state_.load();
    while (is_open(state, seen)) {
      if (!state_.compare_exchange_weak(state, state + 1)) continue;
      seen = state / kRun;
      return true;
    }
    return false;
  }

  void leave() noexcept {
    state_.fetch_sub(1);
    if (!caller_sleeps_.load()) return;
    std::lock_guard<std::mutex> lock(mutex_);
    done_.notify_one();
  }

  void work(int index, const ThreadHook& hook) noexcept {
    if (hook.on_start) hook.on_start(hook.user, index);
    for (uint64_t seen = 0;;) {
      while (!look_out([&] { return enter(seen); }))
        if (!sleep_until_called(seen)) return;
      take_indices();
      leave();
    }
  }

  bool is_open(uint64_t state, uint64_t seen) const noexcept { return (state & kOpen) != 0 && state / kRun != seen; }

  // false: the pool is being destroyed
  bool sleep_until_called(uint64_t seen) noexcept {
    std::unique_lock<std::mutex> lock(mutex_);
    sleeping_.fetch_add(1);
    if (is_open(state_.load(), seen)) {  // a run that still took this one for awake
      sleeping_.fetch_sub(1);
      return true;
    }
    wake_.wait(lock, [&] { return stopping_ || called_ > 0; });
    if (stopping_) return false;
    --called_;
    return true;
  }

  // Asks for some tens of microseconds, the time between two stages of a pass. Not at all when there is one CPU: then
  // looking out takes it from the one that is waited for.
  template <class F>
  bool look_out(F&& happened) const noexcept {
    for (int i = 0; i < looks_; ++i) {
      if (happened()) return true;
      os::pause();
    }
    return happened();
  }

  void stop() noexcept {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    for (auto& w : workers_) w.join();
  }

  const int looks_, most_awake_;
  std::atomic<bool> taken_{false};  // by a run; no mutex, because a thread may ask for one that it holds itself
  std::atomic<uint64_t> state_{0};
  std::atomic<int64_t> next_{0};
  std::atomic<int> sleeping_{0};
  std::atomic<bool> caller_sleeps_{false};
  FunctionRef<void(int64_t)> fn_;
  int64_t count_ = 0;
  std::mutex mutex_;
  std::condition_variable wake_, done_;
  int64_t called_ = 0;  // workers that are to wake, and are not counted as sleeping any more
  bool stopping_ = false;
  std::vector<std::thread> workers_;
};

class HostPool final : public Executor {
 public:
  explicit HostPool(const HostExecutor& host) : host_(host) {}
  int width() const noexcept override { return host_.threads > 0 ? host_.threads : 1; }
  bool caller_works() const noexcept override { return false; }
  void run(int64_t n, FunctionRef<void(int64_t)> fn) noexcept override {
    if (n <= 1) return run_inline(n, fn);
    count_shared_run();
    host_.parallel_for(
        host_.user, n,
        [](void* data, int64_t i) {
          const FpEnv fp;
          (*static_cast<FunctionRef<void(int64_t)>*>(data))(i);
        },
        &fn);
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
