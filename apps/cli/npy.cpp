#include "npy.h"

#include <charconv>

#include "base/copy_bytes.h"
#include "base/os.h"
#include "puna/base/checked.h"
#include "puna/base/error.h"

namespace puna::cli {
namespace {

constexpr std::string_view kMagic("\x93NUMPY\x01\x00", 8);

[[noreturn]] void reject(const std::string& path) {
  fail(Status::bad_file, "%s: expected a .npy file of float32 in C order", path.c_str());
}

// The numbers of "'shape': (10, 3, 56, 56), ".
std::vector<int64_t> shape_of(const std::string& path, std::string_view header) {
  const size_t open = header.find('(', header.find("'shape'")), close = header.find(')', open);
  if (open == header.npos || close == header.npos) reject(path);
  std::vector<int64_t> shape;
  for (const char *p = header.data() + open + 1, *end = header.data() + close; p < end;) {
    if (*p == ' ' || *p == ',') {
      ++p;
      continue;
    }
    int64_t n = 0;
    const auto [after, error] = std::from_chars(p, end, n);
    if (error != std::errc() || n < 0) reject(path);
    shape.push_back(n);
    p = after;
  }
  return shape;
}

}  // namespace

std::string npy_header(const std::vector<int64_t>& shape) {
  std::string dims;
  for (const int64_t n : shape) dims += std::to_string(n) + (shape.size() == 1 ? "," : ", ");
  if (shape.size() > 1) dims.resize(dims.size() - 2);
  std::string text = "{'descr': '<f4', 'fortran_order': False, 'shape': (" + dims + "), }";
  constexpr size_t kPrefix = 10;
  text.append(63 - (kPrefix + text.size()) % 64, ' ').push_back('\n');
  return std::string(kMagic) + char(text.size() & 0xff) + char(text.size() >> 8) + text;
}

void write_npy(const std::string& path, const std::vector<int64_t>& shape, const float* values) {
  int64_t count = 1;
  for (const int64_t n : shape) count *= n;
  os::AtomicFile file(path);
  const std::string header = npy_header(shape);
  file.write(header.data(), header.size());
  file.write(values, size_t(count) * sizeof(float));
  file.commit();
}

Array read_npy(const std::string& path) {
  const std::string bytes = os::read_file(path, uint64_t(4) << 30);
  if (bytes.size() < 10 || bytes.substr(0, 8) != kMagic) reject(path);
  const size_t start = 10 + (uint8_t(bytes[8]) | size_t(uint8_t(bytes[9])) << 8);
  if (start > bytes.size()) reject(path);
  const std::string_view header(bytes.data() + 10, start - 10);
  if (header.find("'<f4'") == header.npos || header.find("'fortran_order': False") == header.npos) reject(path);
  Array a{shape_of(path, header), {}};
  Size count = 1;
  for (const int64_t n : a.shape) count *= Size::from_signed(n);
  const uint64_t values = (count * 4).take(bytes.size() - start, "%s: size of the array", path.c_str()) / 4;
  a.values.resize(size_t(values));
  copy_bytes(a.values.data(), bytes.data() + start, size_t(values) * 4);
  return a;
}

}  // namespace puna::cli
