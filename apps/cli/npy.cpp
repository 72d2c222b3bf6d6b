#include "npy.h"

#include <charconv>

#include "base/copy_bytes.h"
#include "base/os.h"
#include "puna/base/checked.h"
#include "puna/base/error.h"

namespace puna::cli {
namespace {

constexpr std::string_view kMagic("\x93NUMPY\x01\x00", 8);

// A file's type of values, as its header writes it.
struct ValueType {
  std::string_view descr;
  const char* name;
};
constexpr ValueType kFloats{"'<f4'", "float32"}, kIntegers{"'<i8'", "int64"};

[[noreturn]] void reject(const std::string& path, const ValueType& type) {
  fail(Status::bad_file, "%s: expected a .npy file of %s in C order", path.c_str(), type.name);
}

// The numbers of "'shape': (10, 3, 56, 56), ".
std::vector<int64_t> shape_of(const std::string& path, std::string_view header, const ValueType& type) {
  const size_t open = header.find('(', header.find("'shape'")), close = header.find(')', open);
  if (open == header.npos || close == header.npos) reject(path, type);
  std::vector<int64_t> shape;
  for (const char *p = header.data() + open + 1, *end = header.data() + close; p < end;) {
    if (*p == ' ' || *p == ',') {
      ++p;
      continue;
    }
    int64_t n = 0;
    const auto [after, error] = std::from_chars(p, end, n);
    if (error != std::errc() || n < 0) reject(path, type);
    shape.push_back(n);
    p = after;
  }
  return shape;
}

template <class T>
NpyArray<T> read_values(const std::string& path, const ValueType& type) {
  const std::string bytes = os::read_file(path, uint64_t(4) << 30);
  if (bytes.size() < 10 || bytes.substr(0, 8) != kMagic) reject(path, type);
  const size_t start = 10 + (uint8_t(bytes[8]) | size_t(uint8_t(bytes[9])) << 8);
  if (start > bytes.size()) reject(path, type);
  const std::string_view header(bytes.data() + 10, start - 10);
  if (header.find(type.descr) == header.npos || header.find("'fortran_order': False") == header.npos)
    reject(path, type);
  NpyArray<T> a{shape_of(path, header, type), {}};
  Size count = 1;
  for (const int64_t n : a.shape) count *= Size::from_signed(n);
  const uint64_t size = (count * sizeof(T)).take(bytes.size() - start, "%s: size of the array", path.c_str());
  a.values.resize(size_t(size) / sizeof(T));
  copy_bytes(a.values.data(), bytes.data() + start, size_t(size));
  return a;
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

Array read_npy(const std::string& path) { return read_values<float>(path, kFloats); }
IntegerArray read_npy_integers(const std::string& path) { return read_values<int64_t>(path, kIntegers); }

Array read_tiles(const std::string& path, int64_t tile) {
  Array a = read_npy(path);
  if (a.shape.size() != 4 || a.shape[0] == 0 || a.shape[1] != 3 || a.shape[2] != tile || a.shape[3] != tile)
    fail(Status::bad_file, "%s: expected an array [tiles, 3, %jd, %jd]", path.c_str(), tile, tile);
  return a;
}

}  // namespace puna::cli
