// guarded_host.h -- a host's callbacks that run where no exception may pass: in the middle of a parallel region, at the start of a thread.
// They are called through here, and an exception out of them changes nothing for us.
#pragma once
#include "puna/base/executor.h"

namespace puna {

class GuardedHost {
 public:
  GuardedHost(const HostExecutor& executor, const ThreadHook& hook) noexcept : executor_(executor), hook_(hook) {}
  GuardedHost(const GuardedHost&) = delete;  // what it hands out points to it
  GuardedHost& operator=(const GuardedHost&) = delete;

  HostExecutor executor() noexcept;  // parallel_for is NULL when the host's is
  ThreadHook hook() noexcept;

 private:
  HostExecutor executor_;
  ThreadHook hook_;
};

}  // namespace puna
