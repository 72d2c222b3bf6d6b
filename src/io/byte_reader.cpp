// byte_reader.cpp -- a header is read in place when it is in memory, else through a window of 256 KiB.
#include "io/byte_reader.h"

#include <algorithm>

#include "io/file_error.h"

namespace puna::io {

std::string Field::text() const {
  std::string t = what;
  if (!name.empty()) t += " '" + display(name) + "'";
  if (element >= 0) t += ", element " + std::to_string(element);
  return t;
}

ByteReader::ByteReader(const Source& source, const Watch& watch) noexcept
    : source_(source), watch_(watch), data_(source.data()), limit_(std::min(source.size(), kMaxHeaderBytes)) {}

uint64_t ByteReader::count(uint64_t element_bytes, const Field& field) {
  const uint64_t n = number<uint64_t>(field);
  const uint64_t possible = (limit_ - offset_) / element_bytes;
  if (n > possible)
    fail_in(source_.name(), Status::bad_file, "%s: the count %ju is more than the %ju that fit in the rest of the file",
            field.text().c_str(), n, possible);
  return n;
}

std::string ByteReader::string(const Field& field) {
  std::string s(count(1, field), '\0');
  copy(s.data(), s.size(), field);
  return s;
}

void ByteReader::copy_through_window(std::byte* dst, uint64_t bytes) {
  constexpr uint64_t kWindow = 256 * 1024;
  while (bytes > 0) {
    if (offset_ - window_begin_ >= window_.size()) {
      window_.resize(std::min(kWindow, limit_ - offset_));
      window_begin_ = offset_;
      source_.read(offset_, window_.size(), window_.data());
    }
    const uint64_t at = offset_ - window_begin_;
    const uint64_t n = std::min<uint64_t>(bytes, window_.size() - at);
    memcpy(dst, window_.data() + at, n);
    dst += n;
    offset_ += n;
    bytes -= n;
  }
}

void ByteReader::fail_end(uint64_t bytes, const Field& field) const {
  if (limit_ < source_.size())
    fail_in(source_.name(), Status::bad_file, "%s: the header is longer than the %ju bytes a header may have",
            field.text().c_str(), limit_);
  fail_in(source_.name(), Status::bad_file,
          "%s: the file ends at byte %ju, expected %ju more bytes at %ju: it is truncated", field.text().c_str(),
          limit_, bytes, offset_);
}

}  // namespace puna::io
