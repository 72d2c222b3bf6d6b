// Errors carry their message inside, cut to size, with a status that has a name.
#include "puna/base/error.h"

#include <cstring>
#include <set>
#include <string>

#include "support/catch.h"

using namespace puna;

TEST_CASE("an error keeps its status and a message of up to 511 bytes", "[base]") {
  const std::string longer(2000, 'x');
  for (const std::string& text : {std::string(), std::string("a sentence"), std::string(511, 'y'), longer}) {
    const Error e(Status::io, text.c_str());
    CHECK(e.status() == Status::io);
    CHECK(e.what() == text.substr(0, Error::kCapacity - 1));
  }
}

TEST_CASE("fail formats, and cuts what is too long", "[base]") {
  try {
    fail(Status::unsupported, "layer %d: '%s'", 7, std::string(1000, 'z').c_str());
  } catch (const Error& e) {
    CHECK(std::string(e.what()).substr(0, 12) == "layer 7: 'zz");
    CHECK(strlen(e.what()) == Error::kCapacity - 1);
    CHECK(e.status() == Status::unsupported);
  }
}

TEST_CASE("the errors of require and invariant name the condition", "[base]") {
  const auto checked = [](int n) {
    PUNA_REQUIRE(n > 0, "n is %d, expected at least 1", n);
    PUNA_INVARIANT(n < 10);
  };
  CHECK_NOTHROW(checked(5));
  CHECK_THROWS_WITH(checked(0), "n is 0, expected at least 1");
  CHECK_THROWS_WITH(checked(10), Catch::Contains("test_error.cpp") && Catch::Contains("n < 10"));
}

TEST_CASE("every status has a name of its own", "[base]") {
  std::set<std::string> names;
  for (int s = 0; s <= int(Status::internal); ++s) names.insert(name(Status(s)));
  CHECK(names.size() == size_t(Status::internal) + 1);
  CHECK(std::string(name(Status(99))) == "unknown status");
}
