// output_stream.h -- an atomic file written through a buffer: position, padding, and tensors whose size is checked.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "base/os.h"
#include "puna/io/output_tensor.h"

namespace puna::io {

class OutputStream {
 public:
  explicit OutputStream(const std::string& path) : file_(path) {}
  void write(const void* data, uint64_t bytes);
  void pad_to(uint64_t multiple, char fill = '\0');
  uint64_t position() const noexcept { return position_; }
  void commit();  // the file appears under its name

 private:
  void flush();

  os::AtomicFile file_;
  std::vector<char> buffer_;
  uint64_t position_ = 0;
};

// Checks a tensor to be written (Error{invalid_argument}); `file` is for the message. Its bytes and range are in the
// entry.
TensorEntry checked_entry(const std::string& file, const OutputTensor& tensor);
// Writes exactly entry.bytes or throws.
void write_tensor(OutputStream& out, const std::string& file, const OutputTensor& tensor, uint64_t bytes);
void check_names_unique(const std::string& file, std::span<const OutputTensor> tensors);

}  // namespace puna::io
