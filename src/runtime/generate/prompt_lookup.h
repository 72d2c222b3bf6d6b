// prompt_lookup.h -- drafts out of the conversation itself: what followed the last few tokens when they stood there
// before (prompt lookup decoding). It costs next to nothing and is right where an answer quotes, edits or repeats.
#pragma once
#include <array>
#include <cstdint>
#include <vector>

#include "runtime/generate/draft_length.h"
#include "runtime/generate/draft_source.h"

namespace puna {

class PromptLookup final : public DraftSource {
 public:
  explicit PromptLookup(int64_t most) noexcept : most_(most) {}
  bool propose(const DraftRequest& request, Draft& draft, FunctionRef<bool()> pause) override;
  void learn(int64_t drafted, int64_t accepted) noexcept override;
  void forget() noexcept override;

 private:
  struct Match {
    int64_t end = 0, length = 0;  // history[end - length, end) are the history's last tokens
  };
  Match longest_match(std::span<const int32_t> history) const noexcept;
  void index(std::span<const int32_t> history);
  void grow_buckets(std::span<const int32_t> history, size_t tokens);
  size_t bucket(std::span<const int32_t> history, int64_t end) const noexcept;
  void add(std::span<const int32_t> history, int64_t end) noexcept;
  DraftLength& length_for(int64_t match) noexcept;

  int64_t most_;
  // The places where n-grams end, by hash: the latest of each bucket, and the one before each.
  std::vector<int32_t> latest_;
  std::vector<int32_t> earlier_;  // [indexed tokens]
  // By how long the match is: a chance agreement of three tokens says less than twenty in a row.
  std::array<DraftLength, 3> lengths_{DraftLength(0.6, 0), DraftLength(0.8, 0), DraftLength(0.97, 0)};
  DraftLength* last_ = &lengths_[0];
};

}  // namespace puna
