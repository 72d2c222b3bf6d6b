// context.h -- threads, instruction set, memory limit and log, chosen once by the host. There is no global state.
// Shared by models and sessions, which keep it alive. Thread-safe after construction.
#pragma once
#include <cstdint>
#include <memory>
#include <string>

#include "puna/base/allocator.h"
#include "puna/base/executor.h"
#include "puna/base/gemm_provider.h"
#include "puna/base/logger.h"

namespace puna {

struct KernelTable;  // src/kernels/kernel_table.h
class GuardedHost;   // src/base/guarded_host.h

struct ContextOptions {
  int threads = 0;            // 0 = one a CPU given to this process; ignored with a host executor
  std::string isa;            // "" = the best this CPU has; or scalar avx2 avxvnni avx512 avx512vnni neon
  uint64_t memory_limit = 0;  // bytes through the allocator; 0 = none
  AllocatorFunctions allocator;
  HostExecutor executor;
  ThreadHook thread_hook;
  Logger logger;
  GemmProvider provider;  // for training, and for what allow_providers says; a table without functions = none
  AllowProviders allow_providers = AllowProviders::never;
};

class Context {
 public:
  Context(const ContextOptions& options, const KernelTable& kernels);
  // The same memory, kernels and log with another executor, for as long as `base` lives.
  Context(const Context& base, std::unique_ptr<Executor> executor);
  ~Context();

  const KernelTable& kernels() const noexcept { return *kernels_; }
  const std::shared_ptr<Allocator>& allocator() const noexcept { return allocator_; }
  Executor& executor() const noexcept { return *executor_; }
  const Logger& logger() const noexcept { return logger_; }
  // What sessions in default mode and the vision encoder may use, and what training may.
  GemmPermission permission() const noexcept { return allowed(allow_providers_); }
  GemmPermission allowed(AllowProviders most) const noexcept;

  Buffer allocate(size_t bytes, const char* purpose) const { return Buffer(allocator_, bytes, purpose); }
  // Threads do not survive fork(): a handle used in a forked child is Error{wrong_state}, never a hang.
  void require_same_process() const;

 private:
  const KernelTable* kernels_;
  std::shared_ptr<Allocator> allocator_;
  Logger logger_;
  GemmProvider provider_;
  AllowProviders allow_providers_ = AllowProviders::never;
  std::shared_ptr<Crossover> crossover_;
  std::unique_ptr<GuardedHost> host_;  // outlives the threads that call it
  std::unique_ptr<Executor> executor_;
  int64_t process_id_;
};

using ContextPtr = std::shared_ptr<const Context>;

}  // namespace puna
