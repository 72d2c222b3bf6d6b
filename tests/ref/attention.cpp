#include "ref/attention.h"

#include <limits>

#include "ref/eigen.h"

namespace puna::ref {

Attention attention(const std::vector<float>& q, double scale, const std::vector<float>& keys,
                    const std::vector<float>& values) {
  const auto D = int64_t(q.size());
  const Doubles K = wide(keys, D), V = wide(values, D);
  const Eigen::VectorXd query = wide(q, D).row(0).transpose();
  const Eigen::VectorXd scores = scale * (K * query);
  Eigen::VectorXd p = (scores.array() - scores.maxCoeff()).exp();
  p /= p.sum();
  return {values_of(V.transpose() * p), values_of(V.transpose().cwiseAbs() * p),
          std::abs(scale) * (K.cwiseAbs() * query.cwiseAbs()).maxCoeff()};
}

AttentionGradients attention_gradients(const AttentionShape& s, const std::vector<float>& q,
                                       const std::vector<float>& k, const std::vector<float>& v,
                                       const std::vector<float>& dout) {
  const int64_t D = s.head_dim;
  const Doubles Q = wide(q, s.heads * D), K = wide(k, s.kv_heads * D), V = wide(v, s.kv_heads * D),
                dO = wide(dout, s.heads * D);
  Doubles dQ = Doubles::Zero(Q.rows(), Q.cols()), dK = Doubles::Zero(K.rows(), K.cols()),
          dV = Doubles::Zero(V.rows(), V.cols());
  for (int64_t h = 0; h < s.heads; ++h) {
    const int64_t at = h * D, kv = h / (s.heads / s.kv_heads) * D;
    const auto key = K.middleCols(kv, D), value = V.middleCols(kv, D), query = Q.middleCols(at, D);
    Doubles P = s.scale * query * key.transpose();
    for (int64_t t = 0; t < P.rows(); ++t)
      for (int64_t j = 0; j < P.cols(); ++j)
        if (j > t || (s.chunk > 0 && j < t / s.chunk * s.chunk)) P(t, j) = -std::numeric_limits<double>::infinity();
    const Eigen::VectorXd most = P.rowwise().maxCoeff();
    P = (P.colwise() - most).array().exp();
    const Eigen::VectorXd total = P.rowwise().sum();
    P = total.cwiseInverse().asDiagonal() * P;
    const Doubles dP = dO.middleCols(at, D) * value.transpose();
    const Eigen::VectorXd mean = P.cwiseProduct(dP).rowwise().sum();
    const Doubles dS = s.scale * P.cwiseProduct(dP.colwise() - mean);
    dQ.middleCols(at, D) += dS * key;
    dK.middleCols(kv, D) += dS.transpose() * query;
    dV.middleCols(kv, D) += P.transpose() * dO.middleCols(at, D);
  }
  return {values_of(dQ), values_of(dK), values_of(dV)};
}

}  // namespace puna::ref
