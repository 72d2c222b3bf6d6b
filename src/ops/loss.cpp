#include "ops/loss.h"

#include <algorithm>

#include "base/det_math.h"

namespace puna {
namespace {

// Rows [first, first + count) of x, their logits, and the state of each row's softmax.
struct Chunk {
  Activations x;
  View logits;
  float* state;  // [count, 2]
};

Chunk score_chunk(Inference& rec, double* nll, View x, const Weight& head, const int32_t* labels, int64_t first,
                  int64_t count, float softcap) {
  const KernelTable& k = rec.kernels();
  Chunk c{make_activations(rec, count, x.dims[1], {&head}), rec.make(count, head.rows), rec.take<float>(count * 2)};
  rec.stage(count, [&](int64_t i) {
    std::copy(x.row(first + i), x.row(first + i) + x.dims[1], c.x.x.row(i));
    finish_row(k, c.x, i);
  });
  linear_forward(rec, c.x, {{c.logits, &head}}, false);
  rec.stage(count, [&](int64_t i) {
    float* const state = c.state + 2 * i;
    if (softcap != 0) k.softcap(c.logits.row(i), c.logits.row(i), softcap, head.rows);
    k.softmax_state(state, c.logits.row(i), head.rows);
    nll[first + i] = double(state[0]) + det::log(double(state[1])) - double(c.logits.row(i)[labels[first + i]]);
  });
  return c;
}

template <class Visit>
void for_each_chunk(int64_t rows, int64_t vocab, Visit&& visit) {
  // 64 MB of logits: each chunk reads the head twice
  const int64_t most = std::clamp<int64_t>((int64_t(16) << 20) / vocab, 16, 512);
  for (int64_t first = 0; first < rows; first += most) visit(first, std::min(most, rows - first));
}

}  // namespace

void token_losses(Inference& rec, double* nll, View x, const Weight& head, const int32_t* labels, float softcap) {
  for_each_chunk(x.dims[0], head.rows, [&](int64_t first, int64_t count) {
    const auto frame = rec.frame();
    score_chunk(rec, nll, x, head, labels, first, count, softcap);
  });
}

void token_losses(Tape& rec, double* nll, View x, const Weight& head, const int32_t* labels, const float* weights,
                  float softcap) {
  const View dx = rec.gradient(x);
  for_each_chunk(x.dims[0], head.rows, [&](int64_t first, int64_t count) {
    const auto scratch = rec.scratch();
    const Chunk c = score_chunk(rec, nll, x, head, labels, first, count, softcap);
    const View capped = softcap != 0 ? rec.make(count, head.rows) : View();
    rec.stage(count, [&](int64_t i) {  // the logits become their gradient: weight (softmax - 1 at the label)
      float* const g = c.logits.row(i);
      if (softcap != 0) std::copy(g, g + head.rows, capped.row(i));
      rec.kernels().softmax_gradient(g, g, c.state + 2 * i, weights[first + i], head.rows);
      g[labels[first + i]] -= weights[first + i];
      if (softcap != 0) rec.kernels().softcap_backward(g, capped.row(i), softcap, head.rows);
    });
    linear_backward(rec, slice(dx, first, count, dx.dims[1]), c.logits, c.x.x, head);
  });
}

}  // namespace puna
