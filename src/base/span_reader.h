// span_reader.h -- values out of untrusted bytes, one behind the other: what is there and no more.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "puna/base/error.h"

namespace puna {

// Each value is followed by zeros up to a multiple of 8 bytes.
class SpanReader {
 public:
  // `what` begins the error: "snapshot: the part about images".
  SpanReader(std::span<const std::byte> from, const char* what) noexcept : left_(from), what_(what) {}

  // Error{bad_file} "<what> ends early: ...".
  const std::byte* take(uint64_t bytes) {
    const uint64_t padded = bytes + (8 - bytes % 8) % 8;
    if (padded < bytes || padded > left_.size())
      fail(Status::bad_file, "%s ends early: %ju bytes are wanted, %zu are left", what_, bytes, left_.size());
    const std::byte* at = left_.data();
    left_ = left_.subspan(size_t(padded));
    return at;
  }
  template <class T>
  T value() {
    T v;
    memcpy(&v, take(sizeof v), sizeof v);
    return v;
  }
  size_t left() const noexcept { return left_.size(); }

 private:
  std::span<const std::byte> left_;
  const char* what_;
};

}  // namespace puna
