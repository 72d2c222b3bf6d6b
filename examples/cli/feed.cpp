#include "feed.h"

#include <algorithm>
#include <cmath>

#include "base/json.h"
#include "puna/base/error.h"
#include "puna/recsys/value.h"

namespace puna::cli {

using namespace recsys;

namespace {

constexpr size_t kMostCandidates = 10000;

// A member that may be missing (NULL) and is of the kind it should be.
const Json* member(const Json& object, const char* name, Json::value_t type) {
  PUNA_REQUIRE(object.is_object(), "expected an object, not %s", object.type_name());
  const auto found = object.find(name);
  if (found == object.end()) return nullptr;
  const bool number = type == Json::value_t::number_float && found->is_number();
  PUNA_REQUIRE(number || found->type() == type, "'%s' is %s", name, found->type_name());
  return &*found;
}

double number_of(const Json& object, const char* name, double otherwise) {
  const Json* const m = member(object, name, Json::value_t::number_float);
  return m ? m->get<double>() : otherwise;
}

int64_t id_of(const Json& id, const Feature& feature) {
  if (id.is_number_integer()) return id.get<int64_t>();
  PUNA_REQUIRE(id.is_string() && feature.hashed, "feature '%s': an id is %s, expected an integer%s", feature.name.c_str(), id.type_name(), feature.hashed ? " or a name" : "");
  return recsys::id_of(id.get_ref<const std::string&>());
}

template <class List>
size_t place_of(const List& list, const std::string& name, const char* what) {
  for (size_t i = 0; i < list.size(); ++i) {
    if constexpr (requires { list[i].name; }) {
      if (list[i].name == name) return i;
    } else if (list[i] == name) {
      return i;
    }
  }
  fail(Status::invalid_argument, "there is no %s '%.60s'", what, name.c_str());
}

// fn(place, value) for each member of the object `name`, if it is there.
template <class List, class Fn>
void each_named(const Json& from, const char* name, const List& list, const char* what, Fn&& fn) {
  if (const Json* const all = member(from, name, Json::value_t::object))
    for (const auto& [key, value] : all->items()) fn(place_of(list, key, what), value);
}

void describe(LoggedEvent& e, const Json& from, const RankerConfig& c) {
  if (const Json* const surface = member(from, "surface", Json::value_t::string))
    e.surface = int32_t(place_of(c.surfaces, surface->get<std::string>(), "surface"));
  e.ids.resize(c.features.size());
  e.numbers.resize(c.numbers.size());
  each_named(from, "features", c.features, "feature", [&](size_t f, const Json& ids) {
    e.ids[f].clear();
    if (ids.is_array())
      for (const Json& id : ids) e.ids[f].push_back(id_of(id, c.features[f]));
    else e.ids[f].push_back(id_of(ids, c.features[f]));
  });
  each_named(from, "numbers", c.numbers, "number", [&](size_t n, const Json& value) {
    PUNA_REQUIRE(value.is_number(), "number '%s' is %s", c.numbers[n].name.c_str(), value.type_name());
    e.numbers[n] = value.get<float>();
  });
}

LoggedEvent event_of(const Json& from, const RankerConfig& c) {
  LoggedEvent e;
  describe(e, from, c);
  e.time = int64_t(number_of(from, "time", 0));
  e.weight = float(number_of(from, "weight", 1));
  e.values.resize(c.tasks.size());
  each_named(from, "outcomes", c.tasks, "task", [&](size_t t, const Json& value) {
    PUNA_REQUIRE(value.is_number() || value.is_boolean(), "outcome '%s' is %s", c.tasks[t].name.c_str(), value.type_name());
    e.values[t] = value.is_boolean() ? float(value.get<bool>()) : value.get<float>();
    e.known |= 1u << t;
  });
  return e;
}

// "value" of a question: {task: weight} or {task: {"weight": a, "power": b}}, for every surface; tasks that are left out count nothing.
ValueFormula value_of(const Json& question, const RankerConfig& c) {
  ValueFormula value = ValueFormula::of(c);
  if (member(question, "value", Json::value_t::object)) std::fill(value.weights.begin(), value.weights.end(), 0);
  each_named(question, "value", c.tasks, "task", [&](size_t t, const Json& term) {
    PUNA_REQUIRE(term.is_object() || term.is_number(), "the value of '%s' is %s", c.tasks[t].name.c_str(), term.type_name());
    const double weight = term.is_object() ? number_of(term, "weight", 1) : term.get<double>();
    for (size_t s = 0; s < c.surfaces.size(); ++s) value.weights[s * c.tasks.size() + t] = weight;
    if (term.is_object()) value.exponents[t] = number_of(term, "power", 1);
  });
  check(value, c);
  return value;
}

OrderedJson scores_json(const RankerConfig& c, const std::vector<PrequentialScore>& scores) {
  OrderedJson all = OrderedJson::object();
  for (size_t t = 0; t < scores.size(); ++t) {
    const PrequentialScore& s = scores[t];
    OrderedJson one{{"events", s.events}, {"base_rate", nullptr}, {"log_loss", nullptr}, {"ne", nullptr}};
    if (s.events > 0) {
      one["base_rate"] = s.base_rate();
      one["log_loss"] = s.mean_loss();
      if (std::isfinite(s.ne())) one["ne"] = s.ne();
    }
    all[c.tasks[t].name] = one;
  }
  return all;
}

}  // namespace

std::string Feed::take(std::string_view text) {
  const Json json = parse_json(text, "the events");
  const RankerConfig& c = learner_.ranker()->config();
  std::vector<LoggedEvent> events;
  if (json.is_array())
    for (const Json& e : json) events.push_back(event_of(e, c));
  else events.push_back(event_of(json, c));
  return OrderedJson{{"last", learner_.append(events)}}.dump();
}

std::string Feed::rank(std::string_view text) const {
  const Json json = parse_json(text, "the question");
  const std::shared_ptr<const Ranker> ranker = learner_.serving();
  const RankerConfig& c = ranker->config();
  const Json* const candidates = member(json, "candidates", Json::value_t::array);
  PUNA_REQUIRE(candidates && candidates->size() >= 1 && candidates->size() <= kMostCandidates, "candidates: expected 1 to %zu", kMostCandidates);
  LoggedEvent shared;
  describe(shared, json, c);
  ExampleSet set(c);
  const std::vector<float> nothing(c.tasks.size());
  for (const Json& candidate : *candidates) {
    LoggedEvent e = shared;
    describe(e, candidate, c);
    const std::vector<std::span<const int64_t>> ids(e.ids.begin(), e.ids.end());
    set.add(e.surface, ids, e.numbers, nothing);
  }
  const std::vector<float> p = ranker->score(set.examples());
  const ValueFormula value = value_of(json, c);
  std::vector<std::pair<double, int64_t>> order;
  for (int64_t i = 0; i < set.size(); ++i) order.emplace_back(-value(size_t(set.surface(i)), p.data() + size_t(i) * c.tasks.size()), i);
  const size_t count = std::min(order.size(), size_t(std::max(1.0, number_of(json, "count", double(order.size())))));
  std::partial_sort(order.begin(), order.begin() + int64_t(count), order.end());
  OrderedJson ranked = OrderedJson::array();
  for (size_t i = 0; i < count; ++i) {
    OrderedJson one{{"candidate", order[i].second}, {"value", -order[i].first}};
    for (size_t t = 0; t < c.tasks.size(); ++t) one[c.tasks[t].name] = p[size_t(order[i].second) * c.tasks.size() + t];
    ranked.push_back(one);
  }
  return OrderedJson{{"ranked", ranked}, {"learned", learner_.published()}}.dump();
}

std::string Feed::report() const {
  const OnlineReport r = learner_.report();
  const RankerConfig& c = learner_.ranker()->config();
  return OrderedJson{{"logged", r.logged}, {"learned", r.learned}, {"published", r.published}, {"all", scores_json(c, r.all)}, {"recent", scores_json(c, r.recent)}}.dump();
}

}  // namespace puna::cli
