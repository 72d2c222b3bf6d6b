// file_error.cpp -- the text of errors about files, and the checks that names must pass.
#include "io/file_error.h"

#include <cstdarg>
#include <cstdint>
#include <cstdio>

#include "base/utf8.h"

namespace puna::io {

void fail_in(const std::string& file, Status status, const char* format, ...) {
  constexpr size_t kTail = 160;
  char message[Error::kCapacity];
  va_list args;
  va_start(args, format);
  vsnprintf(message, sizeof message, format, args);
  va_end(args);
  const bool cut = file.size() > kTail;
  fail(status, "'%s%s': %s", cut ? "..." : "", file.c_str() + (cut ? file.size() - kTail : 0), message);
}

std::string display(std::string_view text) {
  constexpr size_t kShown = 96;
  std::string shown;
  for (size_t i = 0; i < text.size();) {
    if (shown.size() >= kShown) return shown + "...";
    const Utf8 c = decode_utf8(text.data() + i, text.data() + text.size());
    const auto byte = static_cast<unsigned char>(text[i]);
    if (c.status != Utf8::valid || byte < 0x20 || byte == 0x7F) {
      char escaped[8];
      snprintf(escaped, sizeof escaped, "\\x%02X", unsigned{byte});
      shown += escaped;
      ++i;
    } else {
      shown += text.substr(i, c.size);
      i += c.size;
    }
  }
  return shown;
}

void check_name(const std::string& file, const char* what, std::string_view name) {
  constexpr size_t kLongest = 65535;  // of the GGUF specification, for keys
  if (name.empty()) fail_in(file, Status::bad_file, "%s is empty", what);
  if (name.size() > kLongest)
    fail_in(file, Status::bad_file, "%s '%s' has %zu bytes, expected at most %zu", what, display(name).c_str(),
            name.size(), kLongest);
  if (!is_utf8(name)) fail_in(file, Status::bad_file, "%s '%s' is not valid UTF-8", what, display(name).c_str());
  if (name.find('\0') != name.npos)
    fail_in(file, Status::bad_file, "%s '%s' contains a NUL", what, display(name).c_str());
}

}  // namespace puna::io
