// The floating-point mode our bits assume is set on entry and the host's given back, whatever it was.
#include "base/fp_env.h"

#include <cstring>

#include "puna/base/executor.h"
#include "support/catch.h"

using namespace puna;

#if defined(__x86_64__)
namespace {

constexpr unsigned kFlushToZero = 0x8000, kDenormalsAreZero = 0x0040, kTowardsZero = 0x6000, kUpwards = 0x4000;
constexpr unsigned kModes = 0xFFC0;  // all but the sticky exception flags

struct HostMode {
  explicit HostMode(unsigned bits) : saved(_mm_getcsr()) { _mm_setcsr((saved & ~0x6000u) | bits); }
  ~HostMode() { _mm_setcsr(saved); }
  unsigned saved;
};

bool denormals_live() {
  volatile float x = 1e-38f;
  return x * 0.01f != 0.0f;
}
bool nearest() {
  volatile float one = 1.0f, tiny = 1e-10f;
  return one + tiny == 1.0f && -one - tiny == -1.0f && one - tiny == 1.0f;
}

}  // namespace

TEST_CASE("inside, denormals live and rounding is to nearest; outside, the host's mode is back", "[base]") {
  for (const unsigned mode :
       {0u, kFlushToZero, kDenormalsAreZero, kFlushToZero | kDenormalsAreZero, kTowardsZero, kUpwards | kFlushToZero}) {
    CAPTURE(mode);
    const HostMode host(mode);
    const unsigned before = _mm_getcsr();
    bool live = false, to_nearest = false;
    {
      const FpEnv fp;
      live = denormals_live();
      to_nearest = nearest();
      const FpEnv nested;
      live = live && denormals_live();
    }
    const unsigned after = _mm_getcsr();
    CHECK(live);
    CHECK(to_nearest);
    CHECK((after & kModes) == (before & kModes));
  }
}

TEST_CASE("every tile runs in our mode, on the caller's thread, the pool's and the host's", "[base]") {
  const HostMode host(kFlushToZero | kDenormalsAreZero | kTowardsZero);
  const unsigned before = _mm_getcsr();
  HostExecutor serial;
  serial.threads = 1;
  serial.parallel_for = [](void*, int64_t n, void (*task)(void*, int64_t), void* data) {
    for (int64_t i = 0; i < n; ++i) task(data, i);
  };
  int wrong[3] = {};
  int which = 0;
  for (auto* make : {+[](const HostExecutor&) { return make_thread_pool(1, {}); },
                     +[](const HostExecutor&) { return make_thread_pool(3, {}); },
                     +[](const HostExecutor& h) { return make_host_executor(h); }}) {
    const auto executor = make(serial);
    bool good[64] = {};
    executor->run(64, [&](int64_t i) { good[i] = denormals_live() && nearest(); });
    for (const bool g : good) wrong[which] += !g;
    executor->run(1, [&](int64_t) { wrong[which] += !denormals_live(); });
    ++which;
  }
  const unsigned after = _mm_getcsr();
  CHECK(wrong[0] == 0);
  CHECK(wrong[1] == 0);
  CHECK(wrong[2] == 0);
  CHECK((after & kModes) == (before & kModes));
}
#endif
