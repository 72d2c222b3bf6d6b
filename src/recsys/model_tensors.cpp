#include "recsys/model_tensors.h"

#include <cmath>
#include <cstring>

#include "kernels/kernel_table.h"
#include "puna/base/error.h"
#include "puna/train/parameters.h"

namespace puna::recsys {
namespace {

// visit(index in the file, place in the piece) for every value.
template <class Visit>
void each_value(const ModelTensor& t, Visit&& visit) {
  int64_t first = 0, all_rows = 0;
  for (const TensorPiece& p : t.pieces) all_rows += p.rows;
  for (const TensorPiece& p : t.pieces) {
    for (int64_t r = 0; r < p.rows; ++r)
      for (int64_t c = 0; c < p.cols; ++c)
        visit(size_t(t.transposed ? c * all_rows + first + r : (first + r) * p.cols + c),
              p.values + (p.panels ? (r / kTileRows * p.cols + c) * kTileRows + r % kTileRows : r * p.cols + c));
    first += p.rows;
  }
}

}  // namespace

std::vector<float> ModelTensor::read() const {
  std::vector<float> values(size_t(shape.count()));
  each_value(*this, [&](size_t i, const float* at) { values[i] = *at; });
  return values;
}

void ModelTensor::write(std::span<const float> values) {
  PUNA_INVARIANT(int64_t(values.size()) == shape.count());
  each_value(*this, [&](size_t i, float* at) { *at = values[i]; });
}

void ModelTensors::tensor(std::string name, Shape shape, bool transposed) {
  tensors.push_back({std::move(name), shape, transposed, {}});
}

TensorPiece& ModelTensors::piece(int64_t stored, int64_t rows, int64_t cols, bool panels) {
  ModelTensor& t = tensors.back();
  owned_.push_back(context_.allocate(size_t(stored) * sizeof(float), "a recommender's parameters"));
  memset(owned_.back().data(), 0, owned_.back().size());
  const std::string name = t.pieces.empty() ? t.name : t.name + "." + std::to_string(t.pieces.size());
  t.pieces.push_back({name, reinterpret_cast<float*>(owned_.back().data()), stored, rows, cols, panels});
  return t.pieces.back();
}

float* ModelTensors::vector(int64_t rows, int64_t cols) { return piece(rows * cols, rows, cols, false).values; }

Weight ModelTensors::matrix(int64_t rows, int64_t cols) {
  const int64_t panel = cols * kTileRows;
  const TensorPiece& p = piece((rows + kTileRows - 1) / kTileRows * panel, rows, cols, true);
  return {reinterpret_cast<const std::byte*>(p.values), DType::f32, rows, cols, panel * int64_t(sizeof(float))};
}

std::vector<OutputTensor> ModelTensors::outputs() const {
  std::vector<OutputTensor> all;
  for (const ModelTensor& t : tensors)
    all.push_back({t.name, DType::f32, t.shape, nullptr, [&t](FunctionRef<void(const void*, uint64_t)> write) {
                     const std::vector<float> values = t.read();
                     write(values.data(), values.size() * sizeof(float));
                   }});
  return all;
}

void ModelTensors::read_from(const TensorMap& file, const std::string& path) {
  for (ModelTensor& t : tensors) {
    const TensorEntry* const from = file.find(t.name);
    if (!from || from->dtype != DType::f32 || !(from->shape == t.shape))
      fail(Status::bad_file, "%s: tensor '%s' is missing or not F32 %s", path.c_str(), t.name.c_str(),
           t.shape.text().c_str());
    std::vector<float> values(size_t(t.shape.count()));
    memcpy(values.data(), from->data, values.size() * sizeof(float));
    for (const float v : values)
      if (!std::isfinite(v))
        fail(Status::bad_file, "%s: tensor '%s' has a value that is not finite", path.c_str(), t.name.c_str());
    t.write(values);
  }
}

train::Parameters parameters_of(const ContextPtr& context, std::span<ModelTensor> tensors) {
  train::Parameters parameters(context);
  for (const ModelTensor& t : tensors)
    for (const TensorPiece& p : t.pieces) parameters.track(p.name, p.values, p.stored);
  return parameters;
}

}  // namespace puna::recsys
