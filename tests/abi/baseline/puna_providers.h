/* puna_providers.h -- matrix products by oneDNN, OpenBLAS or Eigen, for contexts that are handed a provider: a library
 * of its own, libpuna_providers, because what it links brings thread pools, reads the environment and keeps state of
 * the process, which libpuna never does.
 *
 *   const puna_gemm_provider* provider = NULL;
 *   puna_context_options options = {.struct_size = sizeof options, .allow_providers = PUNA_PROVIDERS_F32};
 *   if (!puna_providers_find(NULL, &provider)) options.gemm_provider = provider;
 *
 * Any other library can be a provider as well: fill in a puna_gemm_provider. Sessions use it when allow_providers says
 * so, and then give bits that are not those of every other machine; fine-tuning uses it unless an option forbids it. */
#ifndef PUNA_PROVIDERS_H
#define PUNA_PROVIDERS_H

#include "puna_gemm.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The provider of this name, or the best of this build (NULL): "onednn" (f32 and bf16) before "openblas" (f32; it is
 * set to one thread for the whole process) before "eigen" (f32). It lives until the program ends. PUNA_UNSUPPORTED when
 * this build has none of that name. Any thread. */
PUNA_API puna_status puna_providers_find(const char* name, const puna_gemm_provider** provider);
/* The names of this build's providers, best first, with commas between; "" = none. Static. */
PUNA_API const char* puna_providers_names(void);

#ifdef __cplusplus
}
#endif

#endif /* PUNA_PROVIDERS_H */
