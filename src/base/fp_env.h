// fp_env.h -- the floating-point mode our bits assume: round to nearest even, denormals kept, no traps.
// Hosts (games, audio plugins) run with flush-to-zero; every entry point and pool thread holds one of these.
#pragma once
#include <cstdint>
#if defined(__x86_64__) || defined(_M_X64)
#include <xmmintrin.h>
#endif

namespace puna {

class FpEnv {
 public:
#if defined(__x86_64__) || defined(_M_X64)
  FpEnv() noexcept : saved_(_mm_getcsr()) { _mm_setcsr(0x1F80); }
  ~FpEnv() { _mm_setcsr(saved_); }
#elif defined(__aarch64__)
  FpEnv() noexcept {
    asm volatile("mrs %0, fpcr" : "=r"(saved_));
    asm volatile("msr fpcr, %0" : : "r"(uint64_t(0)));
  }
  ~FpEnv() { asm volatile("msr fpcr, %0" : : "r"(saved_)); }
#else
  FpEnv() noexcept : saved_(0) {}
  ~FpEnv() { (void)saved_; }
#endif
  FpEnv(const FpEnv&) = delete;
  FpEnv& operator=(const FpEnv&) = delete;

 private:
#if defined(__aarch64__)
  uint64_t saved_;
#else
  uint32_t saved_;
#endif
};

}  // namespace puna
