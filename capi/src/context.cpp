// context.cpp -- puna_context_*: threads, instruction set, memory and log, chosen by the host.
#include "handles.h"
#include "kernels/kernel_table.h"
#include "puna_gemm.h"
#include "translate.h"

using namespace puna;
using namespace puna::capi;

namespace {

ContextOptions context_options_from_c(const puna_context_options* theirs) {
  const puna_context_options o = read_options(theirs, "puna_context_options");
  require_reserved(o.reserved, "puna_context_options");
  constexpr int64_t kMostThreads = 4096;
  in_range(o.threads, 0, kMostThreads, "threads");
  PUNA_REQUIRE((o.alloc == nullptr) == (o.dealloc == nullptr), "alloc and dealloc come together or not at all");
  in_range(o.executor_threads, 0, kMostThreads, "executor_threads");
  ContextOptions options;
  options.threads = o.threads;
  options.isa = o.isa ? o.isa : "";
  options.memory_limit = o.memory_limit;
  options.allocator = {o.alloc_user, o.alloc, o.dealloc};
  options.executor = {o.executor_user, o.executor_threads, o.parallel_for};
  options.thread_hook = {o.thread_user, o.thread_start};
  options.logger = {o.log_user, o.log};
  require_reserved(o.reserved2, "puna_context_options");
  PUNA_REQUIRE(o.allow_providers >= PUNA_PROVIDERS_NEVER && o.allow_providers <= PUNA_PROVIDERS_BF16,
               "allow_providers is %d, expected 0 to 2", o.allow_providers);
  options.allow_providers = AllowProviders(o.allow_providers);
  if (o.gemm_provider) {
    const puna_gemm_provider p = read_options(o.gemm_provider, "puna_gemm_provider");
    require_reserved(p.reserved, "puna_gemm_provider");
    PUNA_REQUIRE(p.f32 != nullptr, "puna_gemm_provider.f32 is NULL");
    options.provider = {p.name ? p.name : "", p.user, p.f32, p.bf16};
  }
  return options;
}

}  // namespace

puna_status puna_context_create(const puna_context_options* options, puna_context** context) {
  return guard([&] {
    PUNA_REQUIRE(context != nullptr, "context is NULL");
    *context = new puna_context{make_context(context_options_from_c(options))};
  });
}

puna_status puna_context_get_info(const puna_context* context, puna_context_info* info) {
  return guard([&] {
    const Context& c = *use(context);
    puna_context_info i{};
    i.threads = c.executor().width();
    i.isa = c.kernels().name;
    i.memory_used = c.allocator()->used();
    i.memory_peak = c.allocator()->peak();
    i.memory_limit = c.allocator()->limit();
    write_info(i, info, "puna_context_info");
  });
}

void puna_context_free(puna_context* context) {
  if (context) free_handle(context, *context->impl);
}
