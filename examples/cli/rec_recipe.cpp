#include "rec_recipe.h"

#include <charconv>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "common.h"
#include "puna/base/error.h"

namespace puna::cli {
namespace {

using recsys::RankerConfig;
using recsys::TaskKind;
using Json = nlohmann::json;

std::vector<std::string_view> split(std::string_view line, char separator) {
  std::vector<std::string_view> fields;
  for (size_t end; (end = line.find(separator)) != std::string_view::npos; line.remove_prefix(end + 1)) fields.push_back(line.substr(0, end));
  fields.push_back(line);
  return fields;
}

double number_of(std::string_view text, const std::string& where) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) fail(Status::bad_file, "%s: '%.*s' is no number", where.c_str(), int(std::min<size_t>(40, text.size())), text.data());
  return value;
}

// A tab-separated file with its columns' names, "name" or "name:type", in the first line.
class Table {
 public:
  explicit Table(const std::string& path) : path_(path), text_(read_input(path)) {
    for (std::string_view line : split(text_, '\n')) {
      if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
      if (line.empty()) continue;
      rows_.push_back(split(line, '\t'));
      if (rows_.back().size() != rows_[0].size())
        fail(Status::bad_file, "%s, line %zu: %zu columns, expected %zu", path.c_str(), rows_.size(), rows_.back().size(), rows_[0].size());
    }
    if (rows_.size() < 2) fail(Status::bad_file, "%s has no rows", path.c_str());
  }
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;

  size_t rows() const { return rows_.size() - 1; }
  int column(std::string_view name) const {  // -1 = there is none
    for (size_t i = 0; i < rows_[0].size(); ++i)
      if (rows_[0][i].substr(0, rows_[0][i].find(':')) == name) return int(i);
    return -1;
  }
  std::string_view at(size_t row, int column) const { return rows_[row + 1][size_t(column)]; }
  std::string where(size_t row) const { return path_ + ", line " + std::to_string(row + 2); }
  const std::string& path() const { return path_; }

 private:
  std::string path_, text_;
  std::vector<std::vector<std::string_view>> rows_;
};

// Events, each with what other tables say about it.
class Joined {
 public:
  Joined(const Json& recipe, const std::string& folder) : events_(folder + "/" + recipe.at("events").get<std::string>()) {
    for (const Json& t : recipe.value("tables", Json::array())) {
      auto other = std::make_unique<Other>(folder + "/" + t.at("file").get<std::string>());
      const std::string key = t.at("key");
      other->key = events_.column(key);
      const int own = other->table.column(key);
      if (other->key < 0 || own < 0) fail(Status::bad_file, "'%s' is no column of both %s and %s", key.c_str(), events_.path().c_str(), other->table.path().c_str());
      for (size_t r = 0; r < other->table.rows(); ++r) other->places.emplace(other->table.at(r, own), r);
      others_.push_back(std::move(other));
    }
  }
  // Reads one column of every event.
  std::vector<std::string_view> column(const std::string& name) const {
    std::vector<std::string_view> values(events_.rows());
    if (const int own = events_.column(name); own >= 0) {
      for (size_t r = 0; r < values.size(); ++r) values[r] = events_.at(r, own);
      return values;
    }
    for (const auto& other : others_) {
      const int at = other->table.column(name);
      if (at < 0) continue;
      for (size_t r = 0; r < values.size(); ++r) {
        const auto found = other->places.find(events_.at(r, other->key));
        if (found != other->places.end()) values[r] = other->table.at(found->second, at);  // else nothing is known
      }
      return values;
    }
    fail(Status::bad_file, "no table has a column '%s'", name.c_str());
  }
  std::vector<double> numbers(const std::string& name) const {
    std::vector<double> values;
    for (const std::string_view text : column(name)) values.push_back(number_of(text, where(values.size()) + ", " + name));
    return values;
  }
  size_t rows() const { return events_.rows(); }
  std::string where(size_t row) const { return events_.where(row); }

 private:
  struct Other {
    explicit Other(const std::string& path) : table(path) {}
    Table table;
    int key = -1;  // in the events
    std::unordered_map<std::string_view, size_t> places;
  };
  Table events_;
  std::vector<std::unique_ptr<Other>> others_;
};

// One feature's ids of every event: numbers in the order in which values first appear.
struct Ids {
  std::vector<std::vector<int64_t>> of;
  int64_t rows = 0;

  Ids(const Joined& data, const Json& feature) {
    const std::string name = feature.at("column");
    const double divide = feature.value("divide", 0.0);
    const bool many = feature.value("many", false);
    std::unordered_map<std::string, int64_t> numbers;
    for (const std::string_view text : data.column(name)) {
      of.emplace_back();
      if (text.empty()) continue;
      for (const std::string_view value : many ? split(text, ' ') : std::vector{text}) {
        if (value.empty()) continue;
        const std::string key = divide > 0 ? std::to_string(int64_t(number_of(value, data.where(of.size() - 1) + ", " + name) / divide)) : std::string(value);
        of.back().push_back(numbers.emplace(key, int64_t(numbers.size())).first->second);
      }
    }
    rows = std::max<int64_t>(1, int64_t(numbers.size()));
  }
};

