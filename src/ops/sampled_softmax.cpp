#include "ops/sampled_softmax.h"

#include "base/det_math.h"
#include "ops/add_by_id.h"
#include "ops/row_blocks.h"

namespace puna {

void sampled_losses(Tape& rec, double* nll, View e, const Candidates& c, float weight) {
  constexpr float kHit = -5e4f;
  const View de = rec.gradient(e);
  const auto scratch = rec.scratch();
  const KernelTable& k = rec.kernels();
  const int64_t T = e.dims[0], D = e.dims[1], n = c.per_row;
  const View slopes = rec.make(T, n);  // the logits, then d loss / d dot
  for_rows(rec, T, [&](int64_t t) {
    const int32_t* const ids = c.ids + t * n;
    float *const g = slopes.row(t), state[2];
    const TableRows items{.table = c.unit, .row = c.unit_row, .ids = ids, .count = n, .n = D};
    k.gather_dots(g, e.row(t), items);
    for (int64_t m = 0; m < n; ++m) g[m] = m > 0 && ids[m] == ids[0] ? kHit : g[m] / c.temperature;
    k.softmax_state(state, g, n);
    nll[t] = double(state[0]) + det::log(double(state[1])) - double(g[0]);
    k.softmax_gradient(g, g, state, weight / c.temperature, n);
    g[0] -= weight / c.temperature;
    for (int64_t m = 1; m < n; ++m) g[m] = ids[m] == ids[0] ? 0.0f : g[m];
    k.gather_add(de.row(t), items, g);
  });
  add_by_id(rec, {c.dunit, c.unit_row, D, e, n, c.ids, slopes.f32(), T * n, c.max_id});
}

}  // namespace puna
