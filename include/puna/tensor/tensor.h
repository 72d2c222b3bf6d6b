// tensor.h -- Shape, View, Tensor, TensorMap: where numbers are and how they are laid out. No arithmetic here.
// Dimensions are outermost first ([rows, cols], row-major), whatever order the file uses.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "puna/base/allocator.h"
#include "puna/base/dtype.h"
#include "puna/tensor/read_mark.h"

namespace puna {

inline constexpr int kMaxRank = 4;

struct Shape {
  int rank = 0;
  int64_t dim[kMaxRank] = {1, 1, 1, 1};
  Shape() = default;
  Shape(std::initializer_list<int64_t> dims);
  int64_t count() const noexcept;
  int64_t operator[](int i) const noexcept { return dim[i < 0 ? rank + i : i]; }
  bool operator==(const Shape& o) const noexcept;
  std::string text() const;  // "[512,64]"
};

// A borrowed, strided block of plain (unquantised) elements. Trivially copyable; strides in elements.
struct View {
  void* data = nullptr;
  DType dtype = DType::f32;
  int rank = 0;
  int64_t dims[kMaxRank] = {1, 1, 1, 1};
  int64_t strides[kMaxRank] = {0, 0, 0, 0};

  View() = default;
  View(void* data, DType dtype, const Shape& shape) noexcept;  // contiguous
  int64_t dim(int i) const noexcept { return dims[i < 0 ? rank + i : i]; }
  float* f32() const noexcept { return static_cast<float*>(data); }
  float* row(int64_t i) const noexcept { return f32() + i * strides[0]; }  // f32 only
  Shape shape() const noexcept;
};

// A view that owns its bytes.
struct Tensor {
  Buffer buffer;
  View view;
};

// A weight matrix [rows = outputs, cols = inputs], plain or block-quantised, packed into panels of 16 rows for the
// kernels (src/kernels/panel.h). Borrowed.
struct Weight {
  const std::byte* panels = nullptr;
  DType dtype = DType::f32;
  int64_t rows = 0, cols = 0;
  int64_t panel_bytes = 0;
  explicit operator bool() const noexcept { return panels != nullptr; }
};

// A gated feed-forward block, dense or one expert of many: gate, up [F,D], down [D,F]; biases [F], [F], [D] or NULL.
struct ExpertWeights {
  Weight gate, up, down;
  const float* gate_bias = nullptr;
  const float* up_bias = nullptr;
  const float* down_bias = nullptr;
};

// One tensor of a checkpoint: its name, type, shape and where its bytes are (inside a mapping or a loaded buffer).
struct TensorEntry {
  std::string name;
  DType dtype = DType::f32;
  Shape shape;
  const std::byte* data = nullptr;
  uint64_t bytes = 0;
};

// A tensor of a file that this library cannot hold: of a type, a rank or a size that it does not have.
struct UnreadableTensor {
  std::string name;
  std::string why;  // "has dtype F4, which is not supported"
};

// Tensors in file order, findable by name. Names are unique. What is found is marked as read. An unreadable tensor is
// an error only when it is looked up.
class TensorMap {
 public:
  void add(TensorEntry entry);  // Error{bad_file} when the name is there already
  void add_unreadable(std::string name, std::string why);
  // NULL when it is not there, Error{unsupported} when it is unreadable. Marks it as read.
  const TensorEntry* find(std::string_view name) const;
  bool contains(std::string_view name) const noexcept { return index_.find(name) != index_.end(); }  // marks nothing
  const std::vector<TensorEntry>& entries() const noexcept { return entries_; }  // all but unreadable ones
  bool was_read(size_t i) const noexcept { return marks_[i].is_set(); }          // entries()[i] was found by name
  const std::vector<UnreadableTensor>& unreadable() const noexcept { return unreadable_; }
  // Names, types and shapes stay.
  void drop_data() noexcept {
    for (TensorEntry& e : entries_) e.data = nullptr;
  }
  size_t size() const noexcept { return entries_.size(); }

 private:
  std::vector<TensorEntry> entries_;
  std::vector<ReadMark> marks_;
  std::vector<UnreadableTensor> unreadable_;
  struct Place {
    size_t at;
    bool readable;
  };
  struct HashView {  // finds without making a string: it could not be made when memory is out
    using is_transparent = void;
    size_t operator()(std::string_view name) const noexcept { return std::hash<std::string_view>()(name); }
  };
  std::unordered_map<std::string, Place, HashView, std::equal_to<>> index_;
};

}  // namespace puna
