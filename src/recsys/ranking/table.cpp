#include "recsys/ranking/table.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <cstring>

#include "base/fp_env.h"
#include "kernels/kernel_table.h"
#include "puna/base/error.h"
#include "puna/base/philox.h"

namespace puna::recsys {
namespace {

constexpr float kFirstEmbeddings = 0.05f;
constexpr int64_t kRowsPerTile = 1024;

template <class Fn>
void for_table_rows(const Context& context, int64_t rows, Fn&& fn) {
  const FpEnv fp_env;
  context.executor().run((rows + kRowsPerTile - 1) / kRowsPerTile, [&](int64_t tile) {
    for (int64_t r = tile * kRowsPerTile, end = std::min(rows, r + kRowsPerTile); r < end; ++r) fn(r);
  });
}

// Exact: an exponent field moved down by 112 is a product with 2^112; infinity and NaN keep theirs.
float value_of_f16(uint16_t h) noexcept {
  const uint32_t sign = uint32_t(h & 0x8000u) << 16, rest = uint32_t(h & 0x7FFFu) << 13;
  const float finite = std::bit_cast<float>(rest) * 0x1p112f;
  return std::bit_cast<float>((h & 0x7C00u) == 0x7C00u ? sign | rest | 0x7F800000u
                                                       : sign | std::bit_cast<uint32_t>(finite));
}

uint16_t f16_at(const std::byte* p) noexcept {
  uint16_t h;
  memcpy(&h, p, 2);
  return h;
}

void add_f16(float* y, const std::byte* from, float weight, int64_t n) noexcept {
  for (int64_t i = 0; i < n; ++i) y[i] += weight * value_of_f16(f16_at(from + 2 * i));
}

void add_f32(float* y, const float* from, float weight, int64_t n) noexcept {
  for (int64_t i = 0; i < n; ++i) y[i] += weight * from[i];
}

int64_t codes_end(int64_t dim) noexcept { return (4 + dim + 1) / 2 * 2; }

}  // namespace

int64_t RankerTable::row_bytes(const RankerConfig& c, DType dtype) {
  const int64_t tasks = int64_t(c.tasks.size());
  if (dtype == DType::f32) return (c.dim + tasks) * 4;
  if (dtype == DType::f16) return (c.dim + tasks) * 2;
  PUNA_REQUIRE(dtype == DType::i8, "a ranker's table is %s, expected F32, F16 or I8", name(dtype));
  return (codes_end(c.dim) + 2 * tasks + 3) / 4 * 4;
}

RankerTable::RankerTable(const Context& context, const RankerConfig& c, DType dtype)
    : dtype_(dtype),
      count_(c.table_rows()),
      dim_(c.dim),
      tasks_(int64_t(c.tasks.size())),
      row_bytes_(row_bytes(c, dtype)),
      owned_(context.allocate(size_t(bytes()), "a ranker's table")),
      rows_(owned_.data()) {}

RankerTable::RankerTable(const RankerConfig& c, DType dtype, const std::byte* rows, std::shared_ptr<const void> keep)
    : dtype_(dtype),
      count_(c.table_rows()),
      dim_(c.dim),
      tasks_(int64_t(c.tasks.size())),
      row_bytes_(row_bytes(c, dtype)),
      mapped_(std::move(keep)),
      rows_(rows) {}

void RankerTable::initialise(uint64_t seed) {
  for (int64_t r = 0; r < count_; ++r) {
    float* const row = values(r);
    for (int64_t d = 0; d < dim_; d += 4) {
      const Philox bits = philox(seed, uint64_t(r) << 16 | uint64_t(d / 4));
      for (int64_t j = 0; j < 4 && d + j < dim_; ++j)
        row[d + j] = kFirstEmbeddings * (float(bits.word[j] >> 8) * 0x1p-23f - 1.0f);
    }
    std::fill_n(row + dim_, tasks_, 0.0f);
  }
}

void RankerTable::code_row(const KernelTable& k, int64_t r, const float* from) noexcept {
  std::byte* const row = at(r);
  float largest = 0;
  for (int64_t d = 0; d < dim_; ++d) largest = std::max(largest, std::fabs(from[d]));
  const float scale = largest / 127.0f;
  memset(row, 0, size_t(row_bytes_));
  memcpy(row, &scale, 4);
  for (int64_t d = 0; d < dim_; ++d) row[4 + d] = std::byte(int8_t(scale > 0 ? std::lrintf(from[d] / scale) : 0));
  uint16_t halves[32];
  k.to_f16(halves, from + dim_, tasks_);
  memcpy(row + codes_end(dim_), halves, size_t(tasks_) * 2);
}

void RankerTable::convert(const Context& context, const RankerTable& from) {
  if (dtype_ == from.dtype_) {
    memcpy(owned_.data(), from.rows_, size_t(bytes()));
    return;
  }
  PUNA_REQUIRE(from.dtype_ == DType::f32, "the table is %s already; only one of F32 can be made smaller",
               name(from.dtype_));
  for_table_rows(context, count_, [&](int64_t r) {
    if (dtype_ == DType::i8)
      code_row(context.kernels(), r, from.values(r));
    else
      context.kernels().to_f16(reinterpret_cast<uint16_t*>(at(r)), from.values(r), dim_ + tasks_);
  });
}

void RankerTable::add_row(float* y, float* z, int64_t r, float weight) const noexcept {
  const std::byte* const row = at(r);
  if (dtype_ == DType::f32) {
    add_f32(y, values(r), weight, dim_);
    add_f32(z, values(r) + dim_, weight, tasks_);
  } else if (dtype_ == DType::f16) {
    add_f16(y, row, weight, dim_);
    add_f16(z, row + 2 * dim_, weight, tasks_);
  } else {
    float scale;
    memcpy(&scale, row, 4);
    scale *= weight;
    for (int64_t d = 0; d < dim_; ++d) y[d] += scale * float(int8_t(row[4 + d]));
    add_f16(z, row + codes_end(dim_), weight, tasks_);
  }
}

void RankerTable::require_finite(const Context& context, const std::string& path) const {
  std::atomic<int64_t> wrong{-1};
  for_table_rows(context, count_, [&](int64_t r) {
    float y[1024] = {}, z[32] = {}, sum = 0;  // dim and tasks are no more
    add_row(y, z, r, 1.0f);
    for (int64_t d = 0; d < dim_; ++d) sum += y[d] * 0.0f;
    for (int64_t t = 0; t < tasks_; ++t) sum += z[t] * 0.0f;
    if (sum != 0.0f) wrong.store(r, std::memory_order_relaxed);
  });
  if (wrong >= 0) fail(Status::bad_file, "%s: row %jd of the table is not finite", path.c_str(), wrong.load());
}

}  // namespace puna::recsys
