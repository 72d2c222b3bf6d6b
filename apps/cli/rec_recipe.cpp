#include "rec_recipe.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numeric>
#include <optional>

#include "base/nearest.h"
#include "base/shown.h"
#include "common.h"
#include "puna/base/error.h"
#include "rec_tables.h"
#include "recsys/data/times.h"

namespace puna::cli {
namespace {

using recsys::Names;
using recsys::RankerConfig;
using text::JsonField;

std::vector<std::string_view> split(std::string_view text, std::string_view separator) {
  std::vector<std::string_view> parts;
  for (size_t end; (end = text.find(separator)) != std::string_view::npos; text.remove_prefix(end + separator.size()))
    parts.push_back(text.substr(0, end));
  parts.push_back(text);
  return parts;
}

// A number that may be left out.
std::optional<double> number(const JsonField& f) {
  if (f.is_null()) return {};
  if (!f.json().is_number() || !(std::fabs(f.json().get<double>()) <= 1e30)) f.expected("a number from -1e30 to 1e30");
  return f.json().get<double>();
}
double above_zero(const JsonField& f, double otherwise) {
  const double value = number(f).value_or(otherwise);
  if (!f.is_null() && !(value >= 1e-30)) f.expected("a number above 0");
  return value;
}

// ---- features: names become ids, in the order in which they first appear ----

struct Ids {
  std::vector<std::vector<int64_t>> of;  // of each event
  Names names;

  Ids(const Joined& data, const JsonField& feature) {
    const Column column = data.column(feature["column"]);
    const double divide = above_zero(feature["divide"], 0);
    const std::string between = separator(feature["many"]);
    std::unordered_map<std::string, int64_t> numbers;
    std::vector<std::string> list;
    for (size_t r = 0; r < data.rows(); ++r) {
      of.emplace_back();
      for (const std::string_view value : between.empty() ? std::vector{column.at(r)} : split(column.at(r), between)) {
        if (value.empty()) continue;  // nothing is known
        std::string name = divide > 0 ? divided(value, divide, column, r) : std::string(value);
        if (const char* const fault = recsys::fault_of_name(name))
          fail(Status::bad_file, "%s: '%s' %s", column.where(r).c_str(), shown(name).c_str(), fault);
        const auto [at, added] = numbers.emplace(name, int64_t(numbers.size()));
        of.back().push_back(at->second);
        if (added) list.push_back(std::move(name));
      }
    }
    if (list.empty())
      fail(Status::bad_file, "%s: the column '%s' is empty throughout", feature.path().c_str(), column.name().c_str());
    names = Names(list, "value");
  }

