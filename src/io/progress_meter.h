// progress_meter.h -- reports the progress of a load and stops it when the host's callback returns false.
#pragma once
#include <algorithm>
#include <cstdint>

#include "io/file_error.h"
#include "puna/io/checkpoint.h"

namespace puna::io {

class ProgressMeter {
 public:
  ProgressMeter(LoadProgress progress, uint64_t total, std::string file)
      : progress_(progress), total_(total), file_(std::move(file)) {
    report();
  }
  void advance_to(uint64_t done) {  // never backwards
    done_ = std::clamp(done, done_, total_);
    report();
  }
  void advance(uint64_t bytes) { advance_to(done_ + bytes); }
  uint64_t done() const noexcept { return done_; }

 private:
  void report() {
    if (progress_ && !progress_(done_, total_))
      fail_in(file_, Status::cancelled, "loading was cancelled by the progress callback");
  }

  LoadProgress progress_;
  uint64_t total_, done_ = 0;
  std::string file_;
};

}  // namespace puna::io
