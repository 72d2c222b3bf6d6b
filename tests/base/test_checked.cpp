// Size: every number of a file until it has been checked. Overflow is an error that names the field, never a wrapped
// value.
#include "puna/base/checked.h"

#include "support/catch.h"

using puna::Size;

namespace {

constexpr uint64_t kMost = UINT64_MAX;

uint64_t take_all(Size s) { return s.take(kMost, "size"); }

}  // namespace

TEST_CASE("a size that fits is itself", "[base]") {
  CHECK((Size(6) * 7).take(42, "x") == 42);
  CHECK((Size(6) * 7 + 8 - 50).take(0, "x") == 0);
  CHECK(take_all(Size(kMost)) == kMost);
  CHECK(take_all(Size(kMost - 1) + 1) == kMost);
  CHECK(take_all(Size(kMost) * 1) == kMost);
  CHECK(take_all(Size(kMost) * 0) == 0);
  CHECK(take_all(Size(uint64_t(1) << 32) * ((uint64_t(1) << 32) - 1)) == kMost - UINT32_MAX);
  CHECK(take_all(Size::from_signed(INT64_MAX)) == uint64_t(INT64_MAX));
}

TEST_CASE("a size that overflows is an error naming the field", "[base]") {
  CHECK_THROWS_WITH((Size(kMost) + 1).take(kMost, "field %d", 7), Catch::Contains("field 7"));
  CHECK_THROWS_WITH((Size(1) - 2).take(kMost, "rest"), Catch::Contains("rest"));
  CHECK_THROWS_WITH(Size(5).take(4, "count"), Catch::Contains("count") && Catch::Contains("5") && Catch::Contains("4"));
  CHECK_THROWS(Size::from_signed(-1).take(10, "n"));
  CHECK_THROWS(take_all(Size(uint64_t(1) << 32) * (uint64_t(1) << 32)));
  CHECK_THROWS(take_all(Size::from_signed(INT64_MIN)));
}

TEST_CASE("an overflow stays invalid through all later operations", "[base]") {
  const Size poisoned = Size(kMost) + 1;
  CHECK_THROWS(take_all(poisoned * 0));
  CHECK_THROWS(take_all(poisoned - 1));
  CHECK_THROWS(take_all(Size(0) * poisoned));
  CHECK_THROWS(take_all(Size(7) + poisoned));
  CHECK_THROWS(take_all((Size(3) - 4) + 4));
  CHECK_THROWS(take_all(Size::from_signed(-1) * 0));
  CHECK_THROWS(take_all(poisoned.round_up(32)));
  CHECK_FALSE(poisoned.fits(kMost));
}

TEST_CASE("rounding up stops at the end of 64 bits and knows no unit of zero", "[base]") {
  CHECK(take_all(Size(0).round_up(32)) == 0);
  CHECK(take_all(Size(1).round_up(32)) == 32);
  CHECK(take_all(Size(32).round_up(32)) == 32);
  CHECK(take_all(Size(33).round_up(7)) == 35);
  CHECK(take_all(Size(kMost).round_up(1)) == kMost);
  CHECK_THROWS(take_all(Size(kMost).round_up(2)));
  CHECK_THROWS(take_all(Size(1).round_up(0)));
}

TEST_CASE("a refused size is a bad file", "[base]") {
  for (const Size s : {Size(11), Size(0) - 1}) {
    try {
      s.take(10, "x");
      FAIL("not refused");
    } catch (const puna::Error& e) {
      CHECK(e.status() == puna::Status::bad_file);
    }
  }
}
