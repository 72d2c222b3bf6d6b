#include "puna/recsys/ranker_config.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>

#include "base/json.h"
#include "base/json_field.h"
#include "puna/base/error.h"

namespace puna::recsys {
namespace {

using text::JsonField;

constexpr const char* kInteractions[] = {"linear", "fm", "concat", "cross", "dot"};
constexpr const char* kTaskKinds[] = {"binary", "fraction"};
constexpr int64_t kMostRows = (int64_t(1) << 31) - 1;  // rows of all tables have numbers of 31 bits
constexpr size_t kLongestName = 100;
constexpr double kLargestNumber = 1e30, kLeastScale = 1e-30;

template <class Named>
int place_of(const std::vector<Named>& all, std::string_view name) {
  const auto at = std::find_if(all.begin(), all.end(), [&](const Named& n) {
    if constexpr (std::is_same_v<Named, std::string>)
      return n == name;
    else
      return n.name == name;
  });
  return at == all.end() ? -1 : int(at - all.begin());
}

void within(const char* field, int64_t value, int64_t low, int64_t high) {
  PUNA_REQUIRE(value >= low && value <= high, "%s is %jd, expected %jd to %jd", field, value, low, high);
}

void check_name(const char* list, const std::string& name, std::set<std::string>& seen) {
  PUNA_REQUIRE(!name.empty() && name.size() <= kLongestName, "%s: a name has %zu bytes, expected 1 to %zu", list,
               name.size(), kLongestName);
  PUNA_REQUIRE(seen.insert(name).second, "%s: '%s' is there twice", list, name.c_str());
}

}  // namespace

int64_t RankerConfig::table_rows() const noexcept {
  int64_t rows = int64_t(surfaces.size());
  for (const Feature& f : features) rows += f.rows;
  return rows;
}

int RankerConfig::surface(std::string_view name) const noexcept { return place_of(surfaces, name); }
int RankerConfig::task(std::string_view name) const noexcept { return place_of(tasks, name); }

void check(const RankerConfig& c) {
  within("the number of surfaces", int64_t(c.surfaces.size()), 1, 1 << 16);
  within("the number of tasks", int64_t(c.tasks.size()), 1, 32);
  within("the number of features", int64_t(c.features.size()), 0, 256);
  within("the number of numbers", int64_t(c.numbers.size()), 0, 4096);
  std::set<std::string> surfaces, tasks, features;
  for (const std::string& s : c.surfaces) check_name("surfaces", s, surfaces);
  for (const Task& t : c.tasks) {
    check_name("tasks", t.name, tasks);
    within("a task's kind", int64_t(t.kind), 0, 1);
    PUNA_REQUIRE(t.weight >= 0 && t.weight <= 1e6, "task '%s': weight is %g, expected 0 to 1e6", t.name.c_str(),
                 t.weight);
    PUNA_REQUIRE(t.kept_negatives > 0 && t.kept_negatives <= 1,
                 "task '%s': kept_negatives is %g, expected above 0, up to 1", t.name.c_str(), t.kept_negatives);
    PUNA_REQUIRE(t.kind == TaskKind::binary || t.kept_negatives == 1,
                 "task '%s': a fraction has no negatives to leave out", t.name.c_str());
  }
  for (const Feature& f : c.features) {
    check_name("features", f.name, features);
    PUNA_REQUIRE(f.rows >= 1 && f.rows <= kMostRows, "feature '%s': rows is %jd, expected 1 to 2^31 - 1",
                 f.name.c_str(), f.rows);
    PUNA_REQUIRE(f.divide == 0 || (f.divide >= kLeastScale && f.divide <= kLargestNumber),
                 "feature '%s': divide is %g, expected above 0", f.name.c_str(), f.divide);
    PUNA_REQUIRE(f.divide == 0 || !f.hashed, "feature '%s' is hashed: there is nothing to divide", f.name.c_str());
  }
  for (const Number& n : c.numbers) {
    check_name("features and numbers", n.name, features);
    PUNA_REQUIRE(std::fabs(n.mean) <= kLargestNumber, "number '%s': mean is %g, expected -1e30 to 1e30", n.name.c_str(),
                 n.mean);
    PUNA_REQUIRE(n.scale >= kLeastScale && n.scale <= kLargestNumber,
                 "number '%s': scale is %g, expected 1e-30 to 1e30", n.name.c_str(), n.scale);
  }
  within("the rows of all features", c.table_rows(), 1, kMostRows);
  within("interaction", int64_t(c.interaction), 0, 4);
  within("dim", c.dim, 1, 1024);
  within("dim times embeddings", c.width(), 1, 1 << 16);
  within("cross_layers", c.cross_layers, 1, 16);
  within("experts", c.experts, 1, 64);
  within("the number of hidden layers", int64_t(c.hidden.size()), 0, 16);
  within("the number of tower layers", int64_t(c.tower.size()), 0, 16);
  for (const int64_t w : c.hidden) within("a hidden layer's width", w, 1, 1 << 14);
  for (const int64_t w : c.tower) within("a tower layer's width", w, 1, 1 << 14);
  PUNA_REQUIRE(c.experts == 1 || !c.hidden.empty(), "there are %jd experts and no hidden layers to make them of",
               c.experts);
  PUNA_REQUIRE(c.interaction != Interaction::linear || (c.experts == 1 && c.hidden.empty() && c.tower.empty()),
               "a linear ranker has no hidden layers, experts or towers");
  PUNA_REQUIRE(c.interaction != Interaction::linear || c.numbers.empty(),
               "a linear ranker does not look at numbers, and there are %zu", c.numbers.size());
  PUNA_REQUIRE(c.interaction != Interaction::dot || c.tokens() >= 2,
               "there are no pairs: dot products need a feature besides the surface");
}

// ---- JSON ----

namespace {

int64_t integer(const JsonField& f, int64_t otherwise) { return f.is_null() ? otherwise : f.integer(0, kMostRows); }

double number(const JsonField& f, double otherwise) {
  if (f.is_null()) return otherwise;
  if (!f.json().is_number()) f.expected("a number");
  return f.json().get<double>();
}

template <size_t N>
int one_of(const JsonField& f, const char* const (&names)[N], int otherwise) {
  if (f.is_null()) return otherwise;
  for (size_t i = 0; i < N; ++i)
    if (f.string() == names[i]) return int(i);
  f.expected((std::string("one of ") + names[0] + " ... " + names[N - 1]).c_str());
}

std::vector<std::string> names(const JsonField& list) {
  std::vector<std::string> all;
  for (size_t i = 0; i < list.size(); ++i) all.push_back(list[i].string());
  return all;
}

std::vector<int64_t> widths(const JsonField& list, std::vector<int64_t> otherwise) {
  if (list.is_null()) return otherwise;
  std::vector<int64_t> all;
  for (size_t i = 0; i < list.size(); ++i) all.push_back(list[i].integer(1, 1 << 14));
  return all;
}

// Documents are put together as text (see quoted()).
std::string text_of(double value) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, value).ptr};
}
std::string text_of(int64_t value) { return std::to_string(value); }
std::string text_of(const std::string& value) { return quoted(value); }
std::string text_of(const Task& t) {
  return "{\"name\":" + quoted(t.name) + ",\"kind\":\"" + kTaskKinds[size_t(t.kind)] +
         "\",\"weight\":" + text_of(t.weight) + ",\"kept_negatives\":" + text_of(t.kept_negatives) + "}";
}
std::string text_of(const Feature& f) {
  return "{\"name\":" + quoted(f.name) + ",\"rows\":" + text_of(f.rows) +
         ",\"hashed\":" + (f.hashed ? "true" : "false") + (f.divide > 0 ? ",\"divide\":" + text_of(f.divide) : "") +
         "}";
}
std::string text_of(const Number& n) {
  if (n.mean == 0 && n.scale == 1) return quoted(n.name);
  return "{\"name\":" + quoted(n.name) + ",\"mean\":" + text_of(n.mean) + ",\"scale\":" + text_of(n.scale) + "}";
}
template <class Part>
std::string list_of(const std::vector<Part>& parts) {
  std::string text = "[";
  for (const Part& p : parts) text += (text.size() > 1 ? "," : "") + text_of(p);
  return text + "]";
}

}  // namespace

