// table.h -- the rows that ids stand for, of all features in one table: feature after feature, the surfaces first. A
// row is an embedding [dim] and a weight a task. f32 in training; to serve, f16, or i8: codes with a scale a row, the
// weights f16.
//   f32, f16: dim + tasks values.    i8: scale (f32), dim codes, filled up to 2, tasks f16 values, filled up to 4 bytes
#pragma once
#include "puna/base/context.h"
#include "puna/base/dtype.h"
#include "puna/recsys/ranker_config.h"

namespace puna::recsys {

class RankerTable {
 public:
  RankerTable(const Context& context, const RankerConfig& config, DType dtype);  // uninitialised; dtype: f32, f16 or i8
  // Rows that lie elsewhere, in a mapped file, as long as `keep` lives: read, never written.
  RankerTable(const RankerConfig& config, DType dtype, const std::byte* rows, std::shared_ptr<const void> keep);
  void initialise(uint64_t seed);                                 // f32: embeddings evenly within 0.05, weights zero
  void convert(const Context& context, const RankerTable& from);  // from f32, or from the same type

  // y += weight * embedding, z += weight * first-order weights of a row
  void add_row(float* y, float* z, int64_t row, float weight) const noexcept;
  const float* values(int64_t row) const noexcept { return reinterpret_cast<const float*>(at(row)); }  // f32
  float* values(int64_t row) noexcept { return reinterpret_cast<float*>(at(row)); }  // f32, not mapped
  // Error{bad_file} naming the row, when a value is not finite.
  void require_finite(const Context& context, const std::string& path) const;

  DType dtype() const noexcept { return dtype_; }
  int64_t rows() const noexcept { return count_; }
  int64_t dim() const noexcept { return dim_; }
  int64_t tasks() const noexcept { return tasks_; }
  int64_t row_bytes() const noexcept { return row_bytes_; }
  bool mapped() const noexcept { return mapped_ != nullptr; }
  const std::byte* data() const noexcept { return rows_; }
  std::byte* data() noexcept { return owned_.data(); }  // not mapped
  uint64_t bytes() const noexcept { return uint64_t(count_ * row_bytes_); }
  static int64_t row_bytes(const RankerConfig& config, DType dtype);  // Error{invalid_argument} for other types

 private:
  const std::byte* at(int64_t row) const noexcept { return rows_ + row * row_bytes_; }
  std::byte* at(int64_t row) noexcept { return owned_.data() + row * row_bytes_; }
  void code_row(const KernelTable& k, int64_t row, const float* values) noexcept;

  DType dtype_;
  int64_t count_, dim_, tasks_, row_bytes_;
  Buffer owned_;
  std::shared_ptr<const void> mapped_;
  const std::byte* rows_;  // in owned_, or mapped
};

}  // namespace puna::recsys
