#include "puna/base/context.h"

#include "base/crossover.h"
#include "base/guarded_host.h"
#include "base/os.h"
#include "puna/base/error.h"

namespace puna {

Context::Context(const ContextOptions& options, const KernelTable& kernels)
    : kernels_(&kernels),
      allocator_(std::make_shared<Allocator>(options.allocator, options.memory_limit)),
      logger_(options.logger),
      allow_providers_(options.allow_providers),
      crossover_(std::make_shared<Crossover>()),
      host_(std::make_unique<GuardedHost>(options.executor, options.thread_hook, options.provider)),
      executor_(options.executor.parallel_for ? make_host_executor(host_->executor())
                                              : make_thread_pool(options.threads, host_->hook())),
      process_id_(os::process_id()) {
  provider_ = host_->provider();
}

Context::Context(const Context& base, std::unique_ptr<Executor> executor)
    : kernels_(base.kernels_),
      allocator_(base.allocator_),
      logger_(base.logger_),
      provider_(base.provider_),
      allow_providers_(base.allow_providers_),
      crossover_(base.crossover_),
      executor_(std::move(executor)),
      process_id_(base.process_id_) {}

Context::~Context() = default;

GemmPermission Context::allowed(AllowProviders most) const noexcept {
  if (most == AllowProviders::never || !provider_.f32) return {};
  return {&provider_, crossover_.get(), &logger_, most == AllowProviders::bf16 && provider_.bf16 != nullptr};
}

void Context::require_same_process() const {
  if (os::process_id() != process_id_)
    fail(Status::wrong_state, "this handle was made before fork(); the child process must open its own context");
}

}  // namespace puna
