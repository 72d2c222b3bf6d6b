// batch.h -- histories made ready for a pass: checked, cut to the latest events, laid one after the other.
#pragma once
#include "ops/history.h"
#include "puna/recsys/sequence_model.h"

namespace puna::recsys {

// Item and time of one event; `user` and `index` are for the message.
void check_event(const SequenceConfig& config, const Event& event, int64_t before, size_t user, size_t index);

class HistoryBatch {
 public:
  explicit HistoryBatch(const SequenceConfig& config) : config_(config) {}
  void add(const History& history);  // Error{invalid_argument} naming the user and the event
  // checked already; rows before `known` are left out
  void add_known(std::span<const Event> events, int64_t query_time, int64_t known);
  HistoryRows rows() const noexcept;
  int64_t users() const noexcept { return int64_t(starts_.size()) - 1; }

 private:
  const SequenceConfig& config_;
  std::vector<int64_t> starts_{0}, times_;
  std::vector<int32_t> ids_;
  int64_t longest_ = 0, known_ = 0;
};

}  // namespace puna::recsys
