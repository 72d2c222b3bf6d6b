#include "ops/experts.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "ops/provided.h"

namespace puna {
namespace {

// Best expert of a row that is not chosen yet. A scan: top_k is 1 or 2, a sort would cost more.
int32_t best_unchosen(const float* logits, int64_t experts, const int32_t* chosen, int64_t chosen_count) {
  int32_t best = -1;
  for (int32_t e = 0; e < experts; ++e) {
    if (std::find(chosen, chosen + chosen_count, e) != chosen + chosen_count) continue;
    if (best < 0 || logits[e] > logits[best]) best = e;
  }
  return best;
}

void group_by_expert(const Routes& r, int64_t experts) {
  std::fill(r.first, r.first + experts + 1, 0);
  for (int64_t i = 0; i < r.count; ++i) ++r.first[r.expert[i] + 1];
  for (int64_t e = 0; e < experts; ++e) r.first[e + 1] += r.first[e];
  for (int64_t i = 0; i < r.count; ++i) {
    r.place[i] = r.first[r.expert[i]]++;
    r.order[r.place[i]] = int32_t(i);
  }
  for (int64_t e = experts; e > 0; --e) r.first[e] = r.first[e - 1];
  r.first[0] = 0;
}

}  // namespace

Routes choose_experts(Inference& rec, View logits, const Routing& how) {
  const int64_t R = logits.dims[0], E = logits.dims[1], top_k = how.top_k;
  const RouterScore kind = how.kind;
  Routes r;
  r.kind = kind;
  r.factors = how.factors;
  r.logits = logits;
  r.top_k = top_k;
  r.count = R * top_k;
  r.expert = rec.take<int32_t>(r.count);
  r.score = rec.take<float>(r.count);
  r.share = r.factors ? rec.take<float>(r.count) : r.score;
  r.order = rec.take<int32_t>(r.count);
  r.place = rec.take<int32_t>(r.count);
  r.first = rec.take<int32_t>(E + 1);
  rec.stage(1, [&](int64_t) {
    for (int64_t t = 0; t < R; ++t) {
      int32_t* const chosen = r.expert + t * top_k;
      float* const score = r.score + t * top_k;
      for (int64_t s = 0; s < top_k; ++s) {
        chosen[s] = best_unchosen(logits.row(t), E, chosen, s);
        score[s] = logits.row(t)[chosen[s]];
      }
      if (kind == RouterScore::sigmoid) {
        for (int64_t s = 0; s < top_k; ++s) rec.kernels().sigmoid(score + s, score + s, 1);
      } else {
        float state[2];
        const bool all = kind == RouterScore::softmax;
        rec.kernels().softmax_state(state, all ? logits.row(t) : score, all ? E : top_k);
        rec.kernels().softmax_gradient(score, score, state, 1.0f, top_k);
      }
    }
    for (int64_t i = 0; r.factors && i < r.count; ++i) {
      r.share[i] = r.score[i];
      r.score[i] *= r.factors[r.expert[i]];
    }
    group_by_expert(r, E);
  });
  return r;
}

ExpertsTrace experts_forward(Inference& rec, View x, const Activations& xn, const Routes& routes,
                             const Experts& all_experts) {
  const KernelTable& k = rec.kernels();
  const auto [experts, shared, glu] = all_experts;
  const int64_t R = x.dims[0], D = x.dims[1], E = int64_t(experts.size());
  const int64_t groups = E + (shared ? 1 : 0);  // the shared expert is one more, whose rows are all of them
  const int64_t rows = routes.count + (shared ? R : 0);
  const auto expert = [&](int64_t e) -> const ExpertWeights& { return e < E ? experts[size_t(e)] : *shared; };
  const int64_t F = experts[0].gate.rows, shared_F = shared ? shared->gate.rows : F;
  const int64_t width = std::max(F, shared_F);
  const auto first = [&](int64_t e) { return e < E ? int64_t(routes.first[e]) : routes.count; };
  const auto last = [&](int64_t e) { return e < E ? int64_t(routes.first[e + 1]) : rows; };

  // Inputs of the routes, expert by expert: xn or score * xn. The shared expert reads xn itself.
  const ExpertWeights& any = experts[0];
  const Activations scaled = make_activations(rec, routes.count, D, {&any.gate, &any.up});
  rec.stage(routes.count, [&](int64_t i) {
    const int64_t route = routes.order[i];
    k.scale(scaled.x.row(i), xn.x.row(route / routes.top_k), routes.scales_input() ? routes.score[route] : 1.0f, D);
    finish_row(k, scaled, i);
  });

  // A provider takes all its experts at once.
  const bool plain = !uses_quantised(rec, any.gate);
  const Way routed_way = plain ? way_of(rec, any.gate, routes.count / E, false) : Way::kernels;
  const Way shared_way =
      shared && !uses_quantised(rec, shared->gate) ? way_of(rec, shared->gate, R, false) : Way::kernels;
  const auto way_of_group = [&](int64_t e) { return e < E ? routed_way : shared_way; };
  const auto provide = [&](std::initializer_list<std::pair<Weight ExpertWeights::*, View>> parts,
                           const Activations& routed, const Activations& all) {
    const Way way = std::max(routed_way, shared_way);
    if (way == Way::kernels) return;
    const auto frame = rec.frame();
    const Factor from[] = {routed_way == Way::kernels ? Factor() : factor_of(rec, routed.x, way),
                           shared_way == Way::kernels ? Factor() : factor_of(rec, all.x, way)};
    const bool known = !rec.measuring() && rec.finished();  // where routes went
    std::vector<ProvidedProduct> products;
    for (int64_t e = 0; e < groups; ++e) {
      if (way_of_group(e) == Way::kernels || (known && first(e) == last(e))) continue;
      const int64_t i = known ? first(e) : 0, count = known ? last(e) - i : R;
      for (const auto& [part, y] : parts) {
        const Weight& w = expert(e).*part;
        products.push_back({e < E ? rows_from(from[0], i, way) : from[1], slice(y, i, count, w.rows), &w, false});
      }
    }
    provided_forward(rec, products, way);
  };

  // Rows i ... of expert e in one tile: where they come from and go to.
  const auto tile_of = [&](int64_t e, int64_t i, const Activations& routed, const Activations& all, View y,
                           bool quantised) {
    TileRows tile;
    tile.count = std::min<int64_t>(kMaxRows, last(e) - i);
    for (int64_t t = 0; t < tile.count; ++t) {
      const int64_t row = i + t;
      const bool is_route = row < routes.count;
      const Activations& from = is_route ? routed : all;
      const int64_t source = is_route ? row : row - routes.count;
      tile.x[t] = from.x.row(source);
      if (quantised) tile.q[t] = from.quantised(source);
      tile.y[t] = y.row(row);
    }
    return tile;
  };
  // A tile is (expert, some panels): it takes that expert's rows in blocks.
  const auto run = [&](int64_t e, const Weight& w, int64_t tile_index, const Activations& routed,
                       const Activations& all, View y) {
    if (way_of_group(e) != Way::kernels) return;
    const Tiling tiling = tiling_of(w, R);
    const int64_t panel = tile_index * tiling.panels;
    if (panel >= panels_of(w)) return;
    const bool quantised = uses_quantised(rec, w);
    for (int64_t i = first(e); i < last(e); i += kMaxRows)
      linear_tile(k, w, panel, std::min(tiling.panels, panels_of(w) - panel), tile_of(e, i, routed, all, y, quantised),
                  quantised, false);
  };
  // What an adapter adds to one matrix of all experts. Ranks are small: a tile is an expert.
  const auto add_loras = [&](Weight ExpertWeights::*part, const Activations& routed, const Activations& all, View y) {
    int64_t rank = 0;
    for (int64_t e = 0; e < groups; ++e)
      if (const Lora* lora = rec.lora_of(expert(e).*part)) rank = std::max(rank, lora->a.rows);
    if (rank == 0) return;
    const View h = rec.make(rows, rank);
    rec.stage(groups, [&](int64_t e) {
      const Lora* lora = rec.lora_of(expert(e).*part);
      for (int64_t i = first(e); lora && i < last(e); i += kMaxRows) {
        TileRows down = tile_of(e, i, routed, all, h, false), up = tile_of(e, i, routed, all, y, false);
        linear_tile(k, lora->a, 0, panels_of(lora->a), down, false, false);
        for (int64_t t = 0; t < down.count; ++t) {
          k.scale(down.y[t], down.y[t], lora->scale, lora->a.rows);
          up.x[t] = down.y[t];
        }
        linear_tile(k, lora->b, 0, panels_of(lora->b), up, false, true);
      }
    });
  };
  // The same where groups of rows have adapters of their own.
  const auto add_row_loras = [&](Weight ExpertWeights::*part, const Activations& routed, const Activations& all,
                                 View y) {
    const auto lora_of = [&](const RowLoras::Share& share, int64_t e) -> const Lora* {
      const auto found = share.loras->find((expert(e).*part).panels);
      return found == share.loras->end() ? nullptr : &found->second;
    };
    int64_t rank = 0;
    for (const RowLoras& g : rec.row_loras())
      for (const RowLoras::Share& share : g.shares)
        for (int64_t e = 0; e < groups; ++e)
          if (const Lora* lora = lora_of(share, e)) rank = std::max(rank, lora->a.rows);
    if (rank == 0) return;
    const View h = rec.make(rows, rank);
    rec.stage(groups, [&](int64_t e) {
      const auto batch_row = [&](int64_t i) {
        return i < routes.count ? routes.order[i] / routes.top_k : i - routes.count;
      };
      for (size_t g = 0; g < rec.row_loras().size(); ++g)
        for (const RowLoras::Share& share : rec.row_loras()[g].shares) {
          const Lora* const lora = lora_of(share, e);
          for (int64_t i = first(e); lora && i < last(e); i += kMaxRows) {
            const TileRows in = tile_of(e, i, routed, all, h, false), out = tile_of(e, i, routed, all, y, false);
            TileRows down, up;
            for (int64_t t = 0; t < in.count; ++t) {
              if (rec.group_of(batch_row(i + t)) != int32_t(g)) continue;
              down.x[down.count] = in.x[t];
              down.y[down.count++] = in.y[t];
              up.x[up.count] = in.y[t];
              up.y[up.count++] = out.y[t];
            }
            if (down.count == 0) continue;
            linear_tile(k, lora->a, 0, panels_of(lora->a), down, false, false);
            for (int64_t t = 0; t < down.count; ++t)
              k.scale(down.y[t], down.y[t], lora->scale * share.weight, lora->a.rows);
            linear_tile(k, lora->b, 0, panels_of(lora->b), up, false, true);
          }
        }
    });
  };
  const auto tiles_of = [&](Weight ExpertWeights::*part) {
    const int64_t own = tiling_of(experts[0].*part, R).panel_tiles;
    return shared ? std::max(own, tiling_of(shared->*part, R).panel_tiles) : own;
  };

  const View gate = rec.make(rows, width), up = rec.make(rows, width);
  const int64_t in_tiles = std::max(tiles_of(&ExpertWeights::gate), tiles_of(&ExpertWeights::up));
  rec.stage(
      groups * 2 * in_tiles,
      [&](int64_t tile) {
        const int64_t e = tile / (2 * in_tiles), index = tile % in_tiles;
        if (tile / in_tiles % 2 == 0)
          run(e, expert(e).gate, index, scaled, xn, gate);
        else
          run(e, expert(e).up, index, scaled, xn, up);
      },
      tiling_of(any.gate, R).at_once);
  provide({{&ExpertWeights::gate, gate}, {&ExpertWeights::up, up}}, scaled, xn);
  // Each expert's rows, for calibration.
  const auto show = [&](Weight ExpertWeights::*part, const Activations& routed, const Activations& all) {
    for (int64_t e = 0; rec.observer() && !rec.measuring() && e < groups; ++e) {
      std::vector<const float*> seen;
      for (int64_t i = first(e); i < last(e); ++i)
        seen.push_back(i < routes.count ? routed.x.row(i) : all.x.row(i - routes.count));
      rec.observer()->see(rec, expert(e).*part, seen);
    }
  };
  show(&ExpertWeights::gate, scaled, xn);
  show(&ExpertWeights::up, scaled, xn);
  add_loras(&ExpertWeights::gate, scaled, xn, gate);
  add_row_loras(&ExpertWeights::gate, scaled, xn, gate);
  add_loras(&ExpertWeights::up, scaled, xn, up);
  add_row_loras(&ExpertWeights::up, scaled, xn, up);

  // One row width for all keeps the strides simple; each row is only as long as its expert's ffn.
  const Activations routed_act = make_activations(rec, routes.count, F, {&any.down});
  const Activations shared_act = shared ? make_activations(rec, R, shared_F, {&shared->down}) : Activations();
  rec.stage(rows, [&](int64_t i) {
    const bool is_route = i < routes.count;
    const Activations& to = is_route ? routed_act : shared_act;
    const int64_t row = is_route ? i : i - routes.count;
    const ExpertWeights& e = is_route ? experts[size_t(routes.expert[routes.order[i]])] : *shared;
    if (e.gate_bias) k.add(gate.row(i), e.gate_bias, to.x.dims[1]);
    if (e.up_bias) k.add(up.row(i), e.up_bias, to.x.dims[1]);
    glu_row(k, glu, to.x.row(row), gate.row(i), up.row(i), to.x.dims[1]);
    finish_row(k, to, row);
  });

  const View out = rec.make(rows, D);
  const int64_t out_tiles = tiles_of(&ExpertWeights::down);
  rec.stage(
      groups * out_tiles,
      [&](int64_t tile) {
        const int64_t e = tile / out_tiles;
        run(e, expert(e).down, tile % out_tiles, routed_act, shared_act, out);
      },
      tiling_of(any.down, R).at_once);
  provide({{&ExpertWeights::down, out}}, routed_act, shared_act);
  show(&ExpertWeights::down, routed_act, shared_act);
  add_loras(&ExpertWeights::down, routed_act, shared_act, out);
  add_row_loras(&ExpertWeights::down, routed_act, shared_act, out);

  if (any.down_bias)
    rec.stage(routes.count,
              [&](int64_t i) { k.add(out.row(i), experts[size_t(routes.expert[routes.order[i]])].down_bias, D); });
  if (!routes.scales_input()) {
    const View sums = rec.make_zero(R, D);
    rec.stage(R, [&](int64_t t) {
      for (int64_t s = t * routes.top_k; s < (t + 1) * routes.top_k; ++s)
        k.add_scaled(sums.row(t), out.row(routes.place[s]), routes.score[s], D);
      if (shared) k.add(sums.row(t), out.row(routes.count + t), D);
      k.add(x.row(t), sums.row(t), D);
    });
    return {scaled.x, gate, up, routed_act.x, shared_act.x, out};
  }
  rec.stage(R, [&](int64_t t) {
    const int32_t* const place = routes.place + t * routes.top_k;
    float* sum = out.row(shared ? routes.count + t : place[0]);
    for (int64_t s = shared ? 0 : 1; s < routes.top_k; ++s) k.add(sum, out.row(place[s]), D);
    k.add(x.row(t), sum, D);
  });
  return {scaled.x, gate, up, routed_act.x, shared_act.x, out};
}

// ---- backward ----

namespace {

// The gradient of one SwiGLU block: of its input into dx, given dy of its output.
struct BlockRows {
  View dx, dy, x, gate, up, h;
};
void block_backward(Tape& rec, const BlockRows& b, const ExpertWeights& w, const Glu& glu, View dgate, View dup,
                    View dh) {
  linear_backward(rec, dh, b.dy, b.h, w.down);
  bias_backward(rec, b.dy, w.down_bias);
  rec.stage(b.dy.dims[0], [&](int64_t i) {
    glu_row_backward(rec.kernels(), glu, dgate.row(i), dup.row(i), dh.row(i), b.gate.row(i), b.up.row(i), dh.dims[1]);
  });
  bias_backward(rec, dgate, w.gate_bias);
  bias_backward(rec, dup, w.up_bias);
  linear_backward(rec, b.dx, dgate, b.x, w.gate);
  linear_backward(rec, b.dx, dup, b.x, w.up);
}

}  // namespace

void experts_backward(Tape& rec, View x, View xn, const Routes& routes, const Experts& experts,
                      const ExpertsTrace& trace) {
  const KernelTable& k = rec.kernels();
  const View dx = rec.gradient(x), dxn = rec.gradient(xn), dlogits = rec.gradient(routes.logits);
  const auto scratch = rec.scratch();
  const int64_t R = x.dims[0], D = x.dims[1], n = routes.count, F = trace.routed.dims[1];

  // As everything of the routes, the gradients lie expert by expert.
  const BlockRows sorted{rec.make_zero(n, D),        rec.make(n, D),           trace.scaled,
                         slice(trace.gate, 0, n, F), slice(trace.up, 0, n, F), trace.routed};
  rec.stage(n, [&](int64_t i) {
    const int64_t route = routes.order[i];
    k.scale(sorted.dy.row(i), dx.row(route / routes.top_k), routes.scales_input() ? 1.0f : routes.score[route], D);
  });
  const View dgate = rec.make_zero(n, F), dup = rec.make_zero(n, F), dh = rec.make_zero(n, F);
  const bool known = !rec.measuring() &&
                     rec.finished();  // how routes were distributed; otherwise memory for the worst case is reserved
  for (size_t e = 0; e < experts.routed.size(); ++e) {
    const int64_t first = known ? routes.first[e] : 0, count = known ? routes.first[e + 1] - first : n;
    const auto part = [&](View v) { return slice(v, first, count, v.dims[1]); };
    if (count != 0)
      block_backward(
          rec, {part(sorted.dx), part(sorted.dy), part(sorted.x), part(sorted.gate), part(sorted.up), part(sorted.h)},
          experts.routed[e], experts.glu, part(dgate), part(dup), part(dh));
  }
  const auto output_scores = [&] {
    // x += sum_s score_s out_s:  dscore_s = dx . out_s,  dlogit = score (dscore - sum of score dscore), and a
    // softmax over all has logits besides, whose scores are zero for what was not chosen
    rec.stage(R, [&](int64_t t) {
      float state[2], along = 0;
      const int64_t first = t * routes.top_k, last = first + routes.top_k;
      for (int64_t route = first; route < last; ++route) {
        const float dscore = k.dot(dx.row(t), trace.out.row(routes.place[route]), D) * routes.score[route];
        along += dscore;
        dlogits.row(t)[routes.expert[route]] += dscore;
        k.add_scaled(dxn.row(t), sorted.dx.row(routes.place[route]), 1.0f, D);
      }
      if (routes.kind == RouterScore::softmax_chosen) {
        for (int64_t route = first; route < last; ++route)
          dlogits.row(t)[routes.expert[route]] -= routes.share[route] * along;
        return;
      }
      const int64_t E = routes.logits.dims[1];
      k.softmax_state(state, routes.logits.row(t), E);
      for (int64_t e = 0; e < E; ++e) {
        float score;
        k.softmax_gradient(&score, routes.logits.row(t) + e, state, 1.0f, 1);
        dlogits.row(t)[e] -= score * along;
      }
    });
  };
  const auto input_scores = [&] {
    // scaled = score xn, score = sigmoid(logit)
    rec.stage(R, [&](int64_t t) {
      for (int64_t route = t * routes.top_k; route < (t + 1) * routes.top_k; ++route) {
        const float* const dscaled = sorted.dx.row(routes.place[route]);
        const float score = routes.score[route];
        dlogits.row(t)[routes.expert[route]] += k.dot(dscaled, xn.row(t), D) * score * (1.0f - score);
        k.add_scaled(dxn.row(t), dscaled, score, D);
      }
    });
  };
  routes.scales_input() ? input_scores() : output_scores();
  if (float* const dfactors = routes.factors ? rec.parameter_gradient(routes.factors) : nullptr)
    rec.stage(int64_t(experts.routed.size()), [&](int64_t e) {  // score_s = share_s factor
      for (int64_t i = routes.first[e]; i < routes.first[e + 1]; ++i) {
        const int64_t route = routes.order[i];
        dfactors[e] += routes.share[route] * k.dot(dx.row(route / routes.top_k), trace.out.row(i), D);
      }
    });
  if (!experts.shared) return;
  const int64_t S = trace.shared.dims[1];
  const auto own = [&](View v) { return slice(v, n, R, S); };
  block_backward(rec, {dxn, dx, xn, own(trace.gate), own(trace.up), trace.shared}, *experts.shared, experts.glu,
                 rec.make_zero(R, S), rec.make_zero(R, S), rec.make_zero(R, S));
}

}  // namespace puna
