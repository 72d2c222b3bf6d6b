#include "progress.h"

#include <cmath>
#include <cstdio>

#include "common.h"

namespace puna::cli {
namespace {

constexpr double kPatience = 0.7;   // seconds before the first drawing
constexpr double kInterval = 0.1;   // seconds between drawings
constexpr int kWidth = 30;

}  // namespace

ProgressBar::ProgressBar(std::string what) : what_(std::move(what)), terminal_(is_terminal(stderr)), start_(seconds_now()) {}

ProgressBar::~ProgressBar() {
  if (drawn_) fprintf(stderr, "\r\x1b[K");
}

void ProgressBar::update(uint64_t done, uint64_t total) {
  const double now = seconds_now(), elapsed = now - start_;
  if (!terminal_ || elapsed < kPatience || now - last_ < kInterval || total == 0) return;
  last_ = now;
  drawn_ = true;
  const double share = double(done) / double(total);
  const int filled = int(share * kWidth);
  const long left = done == 0 ? 0 : std::lround(elapsed / share - elapsed);
  fprintf(stderr, "\r%s [%.*s%*s] %3d%%  %ld:%02ld left \x1b[K", what_.c_str(), filled, "==============================", kWidth - filled, "",
          int(share * 100), left / 60, left % 60);
  fflush(stderr);
}

}  // namespace puna::cli
