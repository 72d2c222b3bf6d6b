// eigen.cpp -- products in f32 by Eigen, on the calling thread: where there is neither oneDNN nor OpenBLAS.
#include "optional/eigen/product.h"
#include "optional/gemm/providers.h"

namespace puna {
namespace eigen_base {
EigenProduct multiply;
}
namespace eigen_avx2 {
EigenProduct multiply;
}
namespace eigen_avx512 {
EigenProduct multiply;
}

namespace {

constexpr EigenLevel kEigenLevels[] = {
#ifdef PUNA_EIGEN_X86
    {"avx512", eigen_avx512::multiply},
    {"avx2", eigen_avx2::multiply},
#endif
    {"base", eigen_base::multiply},
};

size_t first_level() noexcept {
#ifdef PUNA_EIGEN_X86
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (!avx2) return 2;
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                 __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")
             ? 0
             : 1;
#else
  return 0;
#endif
}

int32_t multiply_by_eigen(void* level, int32_t flags, int64_t m, int64_t n, int64_t k, const float* a, int64_t lda,
                          const float* b, int64_t ldb, float* c, int64_t ldc) {
  try {
    static_cast<const EigenLevel*>(level)->multiply(flags, m, n, k, a, lda, b, ldb, c, ldc);
    return 0;
  } catch (...) {  // no memory
    return 1;
  }
}

}  // namespace

std::span<const EigenLevel> eigen_levels() noexcept { return std::span(kEigenLevels).subspan(first_level()); }

const GemmProvider* eigen_provider() {
  static const GemmProvider provider{"eigen", const_cast<EigenLevel*>(eigen_levels().data()), multiply_by_eigen,
                                     nullptr};
  return &provider;
}

}  // namespace puna
