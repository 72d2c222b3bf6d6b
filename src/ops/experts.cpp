#include "ops/experts.h"

#include <algorithm>

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
  for (int64_t i = 0; i < r.count; ++i) r.order[r.first[r.expert[i]]++] = int32_t(i);
  for (int64_t e = experts; e > 0; --e) r.first[e] = r.first[e - 1];
  r.first[0] = 0;
}

}  // namespace

Routes route(Inference& rec, const Activations& xn, const Weight& router, int64_t top_k, View* logits_out) {
  const int64_t R = xn.rows(), E = router.rows;
  Routes r;
  r.top_k = top_k;
  r.count = R * top_k;
  r.expert = rec.take<int32_t>(r.count);
  r.score = rec.take<float>(r.count);
  r.order = rec.take<int32_t>(r.count);
  r.first = rec.take<int32_t>(E + 1);
  const View logits = rec.make(R, E);
  if (logits_out) *logits_out = logits;
  linear(rec, xn, {{logits, &router}}, /*force_f32=*/true);  // a rounded logit could choose another expert
  rec.stage(1, [&](int64_t) {
    for (int64_t t = 0; t < R; ++t)
      for (int64_t s = 0; s < top_k; ++s) {
        int32_t* chosen = r.expert + t * top_k;
        chosen[s] = best_unchosen(logits.row(t), E, chosen, s);
        rec.kernels().sigmoid(r.score + t * top_k + s, logits.row(t) + chosen[s], 1);
      }
    group_by_expert(r, E);
  });
  return r;
}

void experts_add(Inference& rec, View x, const Activations& xn, const Routes& routes, std::span<const ExpertWeights> experts, const ExpertWeights* shared) {
  const KernelTable& k = rec.kernels();
  const int64_t R = x.dims[0], D = x.dims[1], E = int64_t(experts.size());
  const int64_t groups = E + (shared ? 1 : 0);                 // the shared expert is one more, whose rows are all of them
  const int64_t rows = routes.count + (shared ? R : 0);
  const auto expert = [&](int64_t e) -> const ExpertWeights& { return e < E ? experts[size_t(e)] : *shared; };
  const int64_t F = experts[0].gate.rows, shared_F = shared ? shared->gate.rows : F;
  const int64_t width = std::max(F, shared_F);
  const auto first = [&](int64_t e) { return e < E ? int64_t(routes.first[e]) : routes.count; };
  const auto last = [&](int64_t e) { return e < E ? int64_t(routes.first[e + 1]) : rows; };
  const auto row_of = [&](int64_t i) { return i < routes.count ? int64_t(routes.order[i]) : i; };  // sorted index -> route or shared row

  // Inputs of the routes: score * xn. The shared expert reads xn itself.
  const ExpertWeights& any = experts[0];
  const Activations scaled = make_activations(rec, routes.count, D, {&any.gate, &any.up});
  rec.stage(routes.count, [&](int64_t i) {
    k.scale(scaled.x.row(i), xn.x.row(i / routes.top_k), routes.score[i], D);
    finish_row(k, scaled, i);
  });

  // A tile is (expert, some panels): it takes that expert's rows in blocks.
  const auto run = [&](int64_t e, const Weight& w, int64_t tile_index, const Activations& routed, const Activations& all, View y) {
    const Tiling tiling = tiling_of(w, R);
    const int64_t panel = tile_index * tiling.panels;
    if (panel >= panels_of(w)) return;
    const bool quantised = uses_quantised(rec, w);
    for (int64_t i = first(e); i < last(e); i += kMaxRows) {
      TileRows tile;
      tile.count = std::min<int64_t>(kMaxRows, last(e) - i);
      for (int64_t t = 0; t < tile.count; ++t) {
        const int64_t row = row_of(i + t);
        const bool is_route = row < routes.count;
        const Activations& from = is_route ? routed : all;
        const int64_t source = is_route ? row : row - routes.count;
        tile.x[t] = from.x.row(source);
        if (quantised) tile.q[t] = from.quantised(source);
        tile.y[t] = y.row(row);
      }
      linear_tile(k, w, panel, std::min(tiling.panels, panels_of(w) - panel), tile, quantised, false);
    }
  };
  const auto tiles_of = [&](Weight ExpertWeights::*part) {
    const int64_t own = tiling_of(experts[0].*part, R).panel_tiles;
    return shared ? std::max(own, tiling_of(shared->*part, R).panel_tiles) : own;
  };

  const View gate = rec.make(rows, width), up = rec.make(rows, width);
  const int64_t in_tiles = std::max(tiles_of(&ExpertWeights::gate), tiles_of(&ExpertWeights::up));
  rec.stage(groups * 2 * in_tiles, [&](int64_t tile) {
    const int64_t e = tile / (2 * in_tiles), index = tile / 2 % in_tiles;
    if (tile % 2 == 0) run(e, expert(e).gate, index, scaled, xn, gate);
    else run(e, expert(e).up, index, scaled, xn, up);
  });

  // One row width for all keeps the strides simple; each row is only as long as its expert's ffn.
  const Activations routed_act = make_activations(rec, routes.count, F, {&any.down});
  const Activations shared_act = shared ? make_activations(rec, R, shared_F, {&shared->down}) : Activations();
  rec.stage(rows, [&](int64_t i) {
    const bool is_route = i < routes.count;
    const Activations& to = is_route ? routed_act : shared_act;
    const int64_t row = is_route ? i : i - routes.count;
    k.swiglu(to.x.row(row), gate.row(i), up.row(i), to.x.dims[1]);
    finish_row(k, to, row);
  });

  const View out = rec.make(rows, D);
  const int64_t out_tiles = tiles_of(&ExpertWeights::down);
  rec.stage(groups * out_tiles, [&](int64_t tile) {
    const int64_t e = tile / out_tiles;
    run(e, expert(e).down, tile % out_tiles, routed_act, shared_act, out);
  });

  rec.stage(R, [&](int64_t t) {
    float* sum = out.row(shared ? routes.count + t : t * routes.top_k);
    for (int64_t s = shared ? 0 : 1; s < routes.top_k; ++s) k.add(sum, out.row(t * routes.top_k + s), D);
    k.add(x.row(t), sum, D);
  });
}

}  // namespace puna
