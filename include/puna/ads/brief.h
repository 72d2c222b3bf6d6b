// brief.h -- what an advertiser wants: an objective, a budget, facts (the only claims allowed), whom it is for and
// where it stands. Read strictly: an unknown field names the nearest one, and what cannot be met names the field. The
// fields are explained in docs/ads.md.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "puna/ads/money.h"
#include "puna/ads/placements.h"

namespace puna::ads {

enum class Objective : uint8_t { awareness, traffic, leads, sales };
const char* name_of(Objective objective) noexcept;

struct Fact {
  std::string id, text;  // cleaned: no control characters, single spaces
};

struct Segment {
  std::string name, about;
  double share = 0;  // of the budget; all of them together 1
};

struct BriefPlacement {
  std::string id;
  int64_t variants = 0;
};

struct Budget {
  Micros daily = 0;  // one of the two
  Micros lifetime = 0;
  std::string currency;  // EUR
  std::string start, end, time_zone;
  int64_t days = 0;  // both ends included
  // Of each day, in order; their sum is the lifetime budget.
  std::vector<Micros> by_day() const;
};

struct Brief {
  std::string name;  // of the business
  Objective objective = Objective::traffic;
  std::string language;            // en, de, ...
  bool language_was_seen = false;  // it was not given
  Budget budget;
  std::string page_url, page_text;
  std::vector<Fact> facts;
  std::string voice;
  std::vector<std::string> voice_words;  // the brand's own
  std::vector<std::string> banned, competitors;
  std::vector<Segment> segments;  // at least one
  std::vector<BriefPlacement> placements;
  uint64_t seed = 0;
  std::vector<std::string> notes;  // what was cleaned or left out, a sentence each
  uint64_t hash = 0;               // of the text it was read from
};

// Error{invalid_argument} "<name>: facts[3]: ...", {unsupported} for pictures.
Brief read_brief(std::string_view json, const std::string& name, const Placements& placements);

// amounts[i] in proportion to shares, none below zero, their sum exactly `total`: largest remainders, first ones first.
std::vector<Micros> split_exactly(Micros total, const std::vector<double>& shares);

}  // namespace puna::ads
