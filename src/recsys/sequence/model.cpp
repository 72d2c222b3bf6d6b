#include "recsys/run.h"
#include "recsys/sequence/batch.h"
#include "recsys/sequence/forward.h"

namespace puna::recsys {
namespace {

constexpr int64_t kSequenceRowsPerPass = 4096;

}  // namespace

SequenceModel::SequenceModel(ContextPtr context, const SequenceConfig& config)
    : context_(std::move(context)), config_(config) {
  check(config);
  weights_ = std::make_shared<SequenceWeights>(*context_, config);
}

std::shared_ptr<SequenceModel> SequenceModel::create(ContextPtr context, const SequenceConfig& config, uint64_t seed) {
  std::shared_ptr<SequenceModel> model(new SequenceModel(std::move(context), config));
  initialise(*model->weights_, config, seed);
  return model;
}

void SequenceModel::set_item_names(Names names) {
  PUNA_REQUIRE(names.empty() || names.size() == config_.items, "%jd names of %jd items", names.size(), config_.items);
  item_names_ = std::move(names);
}

std::vector<ModelTensor>& SequenceModel::tensors() noexcept { return weights_->tensors; }
const std::vector<ModelTensor>& SequenceModel::tensors() const noexcept { return weights_->tensors; }

std::vector<float> SequenceModel::encode(std::span<const History> users, FunctionRef<bool()> should_stop) const {
  const size_t D = size_t(config_.dim);
  std::vector<float> all(users.size() * D);
  Buffer scratch;
  for (size_t u = 0; u < users.size();) {
    HistoryBatch batch(config_);
    const size_t first = u;
    while (u < users.size() && (u == first || batch.rows().rows() < kSequenceRowsPerPass)) batch.add(users[u++]);
    const HistoryRows rows = batch.rows();
    run_inference(*context_, scratch, should_stop, [&](Inference& rec) {
      const View e = SequenceForward{config_, *weights_, rows, {}}.encode(rec);
      rec.stage(rows.users, [&](int64_t i) {
        std::copy_n(e.row(rows.starts[i + 1] - 1), D, all.data() + (first + size_t(i)) * D);
      });
    });
  }
  return all;
}

std::vector<float> SequenceModel::unit_items() const {
  const int64_t D = config_.dim, n = config_.items + 1;
  std::vector<float> unit(size_t(n * D));
  const FpEnv fp_env;
  constexpr int64_t kRows = 1024;
  context_->executor().run((n + kRows - 1) / kRows, [&](int64_t tile) {
    for (int64_t i = tile * kRows, end = std::min(n, i + kRows); i < end; ++i)
      unit_row(context_->kernels(), unit.data() + i * D, weights_->items + i * D, D, kUnitEpsilon);
  });
  return unit;
}

// ---- one user, event by event ----

UserState::UserState(std::shared_ptr<const SequenceModel> model) : model_(std::move(model)) {
  PUNA_REQUIRE(model_ != nullptr, "the model is NULL");
  const SequenceConfig& c = model_->config();
  for (int64_t l = 0; l < c.blocks; ++l) {
    keys_.push_back(
        model_->context()->allocate(size_t(c.max_sequence * c.heads * c.qk_dim) * sizeof(float), "a user's keys"));
    values_.push_back(
        model_->context()->allocate(size_t(c.max_sequence * c.heads * c.v_dim) * sizeof(float), "a user's values"));
  }
}

void UserState::append(const Event& event) {
  check_event(model_->config(), event, events_.empty() ? -(int64_t(1) << 61) : events_.back().time, 0, events_.size());
  events_.push_back(event);
  if (int64_t(events_.size()) > model_->config().max_sequence) {  // positions move: nothing that was computed holds
    events_.erase(events_.begin());
    known_ = 0;
  }
}

std::vector<float> UserState::encode(int64_t query_time) {
  PUNA_REQUIRE(!events_.empty(), "the user has no events");
  const int64_t n = int64_t(events_.size());
  PUNA_REQUIRE(query_time >= events_.back().time, "query time %jd, expected the last event's time %jd or later",
               query_time, events_.back().time);
  HistoryBatch batch(model_->config());
  batch.add_known(events_, query_time, known_);
  const HistoryRows rows = batch.rows();
  std::vector<BlockCache> cache;
  for (size_t l = 0; l < keys_.size(); ++l)
    cache.push_back({reinterpret_cast<float*>(keys_[l].data()), reinterpret_cast<float*>(values_[l].data())});
  std::vector<float> vector(size_t(model_->config().dim));
  run_inference(*model_->context(), scratch_, {}, [&](Inference& rec) {
    const View e = SequenceForward{model_->config(), model_->weights(), rows, {}, cache.data()}.encode(rec);
    rec.stage(1, [&](int64_t) { std::copy_n(e.row(rows.rows() - 1), vector.size(), vector.data()); });
  });
  computed_ = n - known_;
  known_ = n - 1;  // the last row's time bias is that of this question
  return vector;
}

}  // namespace puna::recsys
