// python_random.h -- CPython's random.Random(seed).sample(range(n), k): the few-shot examples of lm-evaluation-harness
// are drawn so, and another draw would be another task. MT19937 (Matsumoto and Nishimura 1998) seeded by init_by_array.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace puna::eval {

class PythonRandom {
 public:
  explicit PythonRandom(uint64_t seed);
  // k different numbers below n, in the order of the draw. k <= n.
  std::vector<int64_t> sample(int64_t n, int64_t k);

 private:
  static constexpr size_t kWords = 624;
  uint32_t next();
  int64_t below(int64_t n);  // Random._randbelow: 1 <= n < 2^32
  std::array<uint32_t, kWords> state_;
  size_t at_ = kWords;
};

}  // namespace puna::eval
