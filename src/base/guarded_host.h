// guarded_host.h -- a host's callbacks that run where no exception may pass: in the middle of a parallel region, at the
// start of a thread, while memory is given back. All of them are called through call_host, and an exception out of one
// is the answer that the callback may give anyway: an allocator has no memory, a provider cannot do this product. What
// is called on the caller's own way (on_token, read_at, progress, watches) needs none of this: there an exception
// unwinds to the C boundary, and out of threads in a run through HostAnswer (shared_watch.h).
#pragma once
#include "puna/base/executor.h"
#include "puna/base/gemm_provider.h"

namespace puna {

// False: an exception came out of it.
template <class F>
bool call_host(F&& callback) noexcept {
  try {
    callback();
    return true;
  } catch (...) {
    return false;
  }
}

class GuardedHost {
 public:
  GuardedHost(const HostExecutor& executor, const ThreadHook& hook, const GemmProvider& provider) noexcept
      : executor_(executor), hook_(hook), provider_(provider) {}
  GuardedHost(const GuardedHost&) = delete;  // what it hands out points to it
  GuardedHost& operator=(const GuardedHost&) = delete;

  HostExecutor executor() noexcept;  // parallel_for is NULL when the host's is
  ThreadHook hook() noexcept;
  GemmProvider provider() noexcept;  // functions are NULL where the host's are

 private:
  HostExecutor executor_;
  ThreadHook hook_;
  GemmProvider provider_;
};

}  // namespace puna
