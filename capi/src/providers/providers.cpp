// providers.cpp -- puna_providers.h: the providers of this build by name.
#include "puna_providers.h"

#include <cstring>

#include "optional/gemm/providers.h"

namespace {

struct Entry {
  const char* name;
  const puna::GemmProvider* (*open)();
};

constexpr Entry kEntries[] = {
#ifdef PUNA_HAVE_ONEDNN
    {"onednn", puna::onednn_provider},
#endif
#ifdef PUNA_HAVE_OPENBLAS
    {"openblas", puna::openblas_provider},
#endif
#ifdef PUNA_HAVE_EIGEN
    {"eigen", puna::eigen_provider},
#endif
    {nullptr, nullptr},
};

// The C table of an entry, made once.
template <int i>
const puna_gemm_provider* table_of() {
  static const puna::GemmProvider* const found = kEntries[i].open();
  static const puna_gemm_provider table{
      sizeof(puna_gemm_provider),   0, kEntries[i].name, found ? found->user : nullptr, found ? found->f32 : nullptr,
      found ? found->bf16 : nullptr};
  return found ? &table : nullptr;
}

template <int i = 0>
const puna_gemm_provider* find(const char* name) {
  if constexpr (kEntries[i].name == nullptr) {
    return nullptr;
  } else {
    if (!name || strcmp(name, kEntries[i].name) == 0)
      if (const puna_gemm_provider* table = table_of<i>()) return table;
    return find<i + 1>(name);
  }
}

}  // namespace

puna_status puna_providers_find(const char* name, const puna_gemm_provider** provider) {
  if (!provider) return PUNA_INVALID_ARGUMENT;
  try {
    const puna_gemm_provider* found = find(name);
    if (!found) return PUNA_UNSUPPORTED;
    *provider = found;
    return PUNA_OK;
  } catch (...) {
    return PUNA_INTERNAL;
  }
}

const char* puna_providers_names(void) {
  static constexpr char kNames[] =
#ifdef PUNA_HAVE_ONEDNN
      ",onednn"
#endif
#ifdef PUNA_HAVE_OPENBLAS
      ",openblas"
#endif
#ifdef PUNA_HAVE_EIGEN
      ",eigen"
#endif
      "";
  return kNames[0] == ',' ? kNames + 1 : kNames;
}
