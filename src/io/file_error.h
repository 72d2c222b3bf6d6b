// file_error.h -- errors about a file say which file and which field, in text that is safe to print: names inside
// malicious files are cut, and control characters are escaped.
#pragma once
#include <string>
#include <string_view>

#include "puna/base/error.h"

namespace puna::io {

// Error "'<file>': <message>"; of a long path the tail is kept.
[[noreturn]] void fail_in(const std::string& file, Status status, const char* format, ...)
    __attribute__((format(printf, 3, 4)));

// Runs fn; an Error that leaves it gets the file's name put in front.
template <class Fn>
auto naming(const std::string& file, Fn&& fn) {
  try {
    return fn();
  } catch (const Error& e) {
    fail_in(file, e.status(), "%s", e.what());
  }
}

// A name out of a file, for a message: at most 96 bytes, control characters and broken UTF-8 as \xNN.
std::string display(std::string_view text);

// Keys and tensor names: 1 to 65535 bytes of UTF-8 without NUL. `what` is "metadata key" or "tensor name".
void check_name(const std::string& file, const char* what, std::string_view name);

}  // namespace puna::io
