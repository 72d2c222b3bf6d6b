// steps_left_out.h -- steps whose loss or gradient is not finite change nothing (the trainers leave them out). The run
// warns, and ends with an error after 100 in a row.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstdio>

#include "puna/base/error.h"

namespace puna::cli {

class StepsLeftOut {
 public:
  void see(int64_t step, double loss, double grad_norm, bool verbose = true) {
    if (std::isfinite(loss) && std::isfinite(grad_norm)) {
      in_a_row_ = 0;
      return;
    }
    ++all_;
    if (++in_a_row_ == 1 && verbose)
      fprintf(stderr, "step %jd: the loss is %g, the gradient's norm %g: the step is left out\n", step, loss,
              grad_norm);
    if (in_a_row_ == kMost) give_up(in_a_row_);
  }
  void require_some_learned(int64_t steps) const {
    if (steps > 0 && all_ == steps) give_up(steps);
    if (all_ > 0) fprintf(stderr, "%jd of %jd steps were left out\n", all_, steps);
  }

 private:
  static constexpr int64_t kMost = 100;
  [[noreturn]] static void give_up(int64_t steps) {
    fail(Status::invalid_argument,
         "%jd steps in a row were left out, because their loss or gradient was not finite: a smaller --lr, or other "
         "data, may help",
         steps);
  }
  int64_t all_ = 0, in_a_row_ = 0;
};

}  // namespace puna::cli
