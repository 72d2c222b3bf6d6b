// npy.h -- NumPy files of float32 (read, written) and int64 (read), version 1.0, little-endian, C order.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace puna::cli {

// The header of a file of this shape: padded so that the data starts at a multiple of 64.
std::string npy_header(const std::vector<int64_t>& shape);
void write_npy(const std::string& path, const std::vector<int64_t>& shape, const float* values);  // in one step

template <class T>
struct NpyArray {
  std::vector<int64_t> shape;
  std::vector<T> values;
};
using Array = NpyArray<float>;
using IntegerArray = NpyArray<int64_t>;
// Error{bad_file} when it is anything else.
Array read_npy(const std::string& path);
IntegerArray read_npy_integers(const std::string& path);
Array read_tiles(const std::string& path, int64_t tile);  // prepared pixels [tiles, 3, tile, tile], at least one tile

}  // namespace puna::cli
