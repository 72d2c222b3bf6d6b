// The fact lock: the same claim in another spelling is supported, another number, unit, date or name is not.
#include "puna/ads/fact_lock.h"
#include "support/catch.h"

using namespace puna::ads;

namespace {

std::string unsupported(std::vector<std::string> facts, const std::string& text) {
  const std::string names[] = {"Bakery Vermeulen"};
  const FactLock lock(facts, names);
  std::string all;
  for (const Claim& c : lock.unsupported(text)) {
    REQUIRE(c.begin < c.end);
    REQUIRE(c.end <= text.size());
    all += (all.empty() ? "" : ", ") + c.what + " " + c.value;
  }
  return all;
}

}  // namespace

TEST_CASE("a claim is the same one in another spelling", "[ads][facts]") {
  CHECK(unsupported({"A loaf costs \u20ac3.50"}, "Bread for EUR 3,50") == "");
  CHECK(unsupported({"A loaf costs \u20ac3.50"}, "Only 3.5 euros") == "");
  CHECK(unsupported({"20 % off"}, "20% off, 20 percent off, 20 per cent off") == "");
  CHECK(unsupported({"Ready in 7 days"}, "Ready in seven days") == "");
  CHECK(unsupported({"1,200 boats"}, "1200 boats, 1.200 boats, 1'200 boats, 1 200 boats") == "");
  CHECK(unsupported({"\u0661\u0669\u0668\u0667 loaves"}, "1987 loaves") == "");
  CHECK(unsupported({"\uff11\uff12 loaves"}, "12 loaves, twelve loaves, a dozen loaves") == "");
  CHECK(unsupported({"Half price on Mondays"}, "half price on Mondays") == "");
  CHECK(unsupported({"Open 9:00 to 18:00 in May"}, "Open 9:00 to 18:00 in May") == "");
  CHECK(unsupported({"We are in Ghent"}, "Bakery Vermeulen of Ghent, Ghent's own") == "");
}

TEST_CASE("what no fact says is found", "[ads][facts]") {
  const std::vector<std::string> facts = {"A loaf costs \u20ac3.50 in Ghent", "Open 7 days", "Rated 4.8 stars",
                                          "20 % off"};
  CHECK(unsupported(facts, "A loaf for \u20ac3.40") == "price 3.4 EUR");
  CHECK(unsupported(facts, "A loaf for $3.50") == "price 3.5 USD");
  CHECK(unsupported(facts, "Open 7 hours") == "number 7 hour");
  CHECK(unsupported(facts, "Open 7") == "number 7");
  CHECK(unsupported(facts, "7 % off") == "per cent 7 %");
  CHECK(unsupported(facts, "Rated 4.9 stars") == "number 4.9 star");
  CHECK(unsupported(facts, "Open on Monday, tomorrow and in May") == "date monday, date tomorrow, date may");
  CHECK(unsupported(facts, "You may come") == "");
  CHECK(unsupported(facts, "Half price, twice as good") == "number 0.5 price, number x2");
  CHECK(unsupported(facts, "Bread from Paris") == "name paris");
  CHECK(unsupported(facts, "Gordon Ramsay eats here") == "name gordon, name ramsay");
  CHECK(unsupported(facts, "Visit Bakery Vermeulen in Ghent") == "");
  CHECK(unsupported(facts, "My iPhone bread") == "name iphone");
  CHECK(unsupported(facts, "Fresh bread for you") == "");
  CHECK(unsupported(facts, "The one for you, one hour away") == "number 1 hour");
  CHECK(unsupported(facts, "A 5km run on the 20th") == "number 5km, number 20th");
  CHECK(unsupported({}, "1 2 3") == "number 1, number 2, number 3");
  CHECK(unsupported({}, "") == "");
}

TEST_CASE("facts are found by what they say", "[ads][facts]") {
  const std::string facts[] = {"Open 7 days", "A loaf costs \u20ac3.50", "We bake in Ghent", "Open 7 days a week"};
  const FactLock lock(facts, {});
  CHECK_FALSE(lock.has_date());
  const std::vector<Claim> claims = FactLock::claims_of("7 days in Ghent");
  REQUIRE(claims.size() == 2);
  CHECK(lock.facts_of(claims[0]) == std::vector<size_t>{0, 3});
  CHECK(lock.facts_of(claims[1]) == std::vector<size_t>{2});
  CHECK(lock.has_words("loaf costs"));
  CHECK_FALSE(lock.has_words("costs loaf"));
  const std::string dated[] = {"Until 5 May"};
  CHECK(FactLock(dated, {}).has_date());
}
