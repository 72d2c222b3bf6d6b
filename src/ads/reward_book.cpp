#include "puna/ads/reward_book.h"

#include <map>
#include <unordered_map>

#include "puna/base/error.h"

namespace puna::ads {
namespace {

struct Tracked {
  int32_t segment = -1, variant = -1;
  int64_t shown_at = 0, clicked_at = 0;
  bool is_shown = false, is_clicked = false, is_counted = false;
};

int64_t saturated_sum(int64_t a, int64_t b) noexcept {
  int64_t sum;
  return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

}  // namespace

struct RewardBook::Impl {
  int64_t window;
  std::unordered_map<uint64_t, Tracked> of;
  // When each is to be looked at: its window's end, then its memory's.
  std::multimap<int64_t, uint64_t> due;
  std::map<std::pair<int32_t, int32_t>, Outcome> sums;  // counted and not yet given out
  RewardCounts counts;

  // Without memory for it a key that is new is forgotten again.
  void wait(uint64_t key, int64_t until) {
    try {
      due.emplace(until, key);
    } catch (...) {
      if (const auto found = of.find(key); !found->second.is_shown && !found->second.is_clicked) of.erase(found);
      throw;
    }
  }

  bool in_window(const Tracked& i) const noexcept {
    return i.clicked_at >= i.shown_at && i.clicked_at <= saturated_sum(i.shown_at, window);
  }
};

RewardBook::RewardBook(int64_t window) : impl_(std::make_unique<Impl>()) {
  PUNA_REQUIRE(window >= 0, "the window is %jd, expected 0 or more", window);
  impl_->window = window;
}
RewardBook::~RewardBook() = default;

void RewardBook::shown(uint64_t key, int32_t segment, int32_t variant, int64_t time) {
  Tracked& i = impl_->of.try_emplace(key).first->second;
  if (i.is_shown) {
    ++impl_->counts.repeated;
    return;
  }
  impl_->wait(key, saturated_sum(time, impl_->window));
  i.segment = segment;
  i.variant = variant;
  i.shown_at = time;
  i.is_shown = true;
  ++impl_->counts.waiting;
}

bool RewardBook::clicked(uint64_t key, int64_t time) {
  const auto [found, is_new] = impl_->of.try_emplace(key);
  Tracked& i = found->second;
  if (i.is_clicked) {
    if (!i.is_counted && time < i.clicked_at) i.clicked_at = time;  // the first of several, however they arrive
    ++impl_->counts.repeated;
    return false;
  }
  if (is_new) impl_->wait(key, saturated_sum(time, impl_->window));  // its impression may still be reported
  i.is_clicked = true;
  i.clicked_at = time;
  if (!i.is_counted && (!i.is_shown || impl_->in_window(i))) return true;
  ++impl_->counts.late;
  return false;
}

size_t RewardBook::settle(int64_t now) {
  auto& due = impl_->due;
  while (!due.empty() && due.begin()->first < now) {
    const auto [when, key] = *due.begin();
    const auto found = impl_->of.find(key);
    if (found == impl_->of.end()) {
      due.erase(due.begin());
      continue;
    }
    Tracked& i = found->second;
    if (i.is_shown && !i.is_counted) {
      if (saturated_sum(i.shown_at, impl_->window) > when) {  // was due as a click; its window is a later entry
        due.erase(due.begin());
        continue;
      }
      Outcome& sum = impl_->sums[{i.segment, i.variant}];  // all that may fail: what was counted before it stays
      i.is_counted = true;
      const bool click = i.is_clicked && impl_->in_window(i);
      sum.segment = i.segment;
      sum.variant = i.variant;
      sum.shown += 1;
      sum.clicks += click;
      ++impl_->counts.shown;
      impl_->counts.clicked += click;
      --impl_->counts.waiting;
      auto entry = due.extract(due.begin());
      entry.key() = saturated_sum(when, saturated_sum(impl_->window, 1));
      due.insert(std::move(entry));
    } else {
      if (!i.is_shown) ++impl_->counts.late;  // a click of nothing
      impl_->of.erase(found);
      due.erase(due.begin());
    }
  }
  return impl_->sums.size();
}

std::vector<Outcome> RewardBook::collect(int64_t now) {
  std::vector<Outcome> outcomes;
  outcomes.reserve(settle(now));
  for (const auto& [cell, sum] : impl_->sums) outcomes.push_back(sum);
  impl_->sums.clear();
  return outcomes;
}

RewardCounts RewardBook::counts() const noexcept { return impl_->counts; }

}  // namespace puna::ads
