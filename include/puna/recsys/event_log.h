// event_log.h -- shown items and their outcomes, in the order of acknowledgement. It is durable, and the
// source of truth: models can be trained from it again, and a restarted learner goes on behind the last event of its
// checkpoint.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "puna/recsys/examples.h"

namespace puna::recsys {

// One thing shown, when, and what its sender calls it.
struct LoggedEvent : Example {
  int64_t time = 0;  // of any epoch; not looked at
  std::string key;   // of its sender's, "" = none: two events of one key are one. Not read back
  bool operator==(const LoggedEvent&) const = default;
};

inline constexpr size_t kLongestEventKey = 200;  // bytes

// Events have the numbers 1, 2, 3, ... Safe to call from several threads.
class EventLog {
 public:
  virtual ~EventLog() = default;
  // All or none; when it returns they are on the disk and stay there after a crash. The log's last number. An event
  // whose key is there already is left out: *repeated is how many were. Error{io}; {invalid_argument} for a key that
  // is longer than kLongestEventKey, and for lists that are longer than the log keeps.
  virtual int64_t append(std::span<const LoggedEvent> events, int64_t* repeated = nullptr) = 0;
  // Up to `most` events behind number `after`, in order, handed to `to`'s end; how many. Error{bad_file} naming an
  // event that is damaged or missing.
  virtual int64_t read(std::vector<LoggedEvent>& to, int64_t after, int64_t most) = 0;
  virtual int64_t last() = 0;  // 0 = there are none
};

// An SQLite database (created where there is none), journal mode WAL, every append flushed to the disk. One process at
// a time writes it; others may read. Linked into programs that ask for the CMake target puna_sqlite, never into
// libpuna. Error{io}, {bad_file} when it is something else.
std::unique_ptr<EventLog> open_event_log(const std::string& path);

}  // namespace puna::recsys