// The first group with one of the event's values; else the last surface.
std::vector<int32_t> surfaces_of(const Joined& data, const Json& recipe, RankerConfig& config) {
  if (!recipe.contains("surfaces")) {
    config.surfaces = {"all"};
    return std::vector<int32_t>(data.rows(), 0);
  }
  const Json& s = recipe.at("surfaces");
  std::vector<std::vector<std::string>> groups;
  for (const Json& g : s.at("groups")) {
    config.surfaces.push_back(g.at("name"));
    groups.push_back(g.at("any"));
  }
  config.surfaces.push_back(s.at("otherwise"));
  std::vector<int32_t> surfaces;
  for (const std::string_view text : data.column(s.at("column"))) {
    const std::vector<std::string_view> values = split(text, ' ');
    size_t at = 0;
    while (at < groups.size() && std::none_of(values.begin(), values.end(), [&](std::string_view v) { return std::count(groups[at].begin(), groups[at].end(), v) > 0; })) ++at;
    surfaces.push_back(int32_t(at));
  }
  return surfaces;
}

struct Outcome {
  std::vector<double> values;
  explicit Outcome(const Joined& data, const Json& task) : values(data.numbers(task.at("column"))) {
    for (double& v : values) {
      if (task.contains("at_least")) v = v >= task.at("at_least").get<double>();
      else if (task.contains("at_most")) v = v <= task.at("at_most").get<double>();
      else v /= task.value("divide", 1.0);
    }
  }
};

// The columns' texts, one behind the other.
void add_contents(RecipeData& to, const Joined& data, const Json& content, const std::vector<Ids>& ids) {
  const std::string feature = content.at("feature");
  for (size_t f = 0; f < ids.size(); ++f)
    if (to.config.features[f].name == feature) to.content_feature = int(f);
  if (to.content_feature < 0) fail(Status::bad_file, "the content's feature '%s' is none of the features", feature.c_str());
  const Ids& of = ids[size_t(to.content_feature)];
  to.contents.resize(size_t(of.rows));
  std::vector<std::vector<std::string_view>> columns;
  for (const Json& name : content.at("columns")) columns.push_back(data.column(name));
  for (size_t r = 0; r < data.rows(); ++r)
    for (const int64_t id : of.of[r]) {
      std::string& text = to.contents[size_t(id)];
      if (!text.empty()) continue;
      for (const auto& column : columns) text += (text.empty() ? "" : ", ") + std::string(column[r]);
    }
}

RecipeData data_of(const Json& recipe, const std::string& folder, const std::string& interaction) {
  const Joined data(recipe, folder);
  Json model = recipe.value("model", Json::object());
  if (!interaction.empty()) model["interaction"] = interaction;
  if (interaction == "linear" || interaction == "fm") model["hidden"] = Json::array();
  RankerConfig config;
  std::vector<Ids> ids;
  std::vector<Outcome> outcomes;
  model["features"] = Json::array();
  for (const Json& f : recipe.at("features")) {
    ids.emplace_back(data, f);
    model["features"].push_back({{"name", f.at("column")}, {"rows", ids.back().rows}});
  }
  model["tasks"] = Json::array();
  for (const Json& t : recipe.at("tasks")) {
    outcomes.emplace_back(data, t);
    model["tasks"].push_back({{"name", t.at("name")}, {"kind", t.value("kind", "binary")}, {"weight", t.value("weight", 1.0)}});
  }
  const std::vector<int32_t> surfaces = surfaces_of(data, recipe, config);
  model["surfaces"] = config.surfaces;
  config = recsys::ranker_config(model.dump());
  RecipeData all{config, recsys::ExampleSet(config), {}, -1, {}};
  if (recipe.contains("content")) add_contents(all, data, recipe.at("content"), ids);
  const std::vector<double> times = recipe.contains("time") ? data.numbers(recipe.at("time")) : std::vector<double>(data.rows());
  std::vector<std::span<const int64_t>> of_features(ids.size());
  std::vector<float> values(outcomes.size());
  for (size_t r = 0; r < data.rows(); ++r) {
    for (size_t f = 0; f < ids.size(); ++f) of_features[f] = ids[f].of[r];
    for (size_t t = 0; t < outcomes.size(); ++t) values[t] = float(outcomes[t].values[r]);
    all.examples.add(surfaces[r], of_features, {}, values, ~0u);
    all.times.push_back(int64_t(times[r]));
  }
  return all;
}

}  // namespace

RecipeData read_recipe(const std::string& recipe, const std::string& folder, const std::string& interaction) {
  try {
    return data_of(Json::parse(read_input(recipe)), folder, interaction);
  } catch (const nlohmann::json::exception& e) {
    fail(Status::bad_file, "%s: %s", recipe.c_str(), e.what());
  }
}

}  // namespace puna::cli
