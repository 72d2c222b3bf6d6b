// least_squares.h -- the one decomposition of the tests' oracles, compiled once: Eigen's own take nine seconds in each
// file that uses one.
#pragma once
#include <Eigen/Core>

namespace puna::ref {

// argmin over z of |a z - b|, a column of z for each of b; a: [m][n], m >= n, of full rank. QR by modified
// Gram-Schmidt, which applied to b's columns too is as stable as Householder's.
Eigen::MatrixXd least_squares(Eigen::MatrixXd a, Eigen::MatrixXd b);

}  // namespace puna::ref
