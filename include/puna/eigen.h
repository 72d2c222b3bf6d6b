// eigen.h -- our numbers as matrices of Eigen's, without a copy: a map lives no longer than what it maps, and writes
// through it are writes there. For programs that have Eigen 3.4 or newer; nothing else of ours includes it.
//   const Eigen::MatrixXf cosines = eigen_rows(embeddings, hidden) * eigen_rows(embeddings, hidden).transpose();
//   eigen_vector(session.logits()).maxCoeff(&best);
#pragma once
#include <Eigen/Core>
#include <span>
#include <type_traits>

#include "puna/base/error.h"
#include "puna/tensor/tensor.h"

namespace puna {

// Row by row, as everything of ours. T is float, or what else a view holds (Eigen::half, Eigen::bfloat16, int32_t), or
// const of one of them.
template <class T, int Columns = Eigen::Dynamic>
using EigenPlain = Eigen::Matrix<std::remove_const_t<T>, Eigen::Dynamic, Columns, Columns == 1 ? 0 : Eigen::RowMajor>;
template <class T, int Columns = Eigen::Dynamic, class Stride = Eigen::Stride<0, 0>>
using EigenMap =
    Eigen::Map<std::conditional_t<std::is_const_v<T>, const EigenPlain<T, Columns>, EigenPlain<T, Columns>>,
               Eigen::Unaligned, Stride>;
using EigenStride = Eigen::Stride<Eigen::Dynamic, Eigen::Dynamic>;

// [rows][columns] of values that lie one behind the other.
template <class T>
EigenMap<T> eigen_rows(T* values, int64_t rows, int64_t columns) noexcept {
  return EigenMap<T>(values, rows, columns);
}

// The same of a span: embeddings of an append with Pooling::none, its logits, rows of a ranker's table. The number of
// rows follows; Error{invalid_argument} when the last one is not whole.
template <class T>
EigenMap<T> eigen_rows(std::span<T> values, int64_t columns) {
  PUNA_REQUIRE(columns >= 1 && int64_t(values.size()) % columns == 0, "%zu values are no rows of %jd", values.size(),
               columns);
  return eigen_rows(values.data(), int64_t(values.size()) / columns, columns);
}

// A column: Session::logits(), one embedding.
template <class T>
EigenMap<T, 1> eigen_vector(std::span<T> values) noexcept {
  return EigenMap<T, 1>(values.data(), Eigen::Index(values.size()));
}

// Whether a T of Eigen's is what a view of this type holds.
template <class T>
constexpr bool is_eigen_of(DType dtype) noexcept {
  using Value = std::remove_const_t<T>;
  return (dtype == DType::f32 && std::is_same_v<Value, float>) ||
         (dtype == DType::f16 && std::is_same_v<Value, Eigen::half>) ||
         (dtype == DType::bf16 && std::is_same_v<Value, Eigen::bfloat16>) ||
         (dtype == DType::i32 && std::is_same_v<Value, int32_t>);
}

// A view of at most two dimensions, a vector as one row, with its strides. Error{invalid_argument} when it has more, or
// its elements are no T.
template <class T = float>
EigenMap<T, Eigen::Dynamic, EigenStride> eigen_matrix(const View& view) {
  PUNA_REQUIRE(view.rank <= 2, "a view of %s has %d dimensions, a matrix has at most 2", view.shape().text().c_str(),
               view.rank);
  PUNA_REQUIRE(is_eigen_of<T>(view.dtype), "a view of %s was asked for as another type", name(view.dtype));
  const bool is_matrix = view.rank == 2;
  const int64_t rows = is_matrix ? view.dims[0] : 1, columns = view.rank == 0 ? 1 : view.dims[view.rank - 1];
  const int64_t step = view.rank == 0 ? 1 : view.strides[view.rank - 1];
  return {static_cast<T*>(view.data), rows, columns, EigenStride(is_matrix ? view.strides[0] : columns * step, step)};
}
template <class T = float>
EigenMap<T, Eigen::Dynamic, EigenStride> eigen_matrix(const Tensor& tensor) {
  return eigen_matrix<T>(tensor.view);
}

}  // namespace puna
