// forward.h -- a ranker's whole forward pass. Rec = Inference: each line is a parallel stage. Rec = Tape: the same
// stages, and how they run backward.
//   T examples, W = embeddings in a row
#pragma once
#include "ops/interactions.h"
#include "ops/linear.h"
#include "ops/sequence_rows.h"
#include "recsys/ranking/rows.h"
#include "recsys/ranking/table.h"
#include "recsys/ranking/weights.h"

namespace puna::recsys {

struct RankerForward {
  const RankerConfig& c;
  const RankerWeights& w;
  const RankerTable& table;
  const RankerRows& rows;
  const float* numbers;  // of all examples
  int64_t first, count;  // those of this pass
  Dropout dropout;       // none unless training
  // Training: [count][W' + tasks], W' the table's embeddings. The gradient of the loss by the looked-up rows.
  float* table_slopes = nullptr;

  // Logits [T,tasks].
  template <class Rec>
  View logits(Rec& rec) const {
    const int64_t T = count, tasks = int64_t(c.tasks.size());
    const View x0 = rec.make(T, c.width()), first_order = rec.make(T, tasks), out = rec.make(T, tasks);
    embed(rec, x0, first_order);
    if (c.interaction == Interaction::linear) {
      biased(rec, out, first_order, w.task_bias);
      return out;
    }
    const View base = rec.make(T, tasks);
    biased(rec, base, first_order, w.task_bias);
    residual(rec, out, base, heads(rec, interact(rec, x0)), {});
    return out;
  }

 private:
  int64_t table_width() const noexcept { return rows.features() * c.dim; }

  template <class Rec>
  void embed(Rec& rec, View x0, View first_order) const {
    const View tokens = c.numbers.empty() ? x0 : rec.make(count, table_width());
    for_rows(rec, count, [&](int64_t t) { gather(tokens.row(t), first_order.row(t), first + t); });
    if constexpr (Rec::records)
      rec.on_backward([this, &rec, tokens, first_order] {
        const View dx = rec.gradient(tokens), dy = rec.gradient(first_order);
        for_rows(rec, count, [&](int64_t t) {
          float* const to = table_slopes + t * (table_width() + dy.dims[1]);
          memcpy(to, dx.row(t), size_t(table_width()) * 4);
          memcpy(to + table_width(), dy.row(t), size_t(dy.dims[1]) * 4);
        });
      });
    if (c.numbers.empty()) return;
    Activations in;
    const int64_t n = int64_t(c.numbers.size());
    in.x = rec.make(count, n);
    for_rows(rec, count, [&](int64_t t) {
      for (int64_t i = 0; i < n; ++i) in.x.row(t)[i] = scaled(c.numbers[size_t(i)], numbers[(first + t) * n + i]);
    });
    join(rec, x0, {tokens, layer(rec, in, w.numbers, {})});
  }

  void gather(float* x, float* first_order, int64_t i) const {
    std::fill_n(x, table_width(), 0.0f);
    std::fill_n(first_order, table.tasks(), 0.0f);
    for (int64_t f = 0; f < rows.features(); ++f) {
      const std::span<const int32_t> of = rows.of(i, f);
      for (const int32_t row : of) table.add_row(x + f * c.dim, first_order, row, 1.0f / float(of.size()));
    }
  }

  template <class Rec>
  Activations interact(Rec& rec, View x0) const {
    Activations z;
    z.x = x0;
    if (c.interaction == Interaction::fm) {
      z.x = rec.make(count, c.dim);
      pair_sums(rec, z.x, x0);
    } else if (c.interaction == Interaction::cross) {
      for (const RankerLayer& l : w.cross) {
        const View next = rec.make(count, c.width());
        cross(rec, next, x0, affine(rec, z, l), z.x);
        z.x = next;
      }
    } else if (c.interaction == Interaction::dot) {
      const View dots = rec.make(count, c.tokens() * (c.tokens() - 1) / 2);
      pair_dots(rec, dots, x0, c.dim);
      z.x = rec.make(count, interaction_width(c));
      join(rec, z.x, {x0, dots});
    }
    return z;
  }

  template <class Rec>
  View heads(Rec& rec, const Activations& z) const {
    uint64_t site = 0;  // of dropout
    std::vector<View> experts;
    for (const auto& layers : w.experts) experts.push_back(mlp(rec, z, layers, site).x);
    if (w.heads.size() == 1 && c.tasks.size() > 1) {
      const View y = rec.make(count, int64_t(c.tasks.size()));
      linear(rec, Activations{experts[0]}, {{y, &w.heads[0]}});
      return y;
    }
    const View gates = c.experts > 1 ? affine(rec, z, w.gates) : View();
    std::vector<View> logits;
    for (size_t t = 0; t < w.heads.size(); ++t) {
      Activations x{experts[0]};
      if (c.experts > 1) {
        x.x = rec.make(count, experts[0].dims[1]);
        mix(rec, x.x, gates, int64_t(t) * c.experts, experts);
      }
      if (!w.towers.empty()) x = mlp(rec, x, w.towers[t], site);
      logits.push_back(rec.make(count, 1));
      linear(rec, x, {{logits.back(), &w.heads[t]}});
    }
    const View y = rec.make(count, int64_t(c.tasks.size()));
    join(rec, y, logits);
    return y;
  }

  template <class Rec>
  Activations mlp(Rec& rec, Activations x, const std::vector<RankerLayer>& layers, uint64_t& site) const {
    for (const RankerLayer& l : layers) x.x = layer(rec, x, l, dropout.at(site++));
    return x;
  }
  template <class Rec>
  View layer(Rec& rec, const Activations& x, const RankerLayer& l, const Dropout& drop) const {
    const View y = rec.make(count, l.w.rows);
    relu(rec, y, affine(rec, x, l), drop);
    return y;
  }
  template <class Rec>
  View affine(Rec& rec, const Activations& x, const RankerLayer& l) const {
    const View y = rec.make(count, l.w.rows);
    biased(rec, y, {}, l.bias);
    linear(rec, x, {{y, &l.w, true}});
    return y;
  }
};

}  // namespace puna::recsys
