// crossover.h -- which of two ways is faster, measured once for each kind of work and then remembered: the answer never
// changes, so a pass that is measured, paused and run again takes the same way each time.
#pragma once
#include <cstdint>
#include <mutex>
#include <unordered_map>

#include "puna/base/function_ref.h"

namespace puna {

class Crossover {
 public:
  // The remembered answer for this kind of work; measure() is asked for it once. An answer that could not be kept
  // counts as no.
  bool choose(uint64_t kind, FunctionRef<bool()> measure) const noexcept {
    try {
      const std::lock_guard lock(mutex_);
      const auto [found, is_new] = answers_.try_emplace(kind, false);
      if (is_new) found->second = measure();
      return found->second;
    } catch (...) {
      return false;
    }
  }

 private:
  mutable std::mutex mutex_;
  mutable std::unordered_map<uint64_t, bool> answers_;
};

}  // namespace puna
