#include "ref/least_squares.h"

namespace puna::ref {

Eigen::MatrixXd least_squares(Eigen::MatrixXd a, Eigen::MatrixXd b) {
  const Eigen::Index n = a.cols();
  Eigen::MatrixXd r = Eigen::MatrixXd::Zero(n, n), z(n, b.cols());
  for (Eigen::Index j = 0; j < n; ++j) {
    r(j, j) = a.col(j).norm();
    const Eigen::VectorXd q = a.col(j) / r(j, j);
    for (Eigen::Index k = j + 1; k < n; ++k) {
      r(j, k) = q.dot(a.col(k));
      a.col(k) -= r(j, k) * q;
    }
    for (Eigen::Index d = 0; d < b.cols(); ++d) {
      z(j, d) = q.dot(b.col(d));
      b.col(d) -= z(j, d) * q;
    }
  }
  for (Eigen::Index j = n; j-- > 0;)
    for (Eigen::Index d = 0; d < b.cols(); ++d) {
      double sum = z(j, d);
      for (Eigen::Index k = j + 1; k < n; ++k) sum -= r(j, k) * z(k, d);
      z(j, d) = sum / r(j, j);
    }
  return z;
}

}  // namespace puna::ref
