// product.inl.h -- compiled once per level by product_<level>.cpp, which says PUNA_EIGEN_LEVEL. Eigen's namespace has
// another name at each level: of templates with one name the linker keeps one copy for all, and a CPU without AVX-512
// would die of it. Eigen computes on the thread that calls, asserts nothing and reports only that memory is out.
#define EIGEN_DONT_PARALLELIZE
#define EIGEN_MPL2_ONLY
#define EIGEN_NO_DEBUG
#define EIGEN_NO_IO
#define EIGEN_STACK_ALLOCATION_LIMIT 16384  // hosts have threads with little stack
#define PUNA_EIGEN_JOINED(prefix, level) prefix##level
#define PUNA_EIGEN_NAMED(prefix, level) PUNA_EIGEN_JOINED(prefix, level)
#define Eigen PUNA_EIGEN_NAMED(puna_eigen_, PUNA_EIGEN_LEVEL)
#include <Eigen/Core>

#include "optional/gemm/providers.h"

namespace puna::PUNA_EIGEN_NAMED(eigen_, PUNA_EIGEN_LEVEL) {
namespace {

using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Factor = Eigen::Map<const Matrix, Eigen::Unaligned, Eigen::OuterStride<>>;
using Sum = Eigen::Map<Matrix, Eigen::Unaligned, Eigen::OuterStride<>>;

}  // namespace

void multiply(int32_t flags, int64_t m, int64_t n, int64_t k, const float* a, int64_t lda, const float* b, int64_t ldb,
              float* c, int64_t ldc) {
  const bool ta = flags & kTransposedA, tb = flags & kTransposedB;
  const Factor left(a, ta ? k : m, ta ? m : k, Eigen::OuterStride<>(lda)),
      right(b, tb ? n : k, tb ? k : n, Eigen::OuterStride<>(ldb));
  Sum sum(c, m, n, Eigen::OuterStride<>(ldc));
  if (!(flags & kAddToC)) sum.setZero();
  if (ta && tb)
    sum.noalias() += left.transpose() * right.transpose();
  else if (ta)
    sum.noalias() += left.transpose() * right;
  else if (tb)
    sum.noalias() += left * right.transpose();
  else
    sum.noalias() += left * right;
}

}  // namespace puna::PUNA_EIGEN_NAMED(eigen_,PUNA_EIGEN_LEVEL)
