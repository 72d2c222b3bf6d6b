// vocabulary.cpp -- a ranker's features by the names of their ids.
#include <charconv>
#include <cmath>

#include "base/shown.h"
#include "puna/base/error.h"
#include "puna/recsys/ranker.h"

namespace puna::recsys {

const Names& Ranker::vocabulary(size_t feature) const {
  PUNA_REQUIRE(feature < vocabularies_.size(), "feature %zu of %zu", feature, vocabularies_.size());
  return *vocabularies_[feature];
}

void Ranker::set_vocabulary(size_t feature, Names names) {
  PUNA_REQUIRE(feature < vocabularies_.size(), "feature %zu of %zu", feature, vocabularies_.size());
  const Feature& f = config_.features[feature];
  PUNA_REQUIRE(!f.hashed, "feature '%s' is hashed: any name has an id", f.name.c_str());
  PUNA_REQUIRE(names.size() <= f.rows, "feature '%s': %jd names, expected up to %jd", f.name.c_str(), names.size(),
               f.rows);
  vocabularies_[feature] = std::make_shared<const Names>(std::move(names));
}

std::string divided_name(double number, double divide) {
  const double part = std::trunc(number / divide);
  PUNA_REQUIRE(std::fabs(part) < 0x1p63, "%g / %g is no whole number of 64 bits", number, divide);  // NaN as well
  return std::to_string(int64_t(part));
}

int64_t Ranker::id(size_t feature, std::string_view name) const {
  const Names& names = vocabulary(feature);
  const Feature& f = config_.features[feature];
  if (f.hashed) return id_of(name);
  PUNA_REQUIRE(!names.empty(), "feature '%s' has no names: its ids are the numbers 0 to %jd", f.name.c_str(),
               f.rows - 1);
  if (f.divide == 0) return names.find(name);
  double number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  PUNA_REQUIRE(error == std::errc() && end == name.data() + name.size() && std::isfinite(number),
               "feature '%s': '%s' is no number", f.name.c_str(), shown(name).c_str());
  return names.find(divided_name(number, f.divide));
}

std::vector<int64_t> Ranker::ids(size_t feature, std::span<const std::string> names, int64_t* unknown) const {
  std::vector<int64_t> known;
  for (const std::string& name : names)
    if (const int64_t i = id(feature, name); i != kUnknown) known.push_back(i);
  if (unknown) *unknown = int64_t(names.size() - known.size());
  return known;
}

}  // namespace puna::recsys
