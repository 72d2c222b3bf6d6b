#include "puna/tensor/tensor.h"

#include "puna/base/error.h"

namespace puna {

Shape::Shape(std::initializer_list<int64_t> dims) {
  PUNA_INVARIANT(dims.size() <= size_t(kMaxRank));
  for (const int64_t d : dims) dim[rank++] = d;
}

int64_t Shape::count() const noexcept {
  int64_t n = 1;
  for (int i = 0; i < rank; ++i) n *= dim[i];
  return n;
}

bool Shape::operator==(const Shape& o) const noexcept {
  if (rank != o.rank) return false;
  for (int i = 0; i < rank; ++i)
    if (dim[i] != o.dim[i]) return false;
  return true;
}

std::string Shape::text() const {
  std::string s = "[";
  for (int i = 0; i < rank; ++i) {
    if (i > 0) s.push_back(',');
    s.append(std::to_string(dim[i]));
  }
  s.push_back(']');
  return s;
}

View::View(void* data_, DType dtype_, const Shape& shape) noexcept : data(data_), dtype(dtype_), rank(shape.rank) {
  int64_t stride = 1;
  for (int i = rank - 1; i >= 0; --i) {
    dims[i] = shape.dim[i];
    strides[i] = stride;
    stride *= dims[i];
  }
}

Shape View::shape() const noexcept {
  Shape s;
  s.rank = rank;
  for (int i = 0; i < rank; ++i) s.dim[i] = dims[i];
  return s;
}

void TensorMap::add(TensorEntry entry) {
  if (!index_.emplace(entry.name, Place{entries_.size(), true}).second)
    fail(Status::bad_file, "tensor '%.200s' appears twice", entry.name.c_str());
  entries_.push_back(std::move(entry));
  marks_.emplace_back();
}

void TensorMap::add_unreadable(std::string name, std::string why) {
  if (!index_.emplace(name, Place{unreadable_.size(), false}).second)
    fail(Status::bad_file, "tensor '%.200s' appears twice", name.c_str());
  unreadable_.push_back({std::move(name), std::move(why)});
}

const TensorEntry* TensorMap::find(std::string_view name) const {
  const auto it = index_.find(name);
  if (it == index_.end()) return nullptr;
  const auto& [at, readable] = it->second;
  if (!readable)
    fail(Status::unsupported, "tensor '%.200s' %s", unreadable_[at].name.c_str(), unreadable_[at].why.c_str());
  marks_[at].set();
  return &entries_[at];
}

}  // namespace puna
