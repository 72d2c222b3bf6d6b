// prompt_lookup.cpp -- a hash of n-grams over the history, each new token one entry: linear memory, constant time.
#include "runtime/generate/prompt_lookup.h"

#include <algorithm>

namespace puna {
namespace {

constexpr int64_t kNgram = 3, kLongestMatch = 64;
constexpr int kPlacesTried = 32;  // of one bucket: a text of one word repeated must not cost more than others

}  // namespace

bool PromptLookup::propose(const DraftRequest& request, Draft& draft, FunctionRef<bool()>) {
  const std::span<const int32_t> history = request.history;
  const int64_t size = int64_t(history.size());
  if (size < kNgram) return true;
  index(history.first(history.size() - 1));
  const Match match = longest_match(history);
  if (match.length == 0) return true;
  last_ = &length_for(match.length);
  const int64_t count = last_->best(std::min(most_, request.most), request.credit);
  if (count == 0) last_->passed_over();
  draft.tokens.reserve(size_t(count));
  // Where it reaches the history's end it goes on with itself: what repeats is quoted for as long as is asked.
  for (int64_t i = 0; i < count; ++i) {
    const int64_t from = match.end + i;
    draft.tokens.push_back(from < size ? history[size_t(from)] : draft.tokens[size_t(from - size)]);
  }
  return true;
}

PromptLookup::Match PromptLookup::longest_match(std::span<const int32_t> history) const noexcept {
  const int64_t size = int64_t(history.size());
  Match best;
  int tried = 0;
  for (int64_t end = latest_[bucket(history, size)]; end > 0 && tried < kPlacesTried; end = earlier_[size_t(end - 1)]) {
    ++tried;
    const int64_t limit = std::min(end, kLongestMatch);
    int64_t length = 0;
    while (length < limit && history[size_t(end - 1 - length)] == history[size_t(size - 1 - length)]) ++length;
    if (length >= kNgram && length > best.length) best = {end, length};
    if (length == kLongestMatch) break;
  }
  return best;
}

void PromptLookup::index(std::span<const int32_t> history) {
  const size_t size = history.size();
  if (earlier_.size() >= size && !latest_.empty()) return;
  if (latest_.size() < size) grow_buckets(history, size);
  earlier_.reserve(size > earlier_.capacity() ? 2 * size : size);
  for (int64_t end = int64_t(earlier_.size()) + 1; end <= int64_t(size); ++end) add(history, end);
}

void PromptLookup::grow_buckets(std::span<const int32_t> history, size_t tokens) {
  size_t buckets = 256;
  while (buckets < 2 * tokens) buckets *= 2;
  std::vector<int32_t> larger(buckets, 0);
  latest_.swap(larger);
  const int64_t indexed = int64_t(earlier_.size());
  earlier_.clear();
  for (int64_t end = 1; end <= indexed; ++end) add(history, end);
}

size_t PromptLookup::bucket(std::span<const int32_t> history, int64_t end) const noexcept {
  uint64_t hash = 0;
  for (int64_t i = end - kNgram; i < end; ++i) hash = (hash ^ uint32_t(history[size_t(i)])) * 0x9E3779B97F4A7C15;
  return size_t(hash >> 32) & (latest_.size() - 1);
}

void PromptLookup::add(std::span<const int32_t> history, int64_t end) noexcept {
  if (end < kNgram) {
    earlier_.push_back(0);
    return;
  }
  int32_t& latest = latest_[bucket(history, end)];
  earlier_.push_back(latest);
  latest = int32_t(end);
}

DraftLength& PromptLookup::length_for(int64_t match) noexcept { return lengths_[match < 6 ? 0 : match < 16 ? 1 : 2]; }

void PromptLookup::learn(int64_t drafted, int64_t accepted) noexcept { last_->learn(drafted, accepted); }

void PromptLookup::forget() noexcept {
  latest_.clear();
  earlier_.clear();
}

}  // namespace puna
