// error.h -- errors: one exception type inside the C++ core, translated to a status at the C boundary.
// The message lives inside the object, so reporting "out of memory" never allocates.
#pragma once
#include <cstdint>
#include <exception>

namespace puna {

// The same short pinned list as puna_status in capi/include/puna.h; numbers never change meaning.
enum class Status : int32_t {
  ok = 0,
  invalid_argument = 1,  // the caller passed something this function does not take
  out_of_memory = 2,     // an allocation failed, or the context's memory limit would be passed
  io = 3,                // the operating system or a read_at callback could not deliver the bytes
  bad_file = 4,          // the bytes are there and are wrong: malformed, truncated, inconsistent, malicious
  unsupported = 5,       // well formed, but not something this build does
  cancelled = 6,         // a callback or puna_*_cancel asked to stop; the handle stays usable
  context_full = 7,      // the session's position limit is reached
  wrong_state = 8,       // the call does not fit the handle's state (used after fork, pass under way, ...)
  internal = 9,          // a broken invariant of the library; please report it
  busy = 10,             // an engine's queue is full: try again later
};

const char* name(Status status) noexcept;

class Error : public std::exception {
 public:
  static constexpr int kCapacity = 512;
  Error(Status status, const char* message) noexcept;
  const char* what() const noexcept override { return message_; }
  Status status() const noexcept { return status_; }

 private:
  Status status_;
  char message_[kCapacity];
};

// Throws Error{status, printf-formatted message}; longer messages are cut, never dropped.
// int64_t prints with %jd, uint64_t with %ju, size_t with %zu: intmax_t has 64 bits on every platform we build for, so
// no cast is needed, and -Wformat still checks the arguments.
[[noreturn]] void fail(Status status, const char* format, ...) __attribute__((format(printf, 2, 3)));

// An argument check: PUNA_REQUIRE(n > 0, "n is %d, expected at least 1", n);
#define PUNA_REQUIRE(condition, ...)                                               \
  do {                                                                             \
    if (!(condition)) ::puna::fail(::puna::Status::invalid_argument, __VA_ARGS__); \
  } while (0)

// An assertion. In release builds as well, and an error instead of an abort: the host goes on.
#define PUNA_INVARIANT(condition)                                                                                 \
  do {                                                                                                            \
    if (!(condition))                                                                                             \
      ::puna::fail(::puna::Status::internal, "%s:%d: broken invariant: %s", __FILE_NAME__, __LINE__, #condition); \
  } while (0)

}  // namespace puna
