#include "recsys/ranking/pass.h"

#include <algorithm>
#include <cmath>

#include "base/det_math.h"
#include "ops/sort_by_id.h"
#include "recsys/ranking/forward.h"
#include "recsys/run.h"

namespace puna::recsys {
namespace {

constexpr int64_t kEntriesPerTile = 1024;

struct LossAt {
  double value, slope;
};

// -log p of what happened (or the mean of both, for an outcome between), p = sigmoid(x):   log(1 + e^x) - y x
LossAt cross_entropy_at(double x, double y) noexcept {
  const double e = det::exp(-std::fabs(x)), p = x >= 0 ? 1 / (1 + e) : e / (1 + e);
  return {std::max(x, 0.0) - x * y + det::log1p(e), p - y};
}

// Huber's loss of sigmoid(x) - y: squares up to `limit`, then a line.
LossAt huber_at(double x, double y, double limit) noexcept {
  const double p = 1 / (1 + det::exp(-x)), r = p - y, size = std::fabs(r), slope = std::clamp(r, -limit, limit);
  return {size <= limit ? 0.5 * r * r : limit * (size - 0.5 * limit), slope * p * (1 - p)};
}

}  // namespace

int64_t RankerPass::slope_row() const noexcept {
  const RankerConfig& c = ranker_.config();
  return (1 + int64_t(c.features.size())) * c.dim + int64_t(c.tasks.size());
}

void RankerPass::begin_step(const RankerRows& rows) {
  slopes_.resize(size_t(rows.count() * slope_row()));
  const auto n = size_t(rows.entries());
  std::vector<int32_t> row, example, feature, order(n), other(n);
  for (int64_t i = 0; i < rows.count(); ++i)
    for (int64_t f = 0; f < rows.features(); ++f)
      for (const int32_t r : rows.of(i, f)) {
        row.push_back(r);
        example.push_back(int32_t(i));
        feature.push_back(int32_t(f));
      }
  sort_by_id(order.data(), other.data(), row.data(), int64_t(n), int32_t(ranker_.table().rows() - 1));
  entries_ = {};
  for (const int32_t at : order) {
    entries_.row.push_back(row[size_t(at)]);
    entries_.example.push_back(example[size_t(at)]);
    entries_.feature.push_back(feature[size_t(at)]);
    entries_.weight.push_back(1.0f / float(rows.of(example[size_t(at)], feature[size_t(at)]).size()));
  }
}

void RankerPass::learn(const RankerRows& rows, const float* numbers, const Outcomes& outcomes, int64_t first,
                       int64_t count, const RankerLoss& loss, const Dropout& dropout, TaskLoss* losses,
                       float* predicted, FunctionRef<bool()> should_stop) {
  const Context& context = *ranker_.context();
  const RankerConfig& c = ranker_.config();
  const size_t tasks = c.tasks.size();
  std::vector<double> values(size_t(count) * tasks);
  const auto weight_of = [&](int64_t i) { return outcomes.weights ? double(outcomes.weights[i]) : 1.0; };
  const auto known = [&](int64_t i, size_t t) { return (outcomes.known[i] >> t & 1u) != 0; };
  run_pass(context, scratch_, [&](Arena& arena) {
    Cursor cursor;
    Tape rec(context.kernels(), context.executor(), arena, cursor, true, should_stop, parameters_.gradients());
    const RankerForward forward{c,     ranker_.weights(), ranker_.table(),
                                rows,  numbers,           first,
                                count, dropout,           slopes_.data() + first * slope_row()};
    const View logits = forward.logits(rec), slopes = rec.gradient(logits);
    for_rows(rec, count, [&](int64_t i) {
      if (predicted) rec.kernels().sigmoid(predicted + size_t(first + i) * tasks, logits.row(i), int64_t(tasks));
      for (size_t t = 0; t < tasks; ++t) {
        if (!known(first + i, t)) continue;
        const double x = double(logits.row(i)[t]), y = double(outcomes.values[size_t(first + i) * tasks + t]),
                     weight = weight_of(first + i);
        const LossAt at = c.tasks[t].kind == TaskKind::binary ? cross_entropy_at(x, y) : huber_at(x, y, loss.huber);
        values[size_t(i) * tasks + t] = at.value * weight;
        slopes.row(i)[t] += float(at.slope * weight * c.tasks[t].weight / loss.weight_sum);
      }
    });
    rec.backward();
    return rec.finished();
  });
  for (int64_t i = 0; i < count; ++i)
    for (size_t t = 0; t < tasks; ++t)
      if (known(first + i, t)) {
        losses[t].sum += values[size_t(i) * tasks + t];
        losses[t].weights += weight_of(first + i);
      }
}

bool RankerPass::table_gradient_is_finite() const noexcept {
  float sum = 0;
  for (const float slope : slopes_) sum += slope * 0.0f;
  return sum == 0.0f;
}

// gradient [dim + tasks] of the row that entries [from, to) name: all of one feature, so one token of their examples.
void RankerPass::sum(float* gradient, size_t from, size_t to) const noexcept {
  const Entries& e = entries_;
  const RankerTable& table = ranker_.table();
  const KernelTable& k = ranker_.context()->kernels();
  const int64_t D = table.dim(), T = table.tasks(), S = slope_row(), n = int64_t(to - from);
  std::fill_n(gradient, D + T, 0.0f);
  const auto add = [&](float* to, const float* column, int64_t columns) {
    const TableRows slopes{.table = column, .row = S, .ids = e.example.data() + from, .count = n, .n = columns};
    k.gather_add(to, slopes, e.weight.data() + from);
  };
  add(gradient, slopes_.data() + e.feature[from] * D, D);
  add(gradient + D, slopes_.data() + S - T, T);
}

void RankerPass::change_table(const TableStep& step) {
  const FpEnv fp_env;
  RankerTable& table = ranker_.table();
  const KernelTable& k = ranker_.context()->kernels();
  const int64_t D = table.dim(), T = table.tasks();
  const Entries& e = entries_;
  const auto n = int64_t(e.row.size());
  const auto move = [&](float* values, const float* g, int64_t count, float& squares) {
    squares += k.dot(g, g, count) / float(count);
    k.add_scaled(values, g, -float(step.rate / (std::sqrt(double(squares)) + step.epsilon)), count);
  };
  ranker_.context()->executor().run((n + kEntriesPerTile - 1) / kEntriesPerTile,
                                    [&](int64_t tile) {  // the rows whose first entry lies in the tile
                                      auto i = size_t(tile * kEntriesPerTile);
                                      const auto end = size_t(std::min(n, (tile + 1) * kEntriesPerTile));
                                      while (i < end && i > 0 && e.row[i] == e.row[i - 1]) ++i;
                                      while (i < end) {
                                        size_t last = i + 1;
                                        while (last < e.row.size() && e.row[last] == e.row[i]) ++last;
                                        float gradient[1024 + 32];  // dim and tasks are no more
                                        float* const values = table.values(e.row[i]);
                                        sum(gradient, i, last);
                                        k.add_scaled(gradient, values, float(step.decay), D + T);
                                        move(values, gradient, D, step.squares[2 * e.row[i]]);
                                        move(values + D, gradient + D, T, step.squares[2 * e.row[i] + 1]);
                                        i = last;
                                      }
                                    });
}

std::vector<float> RankerPass::table_gradient(int64_t row) const {
  const auto [from, to] = std::equal_range(entries_.row.begin(), entries_.row.end(), int32_t(row));
  std::vector<float> gradient(size_t(ranker_.table().dim() + ranker_.table().tasks()));
  if (from != to) sum(gradient.data(), size_t(from - entries_.row.begin()), size_t(to - entries_.row.begin()));
  return gradient;
}

}  // namespace puna::recsys
