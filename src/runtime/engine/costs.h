// costs.h -- how many prompt rows the next pass takes, so that a pass which also decodes is at most 1 + share times as
// long as without them. The measure is work: what a row multiplies grows with the positions that it attends to. Clocks
// say what a unit of work costs here and now, and so decide when rows are computed, never what they are.
//
//   seconds = what so many decode rows take alone + prompt work * the price of a unit among so many prompt rows
//
// Both are kept by powers of two of the rows, as many rows read the weights once. Each is the median of the last five
// passes that say something about it: a pass that another program interrupted changes nothing.
#pragma once
#include <algorithm>
#include <array>
#include <cstdint>

#include "puna/model/config.h"

namespace puna {

struct Work {
  int64_t rows = 0;
  double units = 0;  // 1 = a row that attends to nothing
};

// The work of a model's rows.
class RowWork {
 public:
  explicit RowWork(const LlamaConfig& c) : c_(c) {
    const double D = double(c.hidden), Q = double(c.heads * c.head_dim), KV = double(c.kv_heads * c.head_dim);
    double products = 0;  // of the weights, once
    for (int64_t l = 0; l < c.layers; ++l) {
      products += 2 * D * (Q + KV) + 3 * D * double(c.ffn);
      if (c.experts > 0 && c.is_moe[size_t(l)]) products += double(c.experts_per_token) * 3 * D * double(c.expert_ffn);
      const bool part = c.chunked(l) || c.sliding(l);  // all such layers are of one kind
      (part ? some_ : all_) += 1;
      if (part) first_of_kind_ = l;
    }
    attention_ = kFloatProduct * 2 * Q / products;
  }

  double at(int64_t position) const noexcept {
    const int64_t first = some_ > 0 ? c_.first_seen(first_of_kind_, position) : 0;
    return 1 + attention_ * (all_ * double(position + 1) + some_ * double(position + 1 - first));
  }

 private:
  // Attention multiplies floats, weights are multiplied as integers, four at once. What is wrong with that here, the
  // price follows as a prompt goes deeper.
  static constexpr double kFloatProduct = 4;
  const LlamaConfig& c_;
  double attention_ = 0, all_ = 0, some_ = 0;
  int64_t first_of_kind_ = 0;
};

class PassCosts {
 public:
  void learn(int64_t decode_rows, const Work& prompt, double seconds) noexcept {
    ++passes_;
    if (prompt.rows == 0) {
      if (decode_rows > 0) decode_[bucket(decode_rows)].learn(seconds, passes_);
      since_decode_ = 0;
      return;
    }
    ++since_decode_;
    const double alone = decode_seconds(decode_rows);
    if (decode_rows > 0 && alone == 0) return;
    prompt_[bucket(prompt.rows)].learn(std::max(seconds - alone, 0.02 * seconds) / prompt.units, passes_);
  }

  // What a pass of so many decode rows alone takes; 0 = not known.
  double decode_seconds(int64_t rows) const noexcept { return rows > 0 ? decode_[bucket(rows)].value() : 0; }

  // The prompt work of a pass with so many decode rows: at most `most` rows, and about as many units. No rows: the pass
  // shall decode alone, to learn what that costs. `row`: the units of one of the prompts' next rows.
  Work prompt_work(int64_t decode_rows, int64_t most, double row, double share) const noexcept {
    constexpr double kNoLimit = 1e300;
    if (decode_rows == 0) return {most, kNoLimit};
    const double seconds = share * decode_seconds(decode_rows);
    if (seconds == 0 || since_decode_ >= kLookAgain) return {};
    for (size_t b = kBuckets - 1; b > 0; --b) {
      const int64_t fewest = (int64_t(1) << (b - 1)) + 1, rows = std::min(most, int64_t(1) << b);
      if (rows < fewest) continue;
      const double price = prompt_price(b);
      if (price == 0) return {std::min(most, kFirst), kNoLimit};
      if (const double units = seconds / price; units >= double(fewest) * row) return {rows, units};
    }
    return {1, kNoLimit};  // a prompt always goes on
  }

 private:
  static constexpr size_t kBuckets = 18;  // bucket b: up to 2^b rows
  static constexpr int64_t kLookAgain = 64, kFirst = 4, kForgotten = 1024;
  static size_t bucket(int64_t rows) noexcept {
    size_t b = 0;
    while (b + 1 < kBuckets && (int64_t(1) << b) < rows) ++b;
    return b;
  }

  class Recent {  // the median of the last five
   public:
    void learn(double seen, int64_t now) noexcept {
      if (!known(now)) count_ = 0;
      when_ = now;
      seen_[size_t(count_++) % seen_.size()] = seen;
      std::array<double, 5> sorted{};
      const size_t n = std::min(size_t(count_), sorted.size());
      for (size_t i = 0; i < n; ++i) {
        size_t at = i;
        for (; at > 0 && sorted[at - 1] > seen_[i]; --at) sorted[at] = sorted[at - 1];
        sorted[at] = seen_[i];
      }
      value_ = sorted[(n - 1) / 2];
    }
    double value() const noexcept { return value_; }  // 0 = not known
    bool known(int64_t now) const noexcept { return value_ > 0 && now - when_ <= kForgotten; }

   private:
    std::array<double, 5> seen_{};
    int64_t count_ = 0, when_ = 0;
    double value_ = 0;
  };

  // A unit's seconds in passes with so many prompt rows; where there were none for long, by those with fewer rows, or
  // with more: in twice as many a row is a fifth cheaper. 0 = nothing is known.
  double prompt_price(size_t b) const noexcept {
    double factor = 1;
    for (size_t i = b + 1; i-- > 0; factor *= 0.8)
      if (prompt_[i].known(passes_)) return factor * prompt_[i].value();
    factor = 1;
    for (size_t i = b; i < kBuckets; ++i, factor *= 1.25)
      if (prompt_[i].known(passes_)) return factor * prompt_[i].value();
    return 0;
  }

  Recent decode_[kBuckets];  // seconds
  Recent prompt_[kBuckets];  // seconds a unit
  int64_t passes_ = 0, since_decode_ = 0;
};

}  // namespace puna
