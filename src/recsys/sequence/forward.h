// forward.h -- the whole forward pass of both models. Rec = Inference: each line is a parallel stage. Rec = Tape: the
// same stages, and how they run
// backward.    T rows of all users without padding, D dim, h heads, N slots; names as in the papers.
#pragma once
#include <cmath>

#include "ops/linear.h"
#include "ops/sequence_rows.h"
#include "recsys/sequence/weights.h"

namespace puna::recsys {

// What one user keeps of a block: [N][h d_qk], [N][h d_v]
struct BlockCache {
  float *k, *v;
};

struct SequenceForward {
  const SequenceConfig& c;
  const SequenceWeights& w;
  const HistoryRows& rows;
  Dropout dropout;                    // none unless training
  const BlockCache* cache = nullptr;  // a block each, for one user; or NULL

  // HSTU: x + dropout(u * norm(attend(q, k, v))) W_o + b_o, with u, v, q, k = silu(norm(x) W_uvqk)
  // arXiv:2402.17152, equations 1 to 3
  template <class Rec>
  void hstu_block(Rec& rec, View out, View x, size_t l) const {
    const SequenceBlock& b = w.blocks[l];
    const int64_t T = x.dims[0], V = c.heads * c.v_dim, Q = c.heads * c.qk_dim;
    Activations n, y;
    n.x = rec.make(T, c.dim);
    y.x = rec.make(T, V);
    const View pre = rec.make(T, b.in.rows), uvqk = rec.make(T, b.in.rows), a = rec.make(T, V);
    plain_norm(rec, n.x, x, 1e-6f);
    linear(rec, n, {{pre, &b.in}});
    silu(rec, uvqk, pre);
    attend_history(rec, a, {uvqk, 2 * V}, {uvqk, 2 * V + Q}, {uvqk, V}, rows, hstu_attention(b, l));
    gated_norm(rec, y.x, uvqk, a, 1e-6f, dropout.at(2 * l + 1));
    biased(rec, out, x, b.out_bias);
    linear(rec, y, {{out, &b.out, true}});
  }

  // SASRec: queries from norm(x), keys and values from x itself; the residual is the normalised one.
  // arXiv:1808.09781, section 3
  template <class Rec>
  void sasrec_block(Rec& rec, View out, View x, size_t l) const {
    const SequenceBlock& b = w.blocks[l];
    const int64_t T = x.dims[0], D = c.dim;
    const auto make = [&](int64_t columns) {
      Activations a;
      a.x = rec.make(T, columns);
      return a;
    };
    const Activations in{x}, n = make(D), a = make(D), h = make(D), f = make(c.ffn);
    const View q = rec.make(T, D), kv = rec.make(T, 2 * D), sum = rec.make(T, D), pre = rec.make(T, c.ffn),
               z = rec.make(T, D);
    plain_norm(rec, n.x, x, 1e-8f);
    biased(rec, q, {}, b.in_bias);
    linear(rec, n, {{q, &b.in, true}});
    biased(rec, kv, {}, b.keys_values_bias);
    linear(rec, in, {{kv, &b.keys_values, true}});
    attend_history(rec, a.x, {q, 0}, {kv, 0}, {kv, D}, rows, sasrec_attention(l));
    biased(rec, sum, n.x, b.out_bias);
    linear(rec, a, {{sum, &b.out, true}});
    plain_norm(rec, h.x, sum, 1e-8f);
    biased(rec, pre, {}, b.ffn_in_bias);
    linear(rec, h, {{pre, &b.ffn_in, true}});
    relu(rec, f.x, pre, dropout.at(4 * l + 2));
    biased(rec, z, {}, b.ffn_out_bias);
    linear(rec, f, {{z, &b.ffn_out, true}});
    residual(rec, out, h.x, z, dropout.at(4 * l + 3));
  }

  // The unit vectors after each event, [T,D].
  template <class Rec>
  View encode(Rec& rec) const {
    const View e = rec.make(rows.rows(), c.dim);
    View x = rec.make(rows.rows(), c.dim);
    embed_history(rec, x, {w.items, w.positions, c.dim, std::sqrt(float(c.dim)), int32_t(c.items)}, rows,
                  dropout.at(0));
    for (size_t l = 0; l < w.blocks.size(); ++l) {
      const View out = rec.make(rows.rows(), c.dim);
      {
        const auto frame = rec.frame();
        if (c.kind == SequenceKind::hstu)
          hstu_block(rec, out, x, l);
        else
          sasrec_block(rec, out, x, l);
      }
      if constexpr (Rec::records)
        rec.on_backward([&rec, x] { rec.gradient(x); });  // made here, it outlives the block's own gradients
      x = out;
    }
    unit_rows(rec, e, x, kUnitEpsilon);
    return e;
  }

 private:
  HistoryAttention hstu_attention(const SequenceBlock& b, size_t l) const {
    HistoryAttention a{c.heads, c.qk_dim, c.v_dim, 1.0f / float(c.slots())};
    a.positions = b.position_bias;
    a.time_weights = b.time_bias;
    a.time_bounds = w.time_bounds.data();
    a.slots = c.slots();
    return cached(a, l);
  }
  HistoryAttention sasrec_attention(size_t l) const {
    HistoryAttention a{c.heads, c.qk_dim, c.v_dim, 1.0f / std::sqrt(float(c.qk_dim))};
    a.dropout = dropout.at(4 * l + 1);
    return cached(a, l);
  }
  HistoryAttention cached(HistoryAttention a, size_t l) const {
    if (cache) {
      a.cached_k = cache[l].k;
      a.cached_v = cache[l].v;
    }
    return a;
  }
};

}  // namespace puna::recsys
