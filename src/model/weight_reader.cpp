#include "model/weight_reader.h"

#include <algorithm>

#include "base/os.h"
#include "kernels/dequantise.h"
#include "kernels/panel.h"
#include "puna/base/error.h"

namespace puna {

WeightReader::WeightReader(const Context& context, const TensorMap& tensors, LlamaWeights& weights, bool mapped,
                           Llama::Progress progress, WeightStore* store, ScaledLayout scaled)
    : context_(context),
      tensors_(tensors),
      weights_(weights),
      mapped_(mapped),
      progress_(progress),
      store_(store),
      scaled_(std::move(scaled)) {
  for (const TensorEntry& t : tensors.entries()) total_ += t.bytes;
  report(0);
}

void WeightReader::report(uint64_t bytes) const {
  done_ = std::min(done_ + bytes, total_);
  if (progress_ && !progress_(done_, total_)) fail(Status::cancelled, "loading was cancelled by the progress callback");
}

const TensorEntry& WeightReader::entry(const std::string& name, const Shape& expected) const {
  const TensorEntry* t = tensors_.find(name);
  if (!t) fail(Status::bad_file, "tensor '%.200s' is missing, expected %s", name.c_str(), expected.text().c_str());
  if (!(t->shape == expected))
    fail(Status::bad_file, "tensor '%.200s' has shape %s, expected %s", name.c_str(), t->shape.text().c_str(),
         expected.text().c_str());
  if (!is_weight(t->dtype))
    fail(Status::bad_file, "tensor '%.200s' has type %s, which is no weight type", name.c_str(), puna::name(t->dtype));
  const DTypeInfo& type = info(t->dtype);
  const int64_t cols = expected[-1];
  if (cols % type.block != 0 || t->bytes != bytes_of(type, uint64_t(expected.count())))
    fail(Status::bad_file, "tensor '%.200s' has %ju bytes, which %s %s does not take", name.c_str(), t->bytes,
         type.name, expected.text().c_str());
  return *t;
}

WeightStore::Place WeightReader::allocate_place(const Weight& w) const {
  auto buffer = std::make_shared<Buffer>(context_.allocate(size_t(packed_bytes(w)), "packed weights"));
  std::byte* const data = buffer->data();
  weights_.owned.push_back(std::move(buffer));
  return {data, data};
}

Weight WeightReader::pack(const Stored& s, bool in_file) const {
  Weight w;
  w.dtype = s.dtype;
  w.rows = s.rows;
  w.cols = s.cols;
  w.panel_bytes = panel_bytes(s.dtype, s.cols);
  const WeightStore::Place place = store_ ? store_->place(w) : allocate_place(w);
  w.panels = place.panels;
  if (place.fill) {
    context_.executor().run(packed_bytes(w) / w.panel_bytes, [&](int64_t p) {
      const auto* from = reinterpret_cast<const uint8_t*>(s.data) + p * kTileRows * s.row_stride;
      auto* to = reinterpret_cast<uint8_t*>(place.fill) + p * w.panel_bytes;
      pack_panel(to, s.dtype, from, s.row_stride, s.col_stride,
                 int(std::min<int64_t>(kTileRows, s.rows - p * kTileRows)), s.cols);
    });
    if (mapped_ && in_file && s.col_stride == 0) os::drop_mapped_pages(s.data, uint64_t(s.rows * s.row_stride));
  }
  report(uint64_t(s.rows) * bytes_of(info(s.dtype), uint64_t(s.cols)));
  return w;
}

Weight WeightReader::matrix(const std::string& name, int64_t rows, int64_t cols) const {
  return this->rows(name, rows, 0, rows, cols);
}

Weight WeightReader::rows(const std::string& name, int64_t total, int64_t first, int64_t rows, int64_t cols) const {
  if (ScaledMatrix::is_there(tensors_, scaled_, name))
    return scaled_rows(ScaledMatrix(context_, tensors_, scaled_, name, total, cols), total, first, rows, cols);
  const TensorEntry& t = entry(name, {total, cols});
  const int64_t row_bytes = int64_t(bytes_of(info(t.dtype), uint64_t(cols)));
  return pack({t.data + first * row_bytes, t.dtype, rows, cols, row_bytes, 0});
}

Weight WeightReader::scaled_rows(const ScaledMatrix& matrix, int64_t total, int64_t first, int64_t rows,
                                 int64_t cols) const {
  const int64_t row_bytes = int64_t(bytes_of(info(matrix.dtype()), uint64_t(cols)));
  Buffer copy = context_.allocate(size_t(rows * row_bytes), "blocks of quantised weights");
  auto* const to = reinterpret_cast<uint8_t*>(copy.data());
  context_.executor().run(rows, [&](int64_t r) { matrix.write_row(to + r * row_bytes, first + r); });
  const Weight w = pack({copy.data(), matrix.dtype(), rows, cols, row_bytes, 0}, /*in_file=*/false);
  const TensorEntry& codes = matrix.codes();
  if (mapped_ && rows == total) os::drop_mapped_pages(codes.data, codes.bytes);
  return w;
}

const float* WeightReader::vector(const std::string& name, int64_t count, float added) const {
  const TensorEntry& t = entry(name, {count});
  auto buffer = std::make_shared<Buffer>(context_.allocate(size_t(count) * 4, "a vector of weights"));
  auto* values = reinterpret_cast<float*>(buffer->data());
  dequantise_row(context_.kernels(), values, t.dtype, t.data, count);
  for (int64_t i = 0; added != 0 && i < count; ++i) values[i] += added;
  weights_.owned.push_back(std::move(buffer));
  return values;
}

const float* WeightReader::part_of_row(const std::string& name, int64_t index, int64_t rows, int64_t cols,
                                       int64_t first, int64_t step, int64_t count) const {
  const TensorEntry& t = entry(name, {rows, cols});
  std::vector<float> row(static_cast<size_t>(cols));
  dequantise_row(context_.kernels(), row.data(), t.dtype,
                 t.data + index * int64_t(bytes_of(info(t.dtype), uint64_t(cols))), cols);
  auto buffer = std::make_shared<Buffer>(context_.allocate(size_t(count) * 4, "a vector of weights"));
  auto* values = reinterpret_cast<float*>(buffer->data());
  for (int64_t i = 0; i < count; ++i) values[i] = row[size_t(first + i * step)];
  weights_.owned.push_back(std::move(buffer));
  return values;
}

// A tensor of plain bytes.
const TensorEntry& WeightReader::bytes(const std::string& name, const Shape& expected) const {
  const TensorEntry* t = tensors_.find(name);
  if (!t) fail(Status::bad_file, "tensor '%.200s' is missing, expected %s", name.c_str(), expected.text().c_str());
  if (!(t->shape == expected) || t->dtype != DType::u8 || t->bytes != uint64_t(expected.count()))
    fail(Status::bad_file, "tensor '%.200s' is %s %s, expected U8 %s", name.c_str(), puna::name(t->dtype),
         t->shape.text().c_str(), expected.text().c_str());
  return *t;
}

Weight WeightReader::mxfp4(const std::string& name, int64_t index, int64_t count, int64_t total, int64_t first,
                           int64_t step, int64_t rows, int64_t cols) const {
  constexpr int64_t kBlock = 32, kHalf = 16;
  if (cols % kBlock != 0)
    fail(Status::bad_file, "tensor '%.200s_blocks': rows of %jd values are no whole blocks of 32", name.c_str(), cols);
  const int64_t blocks = cols / kBlock, row_bytes = blocks * (kHalf + 1);
  const TensorEntry &quants = bytes(name + "_blocks", {count, total, blocks, kHalf}),
                    &scales = bytes(name + "_scales", {count, total, blocks});
  Buffer copy = context_.allocate(size_t(rows * row_bytes), "blocks of MXFP4");
  auto* const out = reinterpret_cast<uint8_t*>(copy.data());
  context_.executor().run(rows, [&](int64_t r) {
    const int64_t at = (index * total + first + r * step) * blocks;
    uint8_t* to = out + r * row_bytes;
    const auto* q = reinterpret_cast<const uint8_t*>(quants.data) + at * kHalf;
    const auto* s = reinterpret_cast<const uint8_t*>(scales.data) + at;
    for (int64_t b = 0; b < blocks; ++b, to += kHalf + 1, q += kHalf) {
      to[0] = s[b];
      for (int64_t j = 0; j < kHalf; ++j) {  // GGUF: values j and j + 16
        const auto value = [&](int64_t i) { return q[i / 2] >> 4 * (i % 2) & 15; };
        to[1 + j] = uint8_t(value(j) | value(j + kHalf) << 4);
      }
    }
  });
  return pack({copy.data(), DType::mxfp4, rows, cols, row_bytes, 0}, /*in_file=*/false);
}

Weight WeightReader::stacked_rows(const std::string& name, int64_t index, int64_t count, int64_t total, int64_t first,
                                  int64_t rows, int64_t cols) const {
  const TensorEntry& t = entry(name, {count, total, cols});
  const int64_t row_bytes = int64_t(bytes_of(info(t.dtype), uint64_t(cols)));
  return pack({t.data + (index * total + first) * row_bytes, t.dtype, rows, cols, row_bytes, 0});
}

Weight WeightReader::stacked_transposed(const std::string& name, int64_t index, int64_t count, int64_t out_total,
                                        int64_t first, int64_t rows, int64_t cols, int64_t step) const {
  const TensorEntry& t = entry(name, {count, cols, out_total});
  if (is_quantised(t.dtype))
    fail(Status::unsupported, "tensor '%.200s' is stored [in,out] and quantised (%s)", name.c_str(),
         puna::name(t.dtype));
  const int64_t element = info(t.dtype).bytes;
  return pack({t.data + (index * cols * out_total + first) * element, t.dtype, rows, cols, element * step,
               out_total * element});
}

void require_same_types(const LlamaLayer& layer, int64_t index) {
  for (size_t e = 0; e < layer.experts.size(); ++e) {
    const ExpertWeights &a = layer.experts[0], &b = layer.experts[e];
    if (a.gate.dtype != b.gate.dtype || a.up.dtype != b.up.dtype || a.down.dtype != b.down.dtype)
      fail(Status::unsupported, "layer %jd: expert %zu is stored in other types than expert 0, which is not supported",
           index, e);
  }
}

}  // namespace puna
