// tape_run.h -- a tape as tests of gradients use it: measured, then run; values put on it, gradients set and taken.
#pragma once
#include <complex>
#include <cstring>
#include <memory>
#include <vector>

#include "ops/tape.h"
#include "ref/complex_step.h"
#include "ref/random.h"
#include "support/isa.h"

namespace puna::test {

using Floats = std::vector<float>;
using ref::Complex;
using Vector = std::vector<Complex>;

// Runs build(tape) without memory, then with it.
template <class Build>
void on_tape(const ParameterGradients& parameters, Build&& build, const LoraMap* adapter = nullptr, int threads = 1) {
  const auto executor = make_thread_pool(threads, {});
  std::vector<std::byte> block;
  for (int run = 0; run < 2; ++run) {
    Arena arena;
    if (run == 1) arena = Arena(block.data() + (64 - reinterpret_cast<uintptr_t>(block.data()) % 64) % 64, block.size() - 64);
    Cursor cursor;
    Tape tape(*select_kernels(""), *executor, arena, cursor, true, {}, parameters);
    tape.use(adapter);
    build(tape);
    if (run == 0) block.resize(arena.peak() + 64);
  }
}

inline View put(Tape& rec, const Floats& values, int64_t rows, int64_t cols) {
  const View v = rec.make(rows, cols);
  rec.stage(1, [&](int64_t) { memcpy(v.data, values.data(), values.size() * 4); });
  return v;
}

inline void set_gradient(Tape& rec, View y, const Floats& dy) {
  const View g = rec.gradient(y);
  rec.stage(1, [&](int64_t) { memcpy(g.data, dy.data(), dy.size() * 4); });
}

inline void take(Tape& rec, Floats& to, View value) {
  const View g = rec.gradient(value);
  to.resize(size_t(g.dims[0] * g.dims[1]));
  rec.stage(1, [&](int64_t) { memcpy(to.data(), g.data, to.size() * 4); });
}

inline Complex weighted(const Floats& dy, const Vector& y) {
  Complex sum = 0;
  for (size_t i = 0; i < y.size(); ++i) sum += double(dy[i]) * y[i];
  return sum;
}

inline Complex silu(Complex x) { return x / (1.0 + std::exp(-x)); }

inline Vector complex_of(const Floats& x) { return {x.begin(), x.end()}; }

}  // namespace puna::test
