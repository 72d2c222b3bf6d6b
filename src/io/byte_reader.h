// byte_reader.h -- walks through a file's header, little-endian, without ever passing its end: numbers, counts,
// strings. Counts are compared with the bytes that remain before anything is allocated for them, so a header of n bytes
// costs O(n).
#pragma once
#include <bit>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "puna/io/checkpoint.h"

namespace puna::io {

static_assert(std::endian::native == std::endian::little,
              "files are read in place: big-endian hosts are not supported");

// The longest header (everything before the tensors' bytes) of either format. safetensors specifies it; the largest
// published GGUF headers have a fifth of it.
inline constexpr uint64_t kMaxHeaderBytes = 100'000'000;

// What is being read, for error messages: "metadata 'tokenizer.ggml.tokens', element 17".
struct Field {
  const char* what;
  std::string_view name = {};
  int64_t element = -1;
  std::string text() const;
};

class ByteReader {
 public:
  // From byte 0 to the end or kMaxHeaderBytes. Everything read is a tick.
  ByteReader(const Source& source, const Watch& watch) noexcept;

  uint64_t offset() const noexcept { return offset_; }
  const Source& source() const noexcept { return source_; }

  template <class T>
  T number(const Field& field) {
    static_assert(std::is_arithmetic_v<T>);
    T value;
    copy(&value, sizeof value, field);
    return value;
  }
  // A count of things of which each takes at least `element_bytes` of what remains.
  uint64_t count(uint64_t element_bytes, const Field& field);
  // uint64 length, then so many bytes.
  std::string string(const Field& field);

 private:
  void copy(void* dst, uint64_t bytes, const Field& field) {
    if (bytes > limit_ - offset_) fail_end(bytes, field);
    watch_.tick(1 + bytes / 1024);
    if (data_ != nullptr) {
      memcpy(dst, data_ + offset_, bytes);
      offset_ += bytes;
    } else {
      copy_through_window(static_cast<std::byte*>(dst), bytes);
    }
  }
  void copy_through_window(std::byte* dst, uint64_t bytes);
  [[noreturn]] void fail_end(uint64_t bytes, const Field& field) const;

  const Source& source_;
  const Watch& watch_;
  const std::byte* data_;
  uint64_t limit_;
  uint64_t offset_ = 0;
  std::vector<std::byte> window_;  // of a source that is not in memory: its bytes from window_begin_ on
  uint64_t window_begin_ = 0;
};

}  // namespace puna::io
