// openblas.cpp -- products in f32 by OpenBLAS, one thread a call.
#include <cblas.h>

#include <initializer_list>
#include <limits>

#include "optional/gemm/providers.h"

namespace puna {
namespace {

int32_t multiply(void*, int32_t flags, int64_t m, int64_t n, int64_t k, const float* a, int64_t lda, const float* b,
                 int64_t ldb, float* c, int64_t ldc) {
  for (const int64_t size : {m, n, k, lda, ldb, ldc})
    if (size > std::numeric_limits<blasint>::max()) return 1;
  const auto transpose = [&](int32_t flag) { return flags & flag ? CblasTrans : CblasNoTrans; };
  cblas_sgemm(CblasRowMajor, transpose(kTransposedA), transpose(kTransposedB), blasint(m), blasint(n), blasint(k), 1.0f,
              a, blasint(lda), b, blasint(ldb), flags & kAddToC ? 1.0f : 0.0f, c, blasint(ldc));
  return 0;
}

}  // namespace

const GemmProvider* openblas_provider() {
  static const GemmProvider provider{"openblas", nullptr, multiply, nullptr};
  openblas_set_num_threads(1);
  return &provider;
}

}  // namespace puna
