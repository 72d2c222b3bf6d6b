// output_stream.cpp -- buffered writing, and the checks of tensors that both writers share.
#include "io/output_stream.h"

#include <algorithm>
#include <set>

#include "io/file_tensors.h"

namespace puna::io {

void OutputStream::write(const void* data, uint64_t bytes) {
  constexpr size_t kBuffer = 256 * 1024;
  position_ += bytes;
  if (bytes >= kBuffer) {
    flush();
    file_.write(data, bytes);
    return;
  }
  if (buffer_.size() + bytes > kBuffer) flush();
  const auto* p = static_cast<const char*>(data);
  buffer_.insert(buffer_.end(), p, p + bytes);
}

void OutputStream::pad_to(uint64_t multiple, char fill) {
  const std::string padding((multiple - position_ % multiple) % multiple, fill);
  write(padding.data(), padding.size());
}

void OutputStream::flush() {
  file_.write(buffer_.data(), buffer_.size());
  buffer_.clear();
}

void OutputStream::commit() {
  flush();
  file_.commit();
}

TensorEntry checked_entry(const std::string& file, const OutputTensor& tensor) {
  if (tensor.shape.rank < 0 || tensor.shape.rank > kMaxRank)
    fail_in(file, Status::invalid_argument, "tensor '%s' has rank %d", display(tensor.name).c_str(), tensor.shape.rank);
  uint64_t dims[kMaxRank] = {};
  std::copy_n(tensor.shape.dim, kMaxRank, dims);  // a negative one becomes huge, which make_entry refuses
  return make_entry(file, tensor.name, tensor.dtype, {dims, size_t(tensor.shape.rank)}, Status::invalid_argument);
}

void write_tensor(OutputStream& out, const std::string& file, const OutputTensor& tensor, uint64_t bytes) {
  const std::string shown = display(tensor.name);
  if (tensor.data != nullptr) return out.write(tensor.data, bytes);
  if (!tensor.produce)
    fail_in(file, Status::invalid_argument, "tensor '%s' has neither data nor a producer", shown.c_str());
  uint64_t left = bytes;
  tensor.produce([&](const void* piece, uint64_t n) {
    if (n > left)
      fail_in(file, Status::invalid_argument, "the producer of tensor '%s' gave more than its %ju bytes", shown.c_str(),
              bytes);
    out.write(piece, n);
    left -= n;
  });
  if (left != 0)
    fail_in(file, Status::invalid_argument, "the producer of tensor '%s' gave %ju bytes, expected %ju", shown.c_str(),
            bytes - left, bytes);
}

void check_names_unique(const std::string& file, std::span<const OutputTensor> tensors) {
  std::set<std::string_view> names;
  for (const OutputTensor& t : tensors) {
    check_name(file, "tensor name", t.name);
    if (!names.insert(t.name).second)
      fail_in(file, Status::invalid_argument, "tensor '%s' is given twice", display(t.name).c_str());
  }
}

}  // namespace puna::io
