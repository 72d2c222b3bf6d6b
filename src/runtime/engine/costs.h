// costs.h -- what passes have cost in time, to choose how many prompt rows the next one takes. Clocks decide when rows
// are computed, never what they are.
#pragma once
#include <algorithm>
#include <cstdint>

namespace puna {

class PassCosts {
 public:
  // A pass has taken so long.
  void learn(int64_t decode_rows, int64_t prompt_rows, double seconds) noexcept {
    if (prompt_rows == 0) {
      if (decode_rows > 0) blend(decode_[bucket(decode_rows)], seconds);
      since_decode_ = 0;
      return;
    }
    ++since_decode_;
    const double base = decode_rows > 0 ? decode_pass(decode_rows) : 0;
    if (decode_rows > 0 && base == 0) return;
    blend(row_, std::max(seconds - base, 0.1 * seconds) / double(prompt_rows));
  }

  // How many prompt rows, of at most `most`, make a pass with these decode rows at most 1 + share times as long. 0: the
  // pass shall decode alone, to learn what that costs.
  int64_t prompt_rows(int64_t decode_rows, int64_t most, double share) const noexcept {
    if (decode_rows == 0) return most;
    const double base = decode_pass(decode_rows);
    if (base == 0 || since_decode_ >= kLookAgain) return 0;
    if (row_ == 0) return std::min<int64_t>(most, kFewest);
    return std::clamp<int64_t>(int64_t(share * base / row_), std::min(most, kFewest), most);
  }

  double decode_pass(int64_t rows) const noexcept {  // 0 = not known
    return rows > 0 ? decode_[bucket(rows)] : 0;
  }
  double prompt_row() const noexcept { return row_; }

 private:
  static constexpr int64_t kFewest = 4, kLookAgain = 64, kBuckets = 12;
  static int64_t bucket(int64_t rows) noexcept {
    int64_t b = 0;
    while (b + 1 < kBuckets && (int64_t(1) << b) < rows) ++b;
    return b;
  }
  static void blend(double& known, double seen) noexcept {
    known = known == 0 ? seen : known + (std::min(seen, 4 * known) - known) / 4;
  }
  double decode_[kBuckets] = {};
  double row_ = 0;
  int64_t since_decode_ = 0;
};

}  // namespace puna
