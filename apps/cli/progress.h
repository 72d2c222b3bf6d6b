// progress.h -- a bar on standard error with the time still to go; only on a terminal, and only once a task has taken a
// moment.
#pragma once
#include <cstdint>
#include <string>

namespace puna::cli {

class ProgressBar {
 public:
  explicit ProgressBar(std::string what);
  ~ProgressBar();  // wipes the line
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;
  // note: what else is to be seen, for example the loss; `before` of `done` were there when it began, and tell nothing
  // of the speed
  void update(uint64_t done, uint64_t total, const std::string& note = "", uint64_t before = 0);
  void wipe();  // for a line of text; the next update draws again

 private:
  std::string what_;
  bool terminal_, drawn_ = false;
  double start_, last_ = 0;
};

}  // namespace puna::cli
