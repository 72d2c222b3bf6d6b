#include "recsys/sequence/pass.h"

#include <cstring>

#include "ops/sampled_softmax.h"
#include "recsys/run.h"
#include "recsys/sequence/forward.h"

namespace puna::recsys {
namespace {

constexpr int64_t kItemsPerTile = 256;

float* floats(Buffer& b) noexcept { return reinterpret_cast<float*>(b.data()); }

}  // namespace

SequencePass::SequencePass(const SequenceModel& model, const train::Parameters& parameters)
    : model_(model), parameters_(parameters), unit_row_((model.config().dim + 15) / 16 * 16) {
  const size_t bytes = size_t((model.config().items + 1) * unit_row_) * sizeof(float);
  units_ = model.context()->allocate(bytes, "unit vectors of items");
  unit_gradients_ = model.context()->allocate(bytes, "gradients of items");
  memset(units_.data(), 0, bytes);
}

template <class Fn>
void SequencePass::for_items(Fn&& fn) {
  const FpEnv fp_env;
  const int64_t items = model_.config().items + 1, D = model_.config().dim;
  model_.context()->executor().run((items + kItemsPerTile - 1) / kItemsPerTile, [&](int64_t tile) {
    for (int64_t i = tile * kItemsPerTile, end = std::min(items, i + kItemsPerTile); i < end; ++i)
      fn(i * unit_row_, i * D, D);
  });
}

void SequencePass::begin_step() {
  memset(unit_gradients_.data(), 0, unit_gradients_.size());
  const float* const items = model_.weights().items;
  for_items([&](int64_t unit, int64_t item, int64_t D) {
    unit_row(model_.context()->kernels(), floats(units_) + unit, items + item, D, kUnitEpsilon);
  });
}

void SequencePass::end_step() {
  const float* const items = model_.weights().items;
  float* const gradient = parameters_.gradients().at(items);
  for_items([&](int64_t unit, int64_t item, int64_t D) {
    unit_row_backward(model_.context()->kernels(), gradient + item, floats(unit_gradients_) + unit, items + item, D,
                      kUnitEpsilon);
  });
}

double SequencePass::losses(const HistoryBatch& batch, const NextItems& next, const Dropout& dropout,
                            FunctionRef<bool()> should_stop) {
  const Context& context = *model_.context();
  const SequenceConfig& c = model_.config();
  const HistoryRows rows = batch.rows();
  std::vector<double> nll(size_t(rows.rows()));
  run_pass(context, scratch_, [&](Arena& arena) {
    Cursor cursor;
    Tape rec(context.kernels(), context.executor(), arena, cursor, true, should_stop, parameters_.gradients());
    const View e = SequenceForward{c, model_.weights(), rows, dropout}.encode(rec);
    sampled_losses(rec, nll.data(), e,
                   {next.candidates, next.per_row, floats(units_), floats(unit_gradients_), unit_row_, next.temperature,
                    int32_t(c.items)},
                   next.weight);
    rec.backward();
    return rec.finished();
  });
  double sum = 0;
  for (const double x : nll) sum += x;
  return sum;
}

}  // namespace puna::recsys
