// Briefs: read strictly, every error names its field; money is split to the last millionth.
#include <numeric>

#include "ads/creative/pieces.h"
#include "base/json.h"
#include "puna/ads/brief.h"
#include "puna/base/philox.h"
#include "support/catch.h"
#include "support/status.h"

using namespace puna;
using namespace puna::ads;
using namespace puna::test;

namespace {

Json plain() {
  return Json::parse(R"({"name": "Bakery Vermeulen", "objective": "sales", "facts": ["We bake bread"],
    "budget": {"daily": 10, "currency": "EUR", "start": "2026-12-30", "end": "2027-01-02"},
    "placements": ["google.search"]})");
}

Brief read(const Json& json) { return read_brief(json.dump(), "b", known_placements()); }

// The plain brief with `value` at the pointer.
std::string error_with(const char* pointer, const char* value) {
  Json json = plain();
  json[Json::json_pointer(pointer)] = Json::parse(value);
  return message_of([&] { read(json); });
}
std::string error_without(const char* field) {
  Json json = plain();
  json.erase(field);
  return message_of([&] { read(json); });
}

}  // namespace

TEST_CASE("a brief says what it says", "[ads][brief]") {
  Json json = plain();
  json["facts"] = {" We\tbake \n bread ", "", {{"id", "x"}, {"text", "Since\u200b 1987"}}};
  json["segments"] = {{{"name", "a"}, {"share", 0.25}}, {{"name", "b"}}, {{"name", "c"}, {"about", "d"}}};
  json["placements"] = {"google.search", {{"id", "meta.feed"}, {"variants", 5}}};
  json["budget"]["daily"] = "9.999999";
  const Brief b = read(json);
  CHECK(b.facts.size() == 2);
  CHECK(b.facts[0].text == "We bake bread");
  CHECK(b.facts[1].id == "x");
  CHECK(b.facts[1].text == "Since 1987");
  CHECK(b.notes.size() == 2);
  CHECK(b.budget.days == 4);
  CHECK(b.budget.daily == 9'999'999);
  CHECK(b.budget.lifetime == 4 * 9'999'999);
  CHECK(b.segments[1].share == Approx(0.375));
  CHECK(b.placements[0].variants == 3);
  CHECK(b.placements[1].variants == 5);
  CHECK(b.language == "en");
  CHECK(b.language_was_seen);
  json["facts"] = {"Wir backen und verkaufen Brot mit Mehl aus der Region"};
  CHECK(read(json).language == "de");
  json["facts"] = {"\u6bce\u671d\u5e97\u5185\u3067\u713c\u3044\u3066\u3044\u307e\u3059"};
  CHECK(read(json).language == "ja");
}

