#include "providers.h"

#include "puna/base/error.h"
#include "puna_providers.h"

#ifndef _WIN32
#include <dlfcn.h>
#endif

namespace puna::cli {
namespace {

// The library stays loaded until the program ends, as its threads and tables want it.
const puna_gemm_provider* find_provider() {
#ifdef _WIN32
  return nullptr;
#else
  void* const library =
      dlopen("libpuna_providers.so.0",
             RTLD_NOW | RTLD_LOCAL);  // beside the program, by its run path, or where the system looks
  if (!library) return nullptr;
  const auto find = reinterpret_cast<decltype(&puna_providers_find)>(dlsym(library, "puna_providers_find"));
  const puna_gemm_provider* found = nullptr;
  return find && find(nullptr, &found) == PUNA_OK ? found : nullptr;
#endif
}

}  // namespace

AllowProviders providers_level(const std::string& word) {
  if (word == "none" || word == "false") return AllowProviders::never;
  if (word == "f32" || word == "true") return AllowProviders::f32;
  if (word == "bf16") return AllowProviders::bf16;
  fail(Status::invalid_argument, "--providers is '%.40s', expected none, f32 or bf16", word.c_str());
}

void add_provider(ContextOptions& options, AllowProviders level, bool required) {
  if (level == AllowProviders::never) return;
  const puna_gemm_provider* const p = find_provider();
  if (!p && required)
    fail(Status::unsupported,
         "--providers: libpuna_providers is not here, or was built without oneDNN, OpenBLAS and Eigen");
  if (!p) return;
  options.provider = {p->name, p->user, p->f32, p->bf16};
  options.allow_providers = level;
}

}  // namespace puna::cli
