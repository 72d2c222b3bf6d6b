// npy.h -- float32 NumPy files, version 1.0, little-endian, C order.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace puna::cli {

// The header of a file of this shape: padded so that the data starts at a multiple of 64.
std::string npy_header(const std::vector<int64_t>& shape);
void write_npy(const std::string& path, const std::vector<int64_t>& shape, const float* values);  // in one step

struct Array {
  std::vector<int64_t> shape;
  std::vector<float> values;
};
Array read_npy(const std::string& path);  // Error{bad_file} when it is anything else

}  // namespace puna::cli
