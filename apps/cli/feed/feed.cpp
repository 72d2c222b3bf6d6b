#include "feed/feed.h"

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <cstdio>

#include "base/json.h"
#include "base/nearest.h"
#include "base/shown.h"
#include "puna/base/error.h"
#include "puna/recsys/value.h"

namespace puna::cli {

using namespace recsys;

namespace {

constexpr size_t kMostCandidates = 10000, kMostEvents = 10000;
// of all candidates of a question together, those that they share counted for each
constexpr size_t kMostIds = 4 << 20;

// Where a value stands, for errors: "event 3", "candidate 7", "the question".
struct At {
  const char* what;
  size_t index;
  std::string text() const {
    return index == SIZE_MAX ? std::string(what) : std::string(what) + " " + std::to_string(index);
  }
  template <class... Rest>
  [[noreturn]] void refuse(const char* format, Rest... rest) const {
    char why[400];
    snprintf(why, sizeof why, format, rest...);
    fail(Status::invalid_argument, "%s: %s", text().c_str(), why);
  }
};

void only(const At& at, const Json& object, std::initializer_list<const char*> known) {
  if (!object.is_object()) at.refuse("expected an object, not %s", object.type_name());
  for (const auto& [key, value] : object.items()) {
    if (std::any_of(known.begin(), known.end(), [&key = key](const char* k) { return key == k; })) continue;
    at.refuse("there is no member '%s'%s", shown(key).c_str(), did_you_mean(key, known).c_str());
  }
}

// A member that may be missing (NULL) and is of the kind it should be.
const Json* member(const At& at, const Json& object, const char* name, Json::value_t type) {
  const auto found = object.find(name);
  if (found == object.end()) return nullptr;
  const bool number = type == Json::value_t::number_float && found->is_number();
  if (!number && found->type() != type)
    at.refuse("'%s' is %s, expected %s", name, found->type_name(), Json(type).type_name());
  return &*found;
}

double number_of(const At& at, const Json& object, const char* name, double otherwise) {
  const Json* const m = member(at, object, name, Json::value_t::number_float);
  return m ? m->get<double>() : otherwise;
}

int64_t integer_of(const At& at, const Json& object, const char* name, int64_t low, int64_t otherwise) {
  const auto found = object.find(name);
  if (found == object.end()) return otherwise;
  const bool fits =
      found->is_number_integer() && !(found->is_number_unsigned() && found->get<uint64_t>() > uint64_t(INT64_MAX));
  // 1.7e9 is what many programs write for a time.
  const double real = found->is_number_float() ? found->get<double>() : 0.5;
  const bool whole = std::trunc(real) == real && std::fabs(real) < 0x1p53;
  const int64_t value = fits ? found->get<int64_t>() : whole ? int64_t(real) : 0;
  if ((!fits && !whole) || value < low)
    at.refuse("'%s' is %.40s, expected an integer of 64 bits%s", name, found->dump().c_str(),
              low == 0  ? ", 0 or more"
              : low > 0 ? ", 1 or more"
                        : "");
  return value;
}

// Adds the id that `id` is or names. A name that the ranker never met says nothing of it; it is counted.
void add_id(const At& at, std::vector<int64_t>& to, const Json& id, const Ranker& ranker, size_t f, int64_t& unknown) {
  const char* const feature = ranker.config().features[f].name.c_str();
  if (id.is_number_unsigned() && id.get<uint64_t>() > uint64_t(INT64_MAX))
    at.refuse("feature '%s': the id %s leaves 64 bits", feature, id.dump().c_str());
  if (id.is_number_integer()) return to.push_back(id.get<int64_t>());
  if (!id.is_string()) at.refuse("feature '%s': an id is %s, expected an integer or a name", feature, id.type_name());
  const int64_t known = ranker.id(f, id.get_ref<const std::string&>());
  if (known == Ranker::kUnknown)
    ++unknown;
  else
    to.push_back(known);
}

template <class List>
size_t place_of(const At& at, const List& list, const std::string& name, const char* what) {
  std::vector<std::string_view> names;
  for (const auto& item : list) {
    if constexpr (requires { item.name; })
      names.push_back(item.name);
    else
      names.push_back(item);
  }
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end())
    at.refuse("there is no %s '%s'%s", what, shown(name).c_str(), did_you_mean(name, names).c_str());
  return size_t(found - names.begin());
}

// fn(place, value) for each member of the object `name`, if it is there.
template <class List, class Fn>
void each_named(const At& at, const Json& from, const char* name, const List& list, const char* what, Fn&& fn) {
  if (const Json* const all = member(at, from, name, Json::value_t::object))
    for (const auto& [key, value] : all->items()) fn(place_of(at, list, key, what), value);
}

// What of `from` describes an example; unknown names are counted in `unknown`.
void describe(const At& at, Example& e, const Json& from, const Ranker& ranker, int64_t& unknown) {
  const RankerConfig& c = ranker.config();
  if (const Json* const surface = member(at, from, "surface", Json::value_t::string))
    e.surface = int32_t(place_of(at, c.surfaces, surface->get_ref<const std::string&>(), "surface"));
  e.ids.resize(c.features.size());
  e.numbers.resize(c.numbers.size());
  each_named(at, from, "features", c.features, "feature", [&](size_t f, const Json& ids) {
    e.ids[f].clear();
    if (ids.is_array())
      for (const Json& id : ids) add_id(at, e.ids[f], id, ranker, f, unknown);
    else
      add_id(at, e.ids[f], ids, ranker, f, unknown);
  });
  each_named(at, from, "numbers", c.numbers, "number", [&](size_t n, const Json& value) {
    if (!value.is_number() || !(std::fabs(value.get<double>()) <= FLT_MAX))
      at.refuse("number '%s' is %.40s, expected a number of 32 bits", c.numbers[n].name.c_str(), value.dump().c_str());
    e.numbers[n] = float(value.get<double>());
  });
}

// What is beyond all floats becomes the largest one, for append() to refuse.
float nearest_float(double x) noexcept { return float(std::clamp<double>(x, -FLT_MAX, FLT_MAX)); }

// Says of JSON only that it can be read as an event; whether the ranker takes it is append()'s to say.
LoggedEvent event_of(const At& at, const Json& from, const Ranker& ranker, int64_t& unknown) {
  const RankerConfig& c = ranker.config();
  only(at, from, {"id", "surface", "features", "numbers", "outcomes", "weight", "time"});
  LoggedEvent e;
  describe(at, e, from, ranker, unknown);
  if (const Json* const id = member(at, from, "id", Json::value_t::string)) {
    e.key = id->get_ref<const std::string&>();
    if (e.key.empty()) at.refuse("'id' has 0 bytes, expected 1 to %zu", kLongestEventKey);
  }
  e.time = integer_of(at, from, "time", INT64_MIN, 0);
  e.weight = nearest_float(number_of(at, from, "weight", 1));
  e.values.resize(c.tasks.size());
  each_named(at, from, "outcomes", c.tasks, "task", [&](size_t t, const Json& value) {
    if (!value.is_boolean() && !value.is_number())
      at.refuse("outcome '%s' is %.40s, expected true, false or 0 to 1", c.tasks[t].name.c_str(), value.dump().c_str());
    e.values[t] = value.is_boolean() ? float(value.get<bool>()) : nearest_float(value.get<double>());
    e.known |= 1u << t;
  });
  return e;
}

// "value" of a question: {task: weight} or {task: {"weight": a, "power": b}}, for every surface; tasks that are left
// out count nothing.
ValueFormula value_of(const At& at, const Json& question, const RankerConfig& c) {
  ValueFormula value = ValueFormula::of(c);
  if (member(at, question, "value", Json::value_t::object)) std::fill(value.weights.begin(), value.weights.end(), 0);
  each_named(at, question, "value", c.tasks, "task", [&](size_t t, const Json& term) {
    if (term.is_object())
      only(at, term, {"weight", "power"});
    else if (!term.is_number())
      at.refuse("the value of '%s' is %s, expected a number or an object", c.tasks[t].name.c_str(), term.type_name());
    const double weight = term.is_object() ? number_of(at, term, "weight", 1) : term.get<double>();
    for (size_t s = 0; s < c.surfaces.size(); ++s) value.weights[s * c.tasks.size() + t] = weight;
    if (term.is_object()) value.exponents[t] = number_of(at, term, "power", 1);
  });
  check(value, c);
  return value;
}

size_t ids_in(const Example& e) {
  size_t count = 0;
  for (const auto& ids : e.ids) count += ids.size();
  return count;
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
  Json json = parse_json(text, "the events");
  const JsonGuard guard(json);
  const Ranker& ranker = *learner_.ranker();
  int64_t unknown = 0, repeated = 0;
  const size_t count = json.is_array() ? json.size() : 1;
  PUNA_REQUIRE(count <= kMostEvents, "%zu events, expected at most %zu at once", count, kMostEvents);
  std::vector<LoggedEvent> events;
  for (size_t i = 0; i < count; ++i)
    events.push_back(event_of({"event", i}, json.is_array() ? json[i] : json, ranker, unknown));
  const int64_t last = learner_.append(events, &repeated);
  return OrderedJson{{"last", last}, {"repeated", repeated}, {"unknown_names", unknown}}.dump();
}

std::string Feed::rank(std::string_view text) const {
  Json json = parse_json(text, "the question");
  const JsonGuard guard(json);
  const At question{"the question", SIZE_MAX};
  only(question, json, {"surface", "features", "numbers", "candidates", "count", "value"});
  const std::shared_ptr<const Ranker> ranker = learner_.serving();
  const RankerConfig& c = ranker->config();
  const Json* const candidates = member(question, json, "candidates", Json::value_t::array);
  PUNA_REQUIRE(candidates && candidates->size() >= 1 && candidates->size() <= kMostCandidates,
               "candidates: expected 1 to %zu", kMostCandidates);
  Example shared;
  int64_t unknown = 0;
  describe(question, shared, json, *ranker, unknown);
  PUNA_REQUIRE(ids_in(shared) <= kMostIds / candidates->size(),
               "%zu ids for each of %zu candidates, expected at most %zu in all", ids_in(shared), candidates->size(),
               kMostIds);
  ExampleSet set(c);
  for (size_t i = 0; i < candidates->size(); ++i) {
    const At at{"candidate", i};
    only(at, (*candidates)[i], {"surface", "features", "numbers"});
    Example e = shared;
    describe(at, e, (*candidates)[i], *ranker, unknown);
    set.add(e);
  }
  const std::vector<float> p = ranker->score(set.examples());
  const ValueFormula value = value_of(question, json, c);
  std::vector<std::pair<double, int64_t>> order;
  for (int64_t i = 0; i < set.size(); ++i)
    order.emplace_back(-value(size_t(set.surface(i)), p.data() + size_t(i) * c.tasks.size()), i);
  const size_t count = std::min(order.size(), size_t(integer_of(question, json, "count", 1, int64_t(order.size()))));
  std::partial_sort(order.begin(), order.begin() + int64_t(count), order.end());
  OrderedJson ranked = OrderedJson::array();
  for (size_t i = 0; i < count; ++i) {
    OrderedJson one{{"candidate", order[i].second}, {"value", -order[i].first}};
    for (size_t t = 0; t < c.tasks.size(); ++t) one[c.tasks[t].name] = p[size_t(order[i].second) * c.tasks.size() + t];
    ranked.push_back(one);
  }
  return OrderedJson{{"ranked", ranked}, {"learned", learner_.published()}, {"unknown_names", unknown}}.dump();
}

std::string Feed::report() const {
  const OnlineReport r = learner_.report();
  const RankerConfig& c = learner_.ranker()->config();
  return OrderedJson{{"logged", r.logged},
                     {"learned", r.learned},
                     {"published", r.published},
                     {"all", scores_json(c, r.all)},
                     {"recent", scores_json(c, r.recent)}}
      .dump();
}

}  // namespace puna::cli
