#include "puna/recsys/ranker.h"

#include <algorithm>
#include <cmath>

#include "base/det_math.h"
#include "recsys/ranking/forward.h"
#include "recsys/run.h"

namespace puna::recsys {
namespace {

constexpr int64_t kRankerRowsPerPass = 1024;

}  // namespace

Ranker::Ranker(ContextPtr context, const RankerConfig& config, DType table, std::shared_ptr<RankerTable> mapped)
    : context_(std::move(context)), config_(config), table_(std::move(mapped)) {
  check(config);
  weights_ = std::make_shared<RankerWeights>(*context_, config);
  if (!table_) table_ = std::make_shared<RankerTable>(*context_, config, table);
  calibrators_.resize(config.surfaces.size() * config.tasks.size());
  vocabularies_.resize(config.features.size(), std::make_shared<const Names>());
}

std::shared_ptr<Ranker> Ranker::create(ContextPtr context, const RankerConfig& config, uint64_t seed) {
  std::shared_ptr<Ranker> ranker(new Ranker(std::move(context), config, DType::f32));
  const FpEnv fp_env;
  initialise(*ranker->weights_, config, seed);
  ranker->table_->initialise(seed);
  return ranker;
}

std::shared_ptr<Ranker> Ranker::copy(DType table) const {
  std::shared_ptr<Ranker> other(new Ranker(context_, config_, table));
  other->table_->convert(*context_, *table_);
  for (size_t i = 0; i < weights_->tensors.size(); ++i)
    for (size_t j = 0; j < weights_->tensors[i].pieces.size(); ++j) {
      const TensorPiece& from = weights_->tensors[i].pieces[j];
      std::copy_n(from.values, from.stored, other->weights_->tensors[i].pieces[j].values);
    }
  other->calibrators_ = calibrators_;
  other->vocabularies_ = vocabularies_;
  return other;
}

std::vector<ModelTensor>& Ranker::tensors() noexcept { return weights_->tensors; }
const std::vector<ModelTensor>& Ranker::tensors() const noexcept { return weights_->tensors; }
DType Ranker::table_type() const noexcept { return table_->dtype(); }
uint64_t Ranker::table_bytes() const noexcept { return table_->bytes(); }

void Ranker::score(const Examples& examples, float* to, FunctionRef<bool()> should_stop) const {
  const RankerRows rows(config_, examples);
  const int64_t tasks = int64_t(config_.tasks.size());
  // of the logits: odds p / (1 - p) are too large by 1 / q where only q of the negatives were kept
  std::vector<float> corrections;
  for (const Task& t : config_.tasks) corrections.push_back(float(det::log(t.kept_negatives)));
  Buffer scratch;
  for (int64_t first = 0; first < rows.count(); first += kRankerRowsPerPass)
    run_inference(*context_, scratch, should_stop, [&](Inference& rec) {
      const RankerForward forward{config_,
                                  *weights_,
                                  *table_,
                                  rows,
                                  examples.numbers,
                                  first,
                                  std::min(kRankerRowsPerPass, rows.count() - first),
                                  {}};
      const View logits = forward.logits(rec);
      for_rows(rec, forward.count, [&](int64_t t) {
        rec.kernels().add(logits.row(t), corrections.data(), tasks);
        rec.kernels().sigmoid(to + (first + t) * tasks, logits.row(t), tasks);
        for (int64_t i = 0; i < tasks; ++i)  // a sigmoid would hide it
          if (!std::isfinite(logits.row(t)[i])) to[(first + t) * tasks + i] = std::nanf("");
      });
    });
  for (int64_t i = 0; i < rows.count() * tasks; ++i)
    if (!std::isfinite(to[i]))
      fail(Status::bad_file, "example %jd: the score is not finite; the ranker's weights are out of all proportion",
           i / tasks);
  calibrate(examples, to);
}

std::vector<float> Ranker::score(const Examples& examples, FunctionRef<bool()> should_stop) const {
  PUNA_REQUIRE(examples.count >= 0, "%jd examples", examples.count);
  std::vector<float> to(size_t(examples.count) * config_.tasks.size());
  score(examples, to.data(), should_stop);
  return to;
}

void Ranker::calibrate(const Examples& examples, float* probabilities) const {
  const FpEnv fp_env;
  const size_t tasks = config_.tasks.size();
  for (size_t i = 0; i < size_t(examples.count); ++i)
    for (size_t t = 0; t < tasks; ++t) {
      float& p = probabilities[i * tasks + t];
      p = calibrator(size_t(examples.surfaces[i]), t)(p);
    }
}

std::vector<float> Ranker::row(size_t feature, int64_t id) const {
  PUNA_REQUIRE(table_->dtype() == DType::f32, "the table is %s; rows are read and written in one of F32",
               name(table_->dtype()));
  const float* const values = table_->values(row_of(config_, feature, id));
  return {values, values + table_->dim() + table_->tasks()};
}

void Ranker::set_row(size_t feature, int64_t id, std::span<const float> values) {
  PUNA_REQUIRE(int64_t(values.size()) == table_->dim() + table_->tasks(), "%zu values of a row, expected %jd",
               values.size(), table_->dim() + table_->tasks());
  for (const float v : values)
    PUNA_REQUIRE(std::isfinite(v), "feature %zu, id %jd: a value of its row is not finite", feature, id);
  (void)row(feature, id);
  std::copy(values.begin(), values.end(), table_->values(row_of(config_, feature, id)));
}

const Calibrator& Ranker::calibrator(size_t surface, size_t task) const {
  PUNA_REQUIRE(surface < config_.surfaces.size() && task < config_.tasks.size(), "surface %zu, task %zu of %zu, %zu",
               surface, task, config_.surfaces.size(), config_.tasks.size());
  return calibrators_[surface * config_.tasks.size() + task];
}

void Ranker::set_calibrator(size_t surface, size_t task, Calibrator c) {
  (void)calibrator(surface, task);
  calibrators_[surface * config_.tasks.size() + task] = std::move(c);
}

}  // namespace puna::recsys
