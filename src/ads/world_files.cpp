#include "ads/world_files.h"

#include <algorithm>
#include <cmath>

#include "ads/rows.h"
#include "base/json_field.h"
#include "base/nearest.h"
#include "base/shown.h"
#include "puna/base/error.h"

namespace puna::ads {
namespace {

constexpr size_t kMostRows = 100'000'000, kMostSegments = 100'000, kMostWorldVariants = 1000;

Micros micros_of(const Rows& rows, int column) {
  return Micros(std::floor(rows.number(column, 0, double(kMostMicros) / double(kOneUnit)) * double(kOneUnit) + 0.5));
}

double rate_of(const text::JsonField& field, double low, double high) {
  if (!field.json().is_number()) field.expected("a rate, a number from 0 to 1");
  const double rate = field.json().get<double>();
  if (!(rate >= low && rate <= high)) field.expected("a rate, a number from 0 to 1 (of a ranker: between them)");
  return rate;
}

std::vector<double> rates_of(const text::JsonField& lists, int32_t& segments, int32_t& variants, double low,
                             double high) {
  std::vector<double> rates;
  if (lists.size() == 0 || lists.size() > kMostSegments) lists.expected("a list a segment, of rates of the variants");
  if (segments != 0 && lists.size() != size_t(segments)) lists.expected("as many segments as \"p\" has");
  segments = int32_t(lists.size());
  for (size_t s = 0; s < lists.size(); ++s) {
    const text::JsonField list = lists[s];
    if (!list.is_array() || list.size() == 0 || list.size() > kMostWorldVariants)
      list.expected("a list of 1 to 1000 rates");
    if (variants != 0 && list.size() != size_t(variants)) list.expected("as many variants as the other segments have");
    variants = int32_t(list.size());
    for (size_t k = 0; k < list.size(); ++k) rates.push_back(rate_of(list[k], low, high));
  }
  return rates;
}

}  // namespace

std::vector<AuctionRecord> read_auctions(const TextFile& file, const Watch& watch) {
  Rows rows(file.text, file.name, watch);
  const int hour = rows.column("hour"), value = rows.column("value"), price = rows.column("price");
  std::vector<AuctionRecord> day;
  double before = 0;
  while (rows.next()) {
    const double h = rows.number(hour, 0, 24);
    if (h >= 24) rows.bad(hour, "an hour below 24");
    if (h < before) rows.bad(hour, "at or after the hour of the row before: auctions are in the order of their time");
    before = h;
    if (day.size() == kMostRows) fail(Status::bad_file, "%s: more than %zu auctions", rows.where().c_str(), kMostRows);
    day.push_back({.at = h / 24, .value = micros_of(rows, value), .price = micros_of(rows, price)});
  }
  if (day.empty()) fail(Status::bad_file, "%s: there are no auctions below the names", file.name.c_str());
  return day;
}

NamedWorld read_world(const TextFile& file, const Watch& watch) {
  Json json = parse_json(file.text, file.name.c_str(), watch);
  const JsonGuard guard(json);
  const text::JsonField root(json, file.name + ": world");
  root.only({"p", "rates", "segments"});
  NamedWorld named;
  World& w = named.world;
  w.p = rates_of(root["p"], w.segments, w.variants, 0, 1);
  if (!root["rates"].is_null()) w.rates = rates_of(root["rates"], w.segments, w.variants, 1e-9, 1 - 1e-9);
  if (const text::JsonField names = root["segments"]; !names.is_null()) {
    if (names.size() != size_t(w.segments)) names.expected("a name a segment");
    for (size_t s = 0; s < names.size(); ++s) {
      if (std::find(named.segments.begin(), named.segments.end(), names[s].string()) != named.segments.end())
        names[s].expected("another name than those before it");
      named.segments.push_back(names[s].string());
    }
  }
  return named;
}

std::vector<Impression> read_stream(const TextFile& file, const NamedWorld& world, const Watch& watch) {
  Rows rows(file.text, file.name, watch);
  const int segment = rows.column("segment"), u = rows.column("u");
  std::vector<Impression> stream;
  while (rows.next()) {
    Impression i;
    const auto named = std::find(world.segments.begin(), world.segments.end(), rows.text(segment));
    if (named != world.segments.end()) {
      i.segment = int32_t(named - world.segments.begin());
    } else if (!world.segments.empty() &&
               rows.text(segment).find_first_not_of("0123456789") != std::string_view::npos) {
      fail(Status::bad_file, "%s, column 'segment': the world has no segment '%s'%s", rows.where().c_str(),
           shown(rows.text(segment)).c_str(), did_you_mean(rows.text(segment), world.segments).c_str());
    } else {
      i.segment = int32_t(rows.integer(segment, 0, world.world.segments - 1));
    }
    i.u = rows.number(u, 0, 1);
    if (stream.size() == kMostRows)
      fail(Status::bad_file, "%s: more than %zu impressions", rows.where().c_str(), kMostRows);
    stream.push_back(i);
  }
  if (stream.empty()) fail(Status::bad_file, "%s: there are no impressions below the names", file.name.c_str());
  return stream;
}

}  // namespace puna::ads
