#include "ref/linear.h"

#include "ref/eigen.h"

namespace puna::ref {

Product linear(const Matrix& w, const std::vector<double>& x) {
  const Doubles matrix = wide(w.values, w.cols);
  const Eigen::Map<const Eigen::VectorXd> column(x.data(), Eigen::Index(x.size()));
  return {values_of(matrix * column), values_of(matrix.cwiseAbs() * column.cwiseAbs())};
}

}  // namespace puna::ref
