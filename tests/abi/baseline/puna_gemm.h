/* puna_gemm.h -- matrix products of another library, as a table for a context (gemm_provider of
 * puna_context_options). The tables of oneDNN, OpenBLAS and Eigen come from puna_providers.h; any other library's
 * can be filled in here. The rules of puna.h hold here too. */
#ifndef PUNA_GEMM_H
#define PUNA_GEMM_H

#include "puna.h"

#ifdef __cplusplus
extern "C" {
#endif

#define PUNA_GEMM_TRANSPOSED_A 1
#define PUNA_GEMM_TRANSPOSED_B 2
#define PUNA_GEMM_ADD 4

/* c = a b, or c += a b (PUNA_GEMM_ADD): a [m][k], or [k][m] when PUNA_GEMM_TRANSPOSED_A; b [k][n], or [n][k] when
 * PUNA_GEMM_TRANSPOSED_B; c [m][n]. Row by row; lda, ldb, ldc are the values from one row to the next. Called from
 * several threads at once; each call is to compute on the thread that calls. Returns 0; anything else, or a C++
 * exception, makes Puna do this product itself: c must then be as it was. */
typedef struct puna_gemm_provider {
  uint32_t struct_size;
  int32_t reserved; /* 0 */
  const char* name; /* for messages; optional */
  void* user;
  int32_t (*f32)(void* user, int32_t flags, int64_t m, int64_t n, int64_t k, const float* a, int64_t lda,
                 const float* b, int64_t ldb, float* c, int64_t ldc);
  /* a and b in bfloat16, sums and c in f32; NULL when there is none. */
  int32_t (*bf16)(void* user, int32_t flags, int64_t m, int64_t n, int64_t k, const uint16_t* a, int64_t lda,
                  const uint16_t* b, int64_t ldb, float* c, int64_t ldc);
} puna_gemm_provider;

#ifdef __cplusplus
}
#endif

#endif /* PUNA_GEMM_H */
