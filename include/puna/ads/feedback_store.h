// feedback_store.h -- what was shown and what came of it, kept on disk: events in any order, each once by its key. Of
// people only a hash is kept, of keys as well: SHA-256 over a random secret that the store makes for itself, so that
// nobody without the store can look a person up in it, and with it only by asking for that person.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "puna/ads/feedback.h"
#include "puna/base/error.h"

namespace puna::ads {

struct FeedbackEvent {
  Reached kind = Reached::shown;
  std::string key;         // of this event: the same again is left out
  std::string impression;  // whose: the key of its event `shown`; of that itself not looked at
  int64_t time = 0;        // in any unit
  // Of `shown`:
  std::string segment, placement, variant, person;
  double propensity = 0;
};

struct FeedbackCounts {
  int64_t added = 0, repeated = 0;
};

// What is wrong with one of the events of a call. Its message begins with "event 7: ".
class FeedbackError : public Error {
 public:
  FeedbackError(size_t event, const char* why) noexcept;      // Status::invalid_argument
  size_t event() const noexcept { return event_; }            // of the call, from 0
  const char* why() const noexcept { return what() + why_; }  // the message without the number

 private:
  size_t event_;
  int why_;
};

struct StoredImpression {
  std::string segment, placement, variant;
  uint64_t person = 0;
  double propensity = 0;
  int64_t time = 0;
  Reached reached = Reached::shown;
};

// Safe to call from several threads and processes. Error{io} when the disk cannot take it: then nothing of the call has
// happened.
class FeedbackStore {
 public:
  virtual ~FeedbackStore() = default;
  // All of them or none. FeedbackError says which is wrong and why: also a key that another event has, which differs.
  virtual FeedbackCounts add(std::span<const FeedbackEvent> events) = 0;
  // Impressions from at least `window` before now, with what they led to within it, by time.
  virtual std::vector<StoredImpression> impressions(int64_t window, int64_t now) = 0;
  // Takes every impression of a person and all that came of them out of the files, bytes and all; how many rows. What
  // is told of them later is told of nobody. The database is written anew, which takes as long as copying it.
  // Error{io}: another program is using it, so that the rows are deleted, but their bytes are not yet gone.
  virtual int64_t forget(std::string_view person) = 0;
  virtual int64_t count() = 0;  // events
};

// An SQLite database (created where there is none), WAL. Linked into programs that ask for the CMake target
// puna_sqlite, never into libpuna. Error{io}, {bad_file} when it is something else.
std::unique_ptr<FeedbackStore> open_feedback(const std::string& path);

}  // namespace puna::ads
