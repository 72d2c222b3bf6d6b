// file_error.cpp -- the text of errors about files, and the UTF-8 check (RFC 3629) that names must pass.
#include "io/file_error.h"

#include <cstdarg>
#include <cstdint>
#include <cstdio>

namespace puna::io {
namespace {

// Length of the UTF-8 sequence at the start of `s`, 0 when it is not one. Overlong forms, surrogates and code points
// above U+10FFFF are not UTF-8 (RFC 3629).
size_t sequence_length(std::string_view s) noexcept {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(s[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  const size_t n = lead >= 0xC2 && lead <= 0xDF ? 2 : (lead & 0xF0) == 0xE0 ? 3 : lead >= 0xF0 && lead <= 0xF4 ? 4 : 0;
  if (n == 0 || s.size() < n) return 0;
  for (size_t i = 1; i < n; ++i)
    if ((byte(i) & 0xC0) != 0x80) return 0;
  if (lead == 0xE0 && byte(1) < 0xA0) return 0;
  if (lead == 0xED && byte(1) > 0x9F) return 0;
  if (lead == 0xF0 && byte(1) < 0x90) return 0;
  if (lead == 0xF4 && byte(1) > 0x8F) return 0;
  return n;
}

}  // namespace

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
    const size_t n = sequence_length(text.substr(i));
    const auto byte = static_cast<unsigned char>(text[i]);
    if (n == 0 || byte < 0x20 || byte == 0x7F) {
      char escaped[8];
      snprintf(escaped, sizeof escaped, "\\x%02X", unsigned{byte});
      shown += escaped;
      ++i;
    } else {
      shown += text.substr(i, n);
      i += n;
    }
  }
  return shown;
}

bool is_utf8(std::string_view text) noexcept {
  while (!text.empty()) {
    const size_t n = sequence_length(text);
    if (n == 0) return false;
    text.remove_prefix(n);
  }
  return true;
}

void check_name(const std::string& file, const char* what, std::string_view name) {
  constexpr size_t kLongest = 65535;  // of the GGUF specification, for keys
  if (name.empty()) fail_in(file, Status::bad_file, "%s is empty", what);
  if (name.size() > kLongest)
    fail_in(file, Status::bad_file, "%s '%s' has %zu bytes, expected at most %zu", what, display(name).c_str(), name.size(), kLongest);
  if (!is_utf8(name)) fail_in(file, Status::bad_file, "%s '%s' is not valid UTF-8", what, display(name).c_str());
  if (name.find('\0') != name.npos) fail_in(file, Status::bad_file, "%s '%s' contains a NUL", what, display(name).c_str());
}

}  // namespace puna::io
