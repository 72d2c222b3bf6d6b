// codec.h -- what one library's wrapper offers. A library reports errors into a Failure; C++ exceptions never pass
// through its frames.
#pragma once
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <span>
#include <string_view>

#include "puna/base/error.h"

namespace puna {

using Bytes = std::span<const uint8_t>;

struct CodecHeader {
  int64_t width = 0, height = 0;  // as stored
  int orientation = 1;
};

struct Codec {
  const char* name;
  bool (*recognises)(Bytes file);
  CodecHeader (*header)(Bytes file);
  void (*decode)(uint8_t* rgb, Bytes file, const CodecHeader& header);  // [height][width][3] as stored
};

// NULL functions: the library was not there when this was built.
extern const Codec kPng, kJpeg, kWebp, kBmp;

// What a library complained about, in a place that survives its longjmp.
struct Failure {
  Status status = Status::bad_file;
  char message[200] = "";
  void set(Status s, const char* format, ...) noexcept __attribute__((format(printf, 3, 4))) {
    status = s;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
  }
};

// The orientation (1 to 8) that an EXIF block ("II*\0..." or "MM\0*...") asks for; 1 when it does not say or makes no
// sense.
int exif_orientation(Bytes tiff) noexcept;

inline bool begins_with(Bytes file, std::string_view magic, size_t at = 0) noexcept {
  return file.size() >= at + magic.size() &&
         std::string_view(reinterpret_cast<const char*>(file.data()) + at, magic.size()) == magic;
}

}  // namespace puna
