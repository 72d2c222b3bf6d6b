#include "base/guarded_host.h"

#include <atomic>
#include <thread>

#include "base/fp_env.h"

namespace puna {
namespace {

// Indices are claimed here and not taken from the host, so that after an exception it is known which are left.
struct Region {
  int64_t n;
  void (*task)(void*, int64_t);
  void* data;
  std::atomic<int64_t> next{0}, finished{0};

  bool run_one() noexcept {
    const int64_t i = next.fetch_add(1, std::memory_order_relaxed);
    if (i >= n) return false;
    task(data, i);
    finished.fetch_add(1, std::memory_order_release);
    return true;
  }
};

}  // namespace

HostExecutor GuardedHost::executor() noexcept {
  if (!executor_.parallel_for) return {};
  return {this, executor_.threads, [](void* user, int64_t n, void (*task)(void*, int64_t), void* data) {
            const HostExecutor& host = static_cast<GuardedHost*>(user)->executor_;
            Region region{n, task, data};
            call_host([&] {
              host.parallel_for(
                  host.user, n, [](void* r, int64_t) { static_cast<Region*>(r)->run_one(); }, &region);
            });
            // What is left, after an exception or by a host that returned too early, is done here; what other threads
            // have begun is waited for.
            const FpEnv fp;
            while (region.run_one()) {}
            while (region.finished.load(std::memory_order_acquire) < n) std::this_thread::yield();
          }};
}

ThreadHook GuardedHost::hook() noexcept {
  if (!hook_.on_start) return {};
  return {this, [](void* user, int32_t index) {
            const ThreadHook& host = static_cast<GuardedHost*>(user)->hook_;
            call_host([&] { host.on_start(host.user, index); });
          }};
}

GemmProvider GuardedHost::provider() noexcept {
  GemmProvider guarded{provider_.name, this};
  constexpr int32_t kRefused = 1;
  if (provider_.f32)
    guarded.f32 = [](void* user, int32_t flags, int64_t m, int64_t n, int64_t k, const float* a, int64_t lda,
                     const float* b, int64_t ldb, float* c, int64_t ldc) {
      const GemmProvider& host = static_cast<GuardedHost*>(user)->provider_;
      int32_t result = kRefused;
      call_host([&] { result = host.f32(host.user, flags, m, n, k, a, lda, b, ldb, c, ldc); });
      return result;
    };
  if (provider_.bf16)
    guarded.bf16 = [](void* user, int32_t flags, int64_t m, int64_t n, int64_t k, const uint16_t* a, int64_t lda,
                      const uint16_t* b, int64_t ldb, float* c, int64_t ldc) {
      const GemmProvider& host = static_cast<GuardedHost*>(user)->provider_;
      int32_t result = kRefused;
      call_host([&] { result = host.bf16(host.user, flags, m, n, k, a, lda, b, ldb, c, ldc); });
      return result;
    };
  return guarded;
}

}  // namespace puna
