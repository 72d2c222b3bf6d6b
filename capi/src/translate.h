// translate.h -- between C's structs and buffers and C++'s: the struct_size rule, flags, optional text, caller's
// buffers.
#pragma once
#include <algorithm>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "puna.h"
#include "puna/base/error.h"

namespace puna::capi {

// Sizes above this are an uninitialised field, not a newer version of the struct.
inline constexpr uint32_t kLargestStruct = 4096;

inline uint32_t checked_struct_size(uint32_t size, const char* name) {
  PUNA_REQUIRE(size >= 8 && size <= kLargestStruct && size % 4 == 0, "%s.struct_size is %u: set it to sizeof(%s)", name,
               size, name);
  return size;
}

// The caller's options in our version of the struct: zero where theirs is shorter, an error where theirs is longer and
// sets a field that this version does not know.
template <class T>
T read_options(const T* theirs, const char* name) {
  T ours{};
  if (theirs == nullptr) return ours;
  const uint32_t size = checked_struct_size(theirs->struct_size, name);
  memcpy(&ours, theirs, size < sizeof(T) ? size : sizeof(T));
  const char* bytes = reinterpret_cast<const char*>(theirs);
  for (size_t i = sizeof(T); i < size; ++i)
    if (bytes[i] != 0)
      fail(Status::unsupported,
           "%s has a value at byte %zu, but this library knows %zu bytes of it: it is older than the program", name, i,
           sizeof(T));
  return ours;
}

// Fills the caller's struct: as much of ours as theirs holds, zeros behind it. struct_size stays theirs.
template <class T>
void write_info(T ours, T* theirs, const char* name) {
  PUNA_REQUIRE(theirs != nullptr, "%s is NULL", name);
  const uint32_t size = checked_struct_size(theirs->struct_size, name);
  ours.struct_size = size;
  memcpy(theirs, &ours, size < sizeof(T) ? size : sizeof(T));
  if (size > sizeof(T)) memset(reinterpret_cast<char*>(theirs) + sizeof(T), 0, size - sizeof(T));
}

inline bool flag(int32_t value, const char* name) {
  PUNA_REQUIRE(value == 0 || value == 1, "%s is %d, expected 0 or 1", name, value);
  return value == 1;
}

// What every numeric option passes before anything is done: "threads is 100000, expected 0 to 4096". NaN is in no
// range.
inline int64_t in_range(int64_t value, int64_t least, int64_t most, const char* name) {
  PUNA_REQUIRE(value >= least && value <= most, "%s is %jd, expected %jd to %jd", name, value, least, most);
  return value;
}
inline double number_in_range(double value, double least, double most, const char* name) {
  PUNA_REQUIRE(value >= least && value <= most, "%s is %g, expected %g to %g", name, value, least, most);
  return value;
}

inline void require_reserved(int32_t value, const char* name) {
  if (value != 0)
    fail(Status::unsupported, "%s.reserved is %d, expected 0: this library is older than the program", name, value);
}

inline std::string text_or_empty(const char* text) { return text ? text : ""; }

inline std::string_view text_view(const char* text, size_t bytes, const char* name) {
  PUNA_REQUIRE(text != nullptr || bytes == 0, "%s is NULL", name);
  return {text, bytes};
}

template <class T>
std::span<const T> array_view(const T* data, uint64_t count, const char* name) {
  PUNA_REQUIRE(data != nullptr || count == 0, "%s is NULL", name);
  constexpr uint64_t kMostElements = PTRDIFF_MAX / 16;  // of at most 16 bytes each
  PUNA_REQUIRE(count <= kMostElements, "%s: %ju elements do not fit into memory", name, count);
  return {data, static_cast<size_t>(count)};
}

// An array of the caller's that a call fills, rows x columns floats; empty where none is wanted.
inline std::span<float> output_array(float* out, uint64_t capacity, size_t rows, size_t columns, const char* name) {
  if (out == nullptr) return {};
  PUNA_REQUIRE(rows <= capacity / columns, "%s has room for %ju floats, %zu x %zu are needed", name, capacity, rows,
               columns);
  return {out, rows * columns};
}

}  // namespace puna::capi
