// on_tape.h -- a piece of a model recorded by a tape: measured without memory, then run; matrices put into it and taken
// out of it.
#pragma once
#include <cstring>
#include <vector>

#include "ops/tape.h"
#include "support/isa.h"

namespace puna::test {

struct TapeOptions {
  int threads = 1;
  bool exact = true;
  const LoraMap* adapter = nullptr;
  GemmPermission permission = {};
};

template <class Build>
void on_tape(const ParameterGradients& parameters, Build&& build, const TapeOptions& options = {}) {
  const auto executor = make_thread_pool(options.threads, {});
  std::vector<std::byte> block;
  for (int run = 0; run < 2; ++run) {
    Arena arena;
    if (run == 1)
      arena = Arena(block.data() + (64 - reinterpret_cast<uintptr_t>(block.data()) % 64) % 64, block.size() - 64);
    Cursor cursor;
    Tape tape(*select_kernels(""), *executor, arena, cursor, options.exact, {}, parameters);
    tape.use(options.adapter);
    tape.allow(options.permission);
    build(tape);
    if (run == 0) block.resize(arena.peak() + 64);
  }
}

inline View put(Tape& rec, const std::vector<float>& values, int64_t rows, int64_t cols) {
  const View v = rec.make(rows, cols);
  rec.stage(1, [&](int64_t) { memcpy(v.data, values.data(), values.size() * 4); });
  return v;
}

inline void set_gradient(Tape& rec, View y, const std::vector<float>& dy) {
  const View g = rec.gradient(y);
  rec.stage(1, [&](int64_t) { memcpy(g.data, dy.data(), dy.size() * 4); });
}

inline void take_values(Tape& rec, std::vector<float>& to, View v) {
  to.resize(size_t(v.dims[0] * v.dims[1]));
  rec.stage(1, [&](int64_t) { memcpy(to.data(), v.data, to.size() * 4); });
}

inline void take(Tape& rec, std::vector<float>& to, View value) { take_values(rec, to, rec.gradient(value)); }

}  // namespace puna::test
