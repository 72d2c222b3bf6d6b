// placements.cpp -- placements as they are read.
#include "puna/ads/placements.h"

#include "base/hash.h"
#include "base/json_field.h"
#include "base/nearest.h"
#include "base/shown.h"
#include "puna/base/error.h"
#include "puna/text/graphemes.h"

namespace puna::ads {
namespace {

constexpr const char* kPlacements =
#include "ads/creative/placements.inc"
    ;
constexpr int64_t kLongest = 5000, kMostTexts = 100;

PlacementField read_field(const text::JsonField& json) {
  json.only({"name", "kind", "limit", "least", "most", "one_within", "accepted"});
  PlacementField f;
  f.name = json["name"].string();
  const std::string& kind = json["kind"].string();
  if (kind == "headline")
    f.kind = TextKind::headline;
  else if (kind == "description")
    f.kind = TextKind::description;
  else if (kind == "name")
    f.kind = TextKind::name;
  else if (kind == "path")
    f.kind = TextKind::path;
  else
    json["kind"].expected("headline, description, name or path");
  f.limit = json["limit"].integer(1, kLongest);
  f.least = json["least"].integer(0, kMostTexts);
  f.most = json["most"].integer(std::max<int64_t>(f.least, 1), kMostTexts);
  if (!json["one_within"].is_null()) f.one_within = json["one_within"].integer(1, f.limit);
  if (!json["accepted"].is_null()) f.accepted = json["accepted"].integer(f.limit, kLongest);
  return f;
}

template <class List, class Name>
const auto& find_in(const List& list, std::string_view name, Name name_of, const char* what) {
  std::vector<std::string_view> known;
  for (const auto& entry : list) {
    if (name_of(entry) == name) return entry;
    known.push_back(name_of(entry));
  }
  fail(Status::invalid_argument, "there is no %s '%s'%s", what, shown(name).c_str(), did_you_mean(name, known).c_str());
}

}  // namespace

Placements read_placements(std::string_view json, const std::string& name) {
  Json tree = parse_json(json, name.c_str());
  const JsonGuard guard(tree);
  const text::JsonField root(tree, name + ": ");
  root.only({"date", "placements"});
  Placements p;
  p.date = root["date"].string();
  p.hash = hash_of(json);
  const text::JsonField list = root["placements"];
  if (list.is_null()) list.expected("a list of placements");
  for (size_t i = 0; i < list.size(); ++i) {
    const text::JsonField at = list[i];
    at.only({"id", "platform", "label", "double_width", "source", "date", "fields"});
    Placement one;
    one.id = at["id"].string();
    one.platform = at["platform"].string();
    one.label = at["label"].string();
    one.double_width = at["double_width"].boolean(false);
    one.source = at["source"].string();
    one.date = at["date"].string();
    if (at["fields"].size() == 0) at["fields"].expected("at least one field");
    for (size_t k = 0; k < at["fields"].size(); ++k) one.fields.push_back(read_field(at["fields"][k]));
    for (const Placement& other : p.list)
      if (other.id == one.id)
        fail(Status::bad_file, "%s.id: there is a placement '%s' already", at.path().c_str(), shown(one.id).c_str());
    p.list.push_back(std::move(one));
  }
  return p;
}

const Placements& known_placements() {
  static const Placements placements = read_placements(kPlacements, "placements.inc");
  return placements;
}

const Placement& Placements::find(std::string_view id) const {
  return find_in(
      list, id, [](const Placement& p) -> const std::string& { return p.id; }, "placement");
}

const PlacementField& find_field(const Placement& placement, std::string_view name) {
  return find_in(
      placement.fields, name, [](const PlacementField& f) -> const std::string& { return f.name; },
      ("field of " + placement.id).c_str());
}

int64_t length_in(const Placement& placement, std::string_view text) noexcept {
  const TextLength n = text_length(text);
  return placement.double_width ? n.columns : n.graphemes;
}

}  // namespace puna::ads
