// Inner products of 8-bit codes: exact, at the extremes too, on every ISA.
#include "kernels/cases.h"
#include "kernels/guarded.h"
#include "ref/random.h"
#include "support/catch.h"

using namespace puna;
using namespace puna::test;

TEST_CASE("dot_codes is the exact sum of products", "[kernels]") {
  ref::Random random(1);
  for (const int64_t n : {64, 128, 512})
    for (const int most : {127, 3}) {
      const Guarded<int8_t> x{size_t(n)}, y{size_t(n)};
      for (int round = 0; round < 20; ++round) {
        int32_t want = 0;
        for (size_t i = 0; i < size_t(n); ++i) {
          const bool extreme = round < 4;  // all of one sign, or of both, at the ends of the range
          x.data()[i] = int8_t(extreme ? (round % 2 == 0 ? most : -most) : random.between(-most, most));
          y.data()[i] = int8_t(extreme ? (round < 2 ? most : -most) : random.between(-most, most));
          want += x[i] * y[i];
        }
        on_every_isa([&](const KernelTable& k) { CHECK(k.dot_codes(x.data(), y.data(), n) == want); });
      }
    }
}
