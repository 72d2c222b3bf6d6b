#include "progress.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "common.h"

namespace puna::cli {
namespace {

constexpr double kPatience = 0.7;  // seconds before the first drawing
constexpr double kInterval = 0.1;  // seconds between drawings
constexpr int kBarWidth = 30;

}  // namespace

ProgressBar::ProgressBar(std::string what)
    : what_(std::move(what)), terminal_(is_terminal(stderr)), start_(seconds_now()) {}

ProgressBar::~ProgressBar() { wipe(); }

void ProgressBar::wipe() {
  if (drawn_) fprintf(stderr, "\r\x1b[K");
  drawn_ = false;
  last_ = 0;
}

void ProgressBar::update(uint64_t done, uint64_t total, const std::string& note, uint64_t before) {
  const double now = seconds_now(), elapsed = now - start_;
  if (!terminal_ || elapsed < kPatience || now - last_ < kInterval || total == 0) return;
  last_ = now;
  drawn_ = true;
  const double share = std::min(1.0, double(done) / double(total));
  const int filled = int(share * kBarWidth);
  const long left =
      done <= before || done > total ? 0 : std::lround(elapsed / double(done - before) * double(total - done));
  fprintf(stderr, "\r%s [%.*s%*s] %3d%%  %s%s%ld:%02ld left \x1b[K", what_.c_str(), filled,
          "==============================", kBarWidth - filled, "", int(share * 100), note.c_str(),
          note.empty() ? "" : "  ", left / 60, left % 60);
  fflush(stderr);
}

}  // namespace puna::cli
