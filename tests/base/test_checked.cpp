#include "support/catch.h"
#include "puna/base/checked.h"
TEST_CASE("a size that overflows is an error naming the field", "[base]") {
  CHECK((puna::Size(6) * 7).take(100, "x") == 42);
  CHECK_THROWS_WITH((puna::Size(UINT64_MAX) + 1).take(UINT64_MAX, "field %d", 7), Catch::Contains("field 7"));
  CHECK_THROWS_WITH((puna::Size(1) - 2).take(UINT64_MAX, "rest"), Catch::Contains("rest"));
  CHECK_THROWS_WITH(puna::Size(5).take(4, "count"), Catch::Contains("count"));
  CHECK_THROWS(puna::Size::from_signed(-1).take(10, "n"));
}