RankerConfig ranker_config(std::string_view text) {
  Json json = parse_json(text, "a ranker's configuration");
  const JsonGuard<Json> guard(json);
  const JsonField root(json, "ranker");
  root.only(
      {"surfaces", "tasks", "features", "numbers", "interaction", "dim", "cross_layers", "experts", "hidden", "tower"});
  RankerConfig c;
  c.surfaces = names(root["surfaces"]);
  for (size_t i = 0; i < root["numbers"].size(); ++i) {
    const JsonField n = root["numbers"][i];
    if (n.is_object()) n.only({"name", "mean", "scale"});
    c.numbers.push_back(n.is_object() ? Number(n["name"].string(), number(n["mean"], 0), number(n["scale"], 1))
                                      : Number(n.string()));
  }
  for (size_t i = 0; i < root["tasks"].size(); ++i) {
    const JsonField t = root["tasks"][i];
    t.only({"name", "kind", "weight", "kept_negatives"});
    c.tasks.push_back({t["name"].string(), TaskKind(one_of(t["kind"], kTaskKinds, 0)), number(t["weight"], 1),
                       number(t["kept_negatives"], 1)});
  }
  for (size_t i = 0; i < root["features"].size(); ++i) {
    const JsonField f = root["features"][i];
    f.only({"name", "rows", "hashed", "divide"});
    c.features.push_back(
        {f["name"].string(), integer(f["rows"], 0), f["hashed"].boolean(false), number(f["divide"], 0)});
  }
  c.interaction = Interaction(one_of(root["interaction"], kInteractions, int(c.interaction)));
  c.dim = integer(root["dim"], c.dim);
  c.cross_layers = integer(root["cross_layers"], c.cross_layers);
  c.experts = integer(root["experts"], c.experts);
  c.hidden = widths(root["hidden"], c.interaction == Interaction::linear ? std::vector<int64_t>() : c.hidden);
  c.tower = widths(root["tower"], c.tower);
  try {
    check(c);
  } catch (const Error& e) {
    fail(Status::bad_file, "a ranker's configuration: %s", e.what());
  }
  return c;
}

std::string json_of(const RankerConfig& c) {
  return "{\"surfaces\":" + list_of(c.surfaces) + ",\"tasks\":" + list_of(c.tasks) +
         ",\"features\":" + list_of(c.features) + ",\"numbers\":" + list_of(c.numbers) + ",\"interaction\":\"" +
         kInteractions[size_t(c.interaction)] + "\",\"dim\":" + text_of(c.dim) +
         ",\"cross_layers\":" + text_of(c.cross_layers) + ",\"experts\":" + text_of(c.experts) +
         ",\"hidden\":" + list_of(c.hidden) + ",\"tower\":" + list_of(c.tower) + "}";
}

}  // namespace puna::recsys