TEST_CASE("what is wrong with a brief is said with its field", "[ads][brief]") {
  CHECK(error_with("/fact", "[]") == "b: fact: there is no such field, did you mean 'facts'?");
  CHECK(error_with("/budget/curency", "1") == "b: budget.curency: there is no such field, did you mean 'currency'?");
  CHECK(error_with("/facts", "[]") ==
        "b: facts: there are none: facts are the only claims that an advertisement may make");
  CHECK(error_with("/facts", R"(["", " "])") == "b: facts: all of them are empty");
  CHECK(error_with("/facts/0", "7") == "b: facts[0]: expected a string");
  CHECK(
      error_with("/objective", R"("sale")") ==
      "b: objective: there is no objective 'sale', expected awareness, traffic, leads or sales, did you mean 'sales'?");
  CHECK(error_with("/placements/0", R"("google.serch")") ==
        "b: placements[0]: there is no placement 'google.serch', did you mean 'google.search'?");
  CHECK(error_with("/budget/lifetime", "5") == "b: budget: expected one of \"daily\" and \"lifetime\"");
  CHECK(error_with("/budget/currency", R"("EURO")") ==
        "b: budget.currency: there is no currency 'EURO', did you mean 'EUR'?");
  CHECK(error_with("/budget/start", R"("2027-02-29")") == "b: budget.start: there is no day '2027-02-29'");
  CHECK(error_with("/budget/end", R"("2026-12-29")") == "b: budget.end: 2026-12-29 is before the start, 2026-12-30");
  CHECK(error_with("/budget/time_zone", R"("CETT")") ==
        "b: budget.time_zone: 'CETT' is no time zone, expected UTC, +01:00 or a name such as Europe/Brussels");
  for (const char* amount :
       {"0", "-1", "1e300", "\"\"", "\".5\"", "\"1.\"", "\"1,5\"", "\"1.1234567\"", "\"99999999\"", "true"}) {
    CAPTURE(amount);
    CHECK(error_with("/budget/daily", amount).find("b: budget.daily: ") == 0);
  }
  CHECK(error_with("/images", R"(["a.png"])") == "b: images: pictures are neither made nor placed here: texts only");
  CHECK(error_with("/banned", R"(["bread", "vermeulen"])") == "b: banned[1]: 'vermeulen' is part of the name");
  CHECK(error_with("/variants", "0") == "b: variants: expected a whole number from 1 to 50");
  CHECK(error_with("/segments", R"([{"name": "a", "share": 0.5}])").find("b: segments: their shares make 0.5") == 0);
  CHECK(error_with("/language", R"("e n")").find("b: language: ") == 0);
  for (const char* tag : {R"("xx")", R"("english")", R"("e")", R"("xx-US")", R"("")"})
    CHECK(error_with("/language", tag)
              .find("is no language, expected a tag such as en or pt-BR (with calls of their "
                    "own: ar, bn,") != std::string::npos);
  for (const char* tag : {R"("hu")", R"("pt-BR")", R"("EN-us")", R"("zh-Hant")"})
    CHECK(error_with("/language", tag).empty());
  CHECK(error_without("name") == "b: name: expected a string");
  CHECK(error_without("budget").find("b: budget: there is none") == 0);
  CHECK(error_without("placements").find("b: placements: there are none") == 0);
  CHECK(status_of([] { read_brief("{", "b", known_placements()); }) == Status::invalid_argument);
  CHECK(status_of([] { read_brief("[]", "b", known_placements()); }) == Status::invalid_argument);
}

TEST_CASE("an amount is split to the last millionth", "[ads][brief]") {
  CHECK(split_exactly(10, {1, 1, 1}) == std::vector<Micros>{4, 3, 3});
  CHECK(split_exactly(7, {0, 0}) == std::vector<Micros>{4, 3});
  for (uint64_t seed = 0; seed < 200; ++seed) {
    const Philox p = philox(seed, 0);
    std::vector<double> shares;
    for (uint32_t i = 0; i < 1 + p.word[0] % 20; ++i) shares.push_back(double(philox(seed, i + 1).word[0] % 1000));
    const Micros total = Micros((uint64_t(p.word[1]) << 20 | p.word[2] >> 12) % uint64_t(kMostMicros));
    const std::vector<Micros> parts = split_exactly(total, shares);
    CHECK(std::accumulate(parts.begin(), parts.end(), Micros(0)) == total);
    for (const Micros part : parts) CHECK(part >= 0);
  }
}

TEST_CASE("facts become clauses that keep their conditions", "[ads][brief]") {
  Json json = plain();
  json["language"] = "en";
  json["facts"] = {"We bake sourdough. It rests for a day.", "Half price on Fridays. Members only.",
                   "Open 7 a.m. to 6 p.m. Parking in front.", "See Dr. Bread, No. 5 in town",
                   "Crusty rolls with seeds"};
  const Pieces p = pieces_of(read(json));
  std::vector<std::string> clauses;
  for (const Clause& c : p.clauses) clauses.push_back(c.text);
  CHECK(clauses == std::vector<std::string>{"We bake sourdough. It rests for a day",
                                            "Half price on Fridays. Members only",
                                            "Open 7 a.m. to 6 p.m. Parking in front", "See Dr. Bread, No. 5 in town",
                                            "Crusty rolls with seeds", "Bakery Vermeulen"});
  json["facts"] = {"We bake rye rolls and apple tarts in our own oven",
                   "Half our bread is sold by ten",
                   "Our 3 ovens",
                   "We sell cakes only on request",
                   "We repair, lend and explain",
                   "We are open",
                   "Next to the old market"};
  CHECK(pieces_of(read(json)).ours == std::vector<std::string>{"rye rolls", "apple tarts", "oven"});
  CHECK(pieces_of(read(json)).things == std::vector<std::string>{"rye rolls", "apple tarts"});
}
