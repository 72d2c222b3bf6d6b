#include "ops/interactions.h"

#include <cstring>

namespace puna {

void cross_rows(Inference& rec, View y, View x0, View z, View x) {
  const int64_t W = y.dims[1];
  for_rows(rec, y.dims[0], [&](int64_t t) {
    memcpy(y.row(t), x.row(t), size_t(W) * 4);
    rec.kernels().add_product(y.row(t), x0.row(t), z.row(t), 1.0f, W);
  });
}

void cross_backward(Tape& rec, View y, View x0, View z, View x) {
  const View dx0 = rec.gradient(x0), dz = rec.gradient(z), dx = rec.gradient(x), dy = rec.gradient(y);
  const int64_t W = y.dims[1];
  for_rows(rec, y.dims[0], [&](int64_t t) {
    rec.kernels().add(dx.row(t), dy.row(t), W);  // x may be x0: both add
    rec.kernels().add_product(dx0.row(t), dy.row(t), z.row(t), 1.0f, W);
    rec.kernels().add_product(dz.row(t), dy.row(t), x0.row(t), 1.0f, W);
  });
}

void pair_sums_rows(Inference& rec, View y, View x) {
  const int64_t d = y.dims[1], W = x.dims[1];
  for_rows(rec, y.dims[0], [&](int64_t t) {
    float* const to = y.row(t);
    for (int64_t i = 0; i < d; ++i) {
      float sum = 0, squares = 0;
      for (int64_t at = i; at < W; at += d) {
        sum += x.row(t)[at];
        squares += x.row(t)[at] * x.row(t)[at];
      }
      to[i] = 0.5f * (sum * sum - squares);
    }
  });
}

void pair_sums_backward(Tape& rec, View y, View x) {
  const View dx = rec.gradient(x), dy = rec.gradient(y);
  const int64_t d = y.dims[1], W = x.dims[1];
  for_rows(rec, y.dims[0], [&](int64_t t) {
    for (int64_t i = 0; i < d; ++i) {
      float sum = 0;
      for (int64_t at = i; at < W; at += d) sum += x.row(t)[at];
      for (int64_t at = i; at < W; at += d) dx.row(t)[at] += dy.row(t)[i] * (sum - x.row(t)[at]);
    }
  });
}

void pair_dots_rows(Inference& rec, View y, View x, int64_t d) {
  const int64_t n = x.dims[1] / d;
  for_rows(rec, y.dims[0], [&](int64_t t) {
    float* to = y.row(t);
    for (int64_t a = 1; a < n; ++a)
      for (int64_t b = 0; b < a; ++b) *to++ = rec.kernels().dot(x.row(t) + a * d, x.row(t) + b * d, d);
  });
}

void pair_dots_backward(Tape& rec, View y, View x, int64_t d) {
  const View dx = rec.gradient(x), dy = rec.gradient(y);
  const int64_t n = x.dims[1] / d;
  for_rows(rec, y.dims[0], [&](int64_t t) {
    const float* slope = dy.row(t);
    for (int64_t a = 1; a < n; ++a)
      for (int64_t b = 0; b < a; ++b, ++slope) {
        rec.kernels().add_scaled(dx.row(t) + a * d, x.row(t) + b * d, *slope, d);
        rec.kernels().add_scaled(dx.row(t) + b * d, x.row(t) + a * d, *slope, d);
      }
  });
}

void join_rows(Inference& rec, View y, const std::vector<View>& parts) {
  for_rows(rec, y.dims[0], [&](int64_t t) {
    float* to = y.row(t);
    for (const View& p : parts) {
      memcpy(to, p.row(t), size_t(p.dims[1]) * 4);
      to += p.dims[1];
    }
  });
}

void join_backward(Tape& rec, View y, const std::vector<View>& parts) {
  std::vector<View> gradients;
  for (const View& p : parts) gradients.push_back(rec.gradient(p));
  const View dy = rec.gradient(y);
  for_rows(rec, y.dims[0], [&](int64_t t) {
    const float* from = dy.row(t);
    for (const View& g : gradients) {
      rec.kernels().add(g.row(t), from, g.dims[1]);
      from += g.dims[1];
    }
  });
}

void mix_rows(Inference& rec, View y, View gates, int64_t first, const std::vector<View>& experts) {
  const int64_t n = int64_t(experts.size()), D = y.dims[1];
  const auto scratch = static_cast<Inference&>(rec).frame();
  const View shares = rec.make(y.dims[0], n);
  for_rows(rec, y.dims[0], [&](int64_t t) {
    float state[2];
    rec.kernels().softmax_state(state, gates.row(t) + first, n);
    rec.kernels().softmax_gradient(shares.row(t), gates.row(t) + first, state, 1.0f, n);
    std::fill_n(y.row(t), D, 0.0f);
    for (int64_t e = 0; e < n; ++e) rec.kernels().add_scaled(y.row(t), experts[size_t(e)].row(t), shares.row(t)[e], D);
  });
}

// With shares s = softmax(g):   dexpert_e += s_e dy    dg_e += s_e (dy . expert_e - dy . y)
void mix_backward(Tape& rec, View y, View gates, int64_t first, const std::vector<View>& experts) {
  const int64_t n = int64_t(experts.size()), D = y.dims[1];
  std::vector<View> dexperts;
  for (const View& e : experts) dexperts.push_back(rec.gradient(e));
  const View dgates = rec.gradient(gates), dy = rec.gradient(y);
  const auto scratch = rec.scratch();
  const View shares = rec.make(y.dims[0], n);
  const KernelTable& k = rec.kernels();
  for_rows(rec, y.dims[0], [&](int64_t t) {
    float state[2];
    k.softmax_state(state, gates.row(t) + first, n);
    k.softmax_gradient(shares.row(t), gates.row(t) + first, state, 1.0f, n);
    const float along = k.dot(dy.row(t), y.row(t), D);
    for (int64_t e = 0; e < n; ++e) {
      const float share = shares.row(t)[e];
      k.add_scaled(dexperts[size_t(e)].row(t), dy.row(t), share, D);
      dgates.row(t)[first + e] += share * (k.dot(dy.row(t), experts[size_t(e)].row(t), D) - along);
    }
  });
}

}  // namespace puna
