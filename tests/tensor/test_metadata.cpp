// Metadata's typed getters: where hostile values stop. Each names the key and says what was expected.
#include "puna/tensor/metadata.h"

#include <cmath>
#include <limits>

#include "puna/base/error.h"
#include "support/catch.h"

using namespace puna;

namespace {

Metadata sample() {
  Metadata m;
  m.set("null", std::monostate());
  m.set("true", true);
  m.set("seven", int64_t{7});
  m.set("minus", int64_t{-7});
  m.set("huge", UINT64_MAX);
  m.set("half", 0.5);
  m.set("nan", std::numeric_limits<double>::quiet_NaN());
  m.set("inf", std::numeric_limits<double>::infinity());
  m.set("text", std::string("puna"));
  m.set("integers", std::vector<int64_t>{1, -2});
  m.set("numbers", std::vector<double>{0.5});
  m.set("strings", std::vector<std::string>{"a"});
  m.set("none", std::vector<int64_t>{});
  return m;
}

// fn must throw Error{bad_file} naming the key.
template <class Fn>
void refused(const std::string& key, Fn fn) {
  CAPTURE(key);
  try {
    fn();
    FAIL("not refused");
  } catch (const Error& e) {
    CHECK(e.status() == Status::bad_file);
    CHECK(std::string(e.what()).find("'" + key + "'") != std::string::npos);
  }
}

const double kInfinity = std::numeric_limits<double>::infinity();

}  // namespace

TEST_CASE("integers are checked for type and range", "[tensor]") {
  const Metadata m = sample();
  CHECK(m.integer("seven", 0, 10) == 7);
  CHECK(m.integer("seven", 7, 7) == 7);
  CHECK(m.integer("minus", -7, 0) == -7);
  CHECK_THROWS_WITH(m.integer("seven", 8, 10), Catch::Contains("'seven' is 7, expected 8 to 10"));
  refused("seven", [&] { m.integer("seven", 0, 6); });
  refused("minus", [&] { m.integer("minus", 0, 6); });
  refused("huge", [&] { m.integer("huge", 0, INT64_MAX); });
  for (const char* other : {"true", "half", "text", "integers", "none"})
    refused(other, [&] { m.integer(other, INT64_MIN, INT64_MAX); });
}

TEST_CASE("numbers take integers and refuse what is not finite", "[tensor]") {
  const Metadata m = sample();
  CHECK(m.number("half", 0, 1) == 0.5);
  CHECK(m.number("seven", 0, 10) == 7.0);
  refused("half", [&] { m.number("half", 0.6, 1); });
  refused("nan", [&] { m.number("nan", -kInfinity, kInfinity); });
  refused("inf", [&] { m.number("inf", 0, 1e300); });
  for (const char* other : {"true", "text", "numbers"}) refused(other, [&] { m.number(other, -1e300, 1e300); });
}

TEST_CASE("booleans and strings are nothing else", "[tensor]") {
  const Metadata m = sample();
  CHECK(m.boolean("true"));
  for (const char* other : {"seven", "text", "half"}) refused(other, [&] { m.boolean(other); });
  CHECK(m.string("text") == "puna");
  for (const char* other : {"seven", "true", "strings"}) refused(other, [&] { m.string(other); });
}

TEST_CASE("a missing key and a null take the fallback, or are refused without one", "[tensor]") {
  const Metadata m = sample();
  for (const char* key : {"absent", "null"}) {
    CHECK_FALSE(m.has(key));
    CHECK(m.integer(key, 0, 1, 77) == 77);  // a fallback is the caller's own number
    CHECK(m.number(key, 0, 1, 0.25) == 0.25);
    CHECK(m.boolean(key, true));
    CHECK(m.string(key, std::string("x")) == "x");
    refused(key, [&] { m.integer(key, 0, 1); });
    refused(key, [&] { m.number(key, 0, 1); });
    refused(key, [&] { m.boolean(key); });
    refused(key, [&] { m.string(key); });
    CHECK(m.integers(key) == nullptr);
    CHECK(m.numbers(key) == nullptr);
    CHECK(m.strings(key) == nullptr);
  }
}

TEST_CASE("arrays keep their element type; an empty one is any", "[tensor]") {
  const Metadata m = sample();
  CHECK(*m.integers("integers") == std::vector<int64_t>{1, -2});
  CHECK(*m.numbers("numbers") == std::vector<double>{0.5});
  CHECK(*m.strings("strings") == std::vector<std::string>{"a"});
  CHECK((m.integers("none")->empty() && m.numbers("none")->empty() && m.strings("none")->empty()));
  refused("numbers", [&] { m.integers("numbers"); });
  refused("integers", [&] { m.numbers("integers"); });
  refused("integers", [&] { m.strings("integers"); });
  refused("seven", [&] { m.integers("seven"); });
}

TEST_CASE("a key is set once and may be replaced on purpose", "[tensor]") {
  Metadata m = sample();
  refused("seven", [&] { m.set("seven", int64_t{8}); });
  CHECK(m.integer("seven", 0, 10) == 7);
  m.replace("seven", int64_t{8});
  CHECK(m.integer("seven", 0, 10) == 8);
}

TEST_CASE("a key of any length fits in the message", "[tensor]") {
  const Metadata m;
  const std::string key(100000, 'k');
  CHECK_THROWS_WITH(m.integer(key, 0, 1), Catch::Contains(std::string(200, 'k')) && Catch::Contains("missing"));
}
