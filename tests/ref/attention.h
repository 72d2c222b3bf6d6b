// attention.h -- softmax(scale q K^T) V for one head, in double, in two passes: no pages, no running maximum.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace puna::ref {

struct Attention {
  std::vector<double> out;        // [head_dim]
  std::vector<double> magnitude;  // [head_dim] sum of p |v|: what rounding errors of the weighted sum are relative to
  double score_error = 0;         // largest sum of |q k| * scale: what rounding errors of the scores are relative to
};

// keys, values: [positions][head_dim]. By Eigen.
Attention attention(const std::vector<float>& q, double scale, const std::vector<float>& keys,
                    const std::vector<float>& values);

// k(j), v(j): head_dim values of position j, for j in [low, high).
template <class Keys, class Values>
Attention attention(const std::vector<float>& q, double scale, Keys&& k, Values&& v, int64_t low, int64_t high) {
  std::vector<float> keys, values;
  for (int64_t j = low; j < high; ++j)
    for (size_t i = 0; i < q.size(); ++i) {
      keys.push_back(float(k(j)[i]));
      values.push_back(float(v(j)[i]));
    }
  return attention(q, scale, keys, values);
}

// Of causal attention over one sequence, by matrix calculus: q, dout [T][heads][head_dim], k, v
// [T][kv_heads][head_dim]; with a chunk, a position attends from the start of its chunk on.
struct AttentionShape {
  int64_t heads, kv_heads, head_dim, chunk;
  double scale;
};
struct AttentionGradients {
  std::vector<double> q, k, v;
};
AttentionGradients attention_gradients(const AttentionShape& shape, const std::vector<float>& q,
                                       const std::vector<float>& k, const std::vector<float>& v,
                                       const std::vector<float>& dout);

}  // namespace puna::ref