 private:
  // "" = a field is one value
  static std::string separator(const JsonField& many) {
    if (!many.is_string()) return many.boolean(false) ? " " : "";
    if (many.string().empty()) many.expected("true, false or what lies between values");
    return many.string();
  }
  static std::string divided(std::string_view value, double divide, const Column& column, size_t row) {
    double number = 0;
    if (!io::parse_number(value, number))
      fail(Status::bad_file, "%s: '%s' is no number", column.where(row).c_str(), shown(value).c_str());
    try {
      return recsys::divided_name(number, divide);
    } catch (const Error& e) {
      fail(Status::bad_file, "%s: %.300s", column.where(row).c_str(), e.what());
    }
  }
};

// ---- numbers, as they stand; their scale is learned from the training part ----

std::vector<float> values_of(const Joined& data, const JsonField& number_field) {
  const bool named = number_field.is_string();
  const Column column = data.column(named ? number_field : number_field["column"]);
  const std::optional<double> missing = named ? std::nullopt : number(number_field["missing"]);
  const double otherwise = missing.value_or(0);
  std::vector<float> values;
  size_t replaced = 0;
  for (size_t r = 0; r < data.rows(); ++r) {
    if (column.at(r).empty()) {
      if (!missing)
        fail(Status::bad_file, "%s is empty: {\"column\": \"%s\", \"missing\": NUMBER} says what that counts as",
             column.where(r).c_str(), column.name().c_str());
      ++replaced;
    }
    values.push_back(float(column.at(r).empty() ? otherwise : column.number(r)));
  }
  if (replaced > 0)
    fprintf(stderr, "'%s' is empty in %zu of %zu events: taken for %g\n", column.name().c_str(), replaced, data.rows(),
            otherwise);
  return values;
}

// ---- surfaces ----

// The first group with one of the event's values, or the whole of them; else the last surface.
std::vector<int32_t> surfaces_of(const Joined& data, const JsonField& s, RankerConfig& config) {
  if (s.is_null()) {
    config.surfaces = {"all"};
    return std::vector<int32_t>(data.rows(), 0);
  }
  s.only({"column", "groups", "otherwise"});
  std::vector<std::vector<std::string>> groups;
  std::unordered_map<std::string_view, bool> met;
  for (size_t g = 0; g < s["groups"].size(); ++g) {
    const JsonField group = s["groups"][g];
    group.only({"name", "any"});
    config.surfaces.push_back(group["name"].string());
    groups.emplace_back();
    for (size_t i = 0; i < group["any"].size(); ++i) groups.back().push_back(group["any"][i].string());
  }
  config.surfaces.push_back(s["otherwise"].string());
  const Column column = data.column(s["column"]);
  std::vector<int32_t> surfaces;
  for (size_t r = 0; r < data.rows(); ++r) {
    std::vector<std::string_view> values = split(column.at(r), " ");
    if (values.size() > 1) values.push_back(column.at(r));
    for (const std::string_view v : values) met[v] = true;
    const auto mine = [&](const std::vector<std::string>& group) {
      return std::any_of(values.begin(), values.end(),
                         [&](std::string_view v) { return std::count(group.begin(), group.end(), v) > 0; });
    };
    surfaces.push_back(int32_t(std::find_if(groups.begin(), groups.end(), mine) - groups.begin()));
  }
  std::vector<std::string_view> known;
  for (const auto& [value, there] : met) known.push_back(value);
  std::sort(known.begin(), known.end());
  for (size_t g = 0; g < groups.size(); ++g)
    for (const std::string& value : groups[g])
      if (!met.contains(value))
        fprintf(stderr, "surface '%s': no event's %s is '%s'%s\n", config.surfaces[g].c_str(), column.name().c_str(),
                shown(value).c_str(), did_you_mean(value, known).c_str());
  return surfaces;
}

// ---- tasks ----

std::vector<float> outcomes_of(const Joined& data, const JsonField& task) {
  task.only({"name", "column", "at_least", "at_most", "divide", "kind", "weight"});
  const Column column = data.column(task["column"]);
  const std::optional<double> low = number(task["at_least"]), high = number(task["at_most"]);
  if ((low || high) && !task["divide"].is_null()) task["divide"].expected("no divide beside at_least or at_most");
  if (low && high && *low > *high) task["at_most"].expected("at least what at_least is");
  const double divide = above_zero(task["divide"], 1);
  std::vector<float> values;
  for (size_t r = 0; r < data.rows(); ++r) {
    const double given = column.number(r),
                 value = low || high ? (!low || given >= *low) && (!high || given <= *high) : given / divide;
    if (!(value >= 0 && value <= 1))
      fail(Status::bad_file,
           "%s: %g is no outcome of '%s': expected 0 to 1 (\"at_least\", \"at_most\" or \"divide\" make it one)",
           column.where(r).c_str(), value, task["name"].string().c_str());
    values.push_back(float(value));
  }
  return values;
}

// Of each event its place in time; events of the same time have the same.
std::vector<int64_t> order_of(const Joined& data, const JsonField& time) {
  if (time.is_null()) return {};
  const Column column = data.column(time);
  recsys::TimeColumn times;
  for (size_t r = 0; r < data.rows(); ++r) times.add(column.at(r), column.line(r), [&] { return column.where(r); });
  times.finish(column.file());
  std::vector<size_t> sorted(data.rows());
  std::iota(sorted.begin(), sorted.end(), size_t(0));
  std::stable_sort(sorted.begin(), sorted.end(), [&](size_t a, size_t b) { return times.before(a, b); });
  std::vector<int64_t> places(data.rows());
  for (size_t i = 1; i < sorted.size(); ++i)
    places[sorted[i]] = places[sorted[i - 1]] + times.before(sorted[i - 1], sorted[i]);
  return places;
}

// The columns' texts, one behind the other.
void add_contents(RecipeData& to, const Joined& data, const JsonField& content, const std::vector<Ids>& ids) {
  if (content.is_null()) return;
  content.only({"feature", "columns"});
  const std::string& feature = content["feature"].string();
  std::vector<std::string> known;
  for (size_t f = 0; f < ids.size(); ++f) {
    known.push_back(to.config.features[f].name);
    if (known.back() == feature) to.content_feature = int(f);
  }
  if (to.content_feature < 0)
    fail(Status::bad_file, "%s: the content's feature '%s' is none of the features%s", content.path().c_str(),
         shown(feature).c_str(), did_you_mean(feature, known).c_str());
  const Ids& of = ids[size_t(to.content_feature)];
  to.contents.resize(size_t(of.names.size()));
  std::vector<Column> columns;
  for (size_t i = 0; i < content["columns"].size(); ++i) columns.push_back(data.column(content["columns"][i]));
  if (columns.empty()) content["columns"].expected("a list of columns");
  for (size_t r = 0; r < data.rows(); ++r)
    for (const int64_t id : of.of[r]) {
      std::string& text = to.contents[size_t(id)];
      if (!text.empty()) continue;
      for (const Column& column : columns) text += (text.empty() ? "" : ", ") + std::string(column.at(r));
    }
}

RecipeData data_of(const JsonField& recipe, const std::string& folder, const std::string& interaction) {
  recipe.only({"events", "tables", "features", "numbers", "surfaces", "tasks", "content", "time", "model"});
  const JsonField network = recipe["model"];
  if (!network.is_null()) network.only({"interaction", "dim", "cross_layers", "experts", "hidden", "tower", "numbers"});
  const Joined data(recipe, folder);
  Json model = network.is_null() ? Json::object() : network.json();
  if (!interaction.empty()) model["interaction"] = interaction;
  if (interaction == "linear" || interaction == "fm") model["hidden"] = Json::array();
  RankerConfig config;
  std::vector<Ids> ids;
  std::vector<std::vector<float>> numbers, outcomes;
  model["features"] = Json::array();
  model["numbers"] = Json::array();
  const auto add_number = [&](const JsonField& n) {
    if (!n.is_string()) n.only({"column", "numeric", "missing"});
    numbers.push_back(values_of(data, n));
    model["numbers"].push_back(n.is_string() ? n.string() : n["column"].string());
  };
  for (size_t i = 0; i < recipe["features"].size(); ++i) {
    const JsonField f = recipe["features"][i];
    f.only({"column", "divide", "many", "numeric", "missing"});
    if (f["numeric"].boolean(false)) {
      add_number(f);
      continue;
    }
    if (!f["missing"].is_null()) f["missing"].expected("\"numeric\": true beside it: of a name nothing is missing");
    ids.emplace_back(data, f);
    model["features"].push_back(
        {{"name", f["column"].string()}, {"rows", ids.back().names.size()}, {"divide", above_zero(f["divide"], 0)}});
  }
  for (const JsonField& list : {recipe["numbers"], network["numbers"]})
    for (size_t i = 0; i < list.size(); ++i) add_number(list[i]);
  if (ids.empty() && numbers.empty()) recipe["features"].expected("at least one feature or number");
  if (recipe["tasks"].size() == 0) recipe["tasks"].expected("at least one task");
  model["tasks"] = Json::array();
  for (size_t i = 0; i < recipe["tasks"].size(); ++i) {
    const JsonField t = recipe["tasks"][i];
    outcomes.push_back(outcomes_of(data, t));
    model["tasks"].push_back({{"name", t["name"].string()},
                              {"kind", t["kind"].string("binary")},
                              {"weight", number(t["weight"]).value_or(1)}});
  }
  const std::vector<int32_t> surfaces = surfaces_of(data, recipe["surfaces"], config);
  model["surfaces"] = config.surfaces;
  config = recsys::ranker_config(model.dump());
  RecipeData all{config, recsys::ExampleSet(config), {}, order_of(data, recipe["time"]), -1, {}};
  add_contents(all, data, recipe["content"], ids);
  std::vector<std::span<const int64_t>> of_features(ids.size());
  std::vector<float> given(numbers.size()), values(outcomes.size());
  for (size_t r = 0; r < data.rows(); ++r) {
    for (size_t f = 0; f < ids.size(); ++f) of_features[f] = ids[f].of[r];
    for (size_t n = 0; n < numbers.size(); ++n) given[n] = numbers[n][r];
    for (size_t t = 0; t < outcomes.size(); ++t) values[t] = outcomes[t][r];
    all.examples.add(surfaces[r], of_features, given, values, ~0u);
  }
  for (Ids& of : ids) all.vocabularies.push_back(std::move(of.names));
  return all;
}

}  // namespace

RecipeData read_recipe(const std::string& recipe, const std::string& folder, const std::string& interaction) {
  Json json = parse_json(read_input(recipe), recipe.c_str());
  const JsonGuard guard(json);
  return data_of(JsonField(json, recipe + ": "), folder, interaction);
}

}  // namespace puna::cli
