#include "recsys/sequence/batch.h"

#include "puna/base/error.h"

namespace puna::recsys {
namespace {

constexpr int64_t kLatest = int64_t(1) << 61;  // differences stay within 64 bits

}  // namespace

void check_event(const SequenceConfig& c, const Event& e, int64_t before, size_t user, size_t index) {
  PUNA_REQUIRE(e.item >= 1 && e.item <= c.items, "user %zu, event %zu: item %d, expected 1 to %jd", user, index, e.item,
               c.items);
  PUNA_REQUIRE(e.time >= before && e.time <= kLatest,
               "user %zu, event %zu: time %jd, expected %jd (the event before) to %jd", user, index, e.time, before,
               kLatest);
}

void HistoryBatch::add(const History& h) {
  const size_t user = size_t(users());
  PUNA_REQUIRE(!h.events.empty(), "user %zu has no events", user);
  int64_t before = -kLatest;
  for (size_t i = 0; i < h.events.size(); ++i) {
    check_event(config_, h.events[i], before, user, i);
    before = h.events[i].time;
  }
  PUNA_REQUIRE(h.query_time >= before && h.query_time <= kLatest,
               "user %zu: query time %jd, expected the last event's time %jd or later (up to %jd)", user, h.query_time,
               before, kLatest);
  const size_t most = size_t(config_.max_sequence);
  add_known(h.events.size() > most ? h.events.last(most) : h.events, h.query_time, 0);
}

void HistoryBatch::add_known(std::span<const Event> events, int64_t query_time, int64_t known) {
  for (const Event& e : events) times_.push_back(e.time);
  times_.push_back(query_time);
  for (const Event& e : events.subspan(size_t(known))) ids_.push_back(e.item);
  starts_.push_back(int64_t(ids_.size()));
  longest_ = std::max(longest_, int64_t(events.size()) - known);
  known_ = known;
}

HistoryRows HistoryBatch::rows() const noexcept {
  return {starts_.data(), users(), longest_, ids_.data(), times_.data(), known_};
}

}  // namespace puna::recsys
