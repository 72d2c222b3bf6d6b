// desk.cpp -- handing out items, taking labels, progress.
#include "desk.h"

#include "base/json.h"
#include "base/shown.h"
#include "label/values.h"
#include "members.h"
#include "puna/base/error.h"
#include "puna/label/agreement.h"
#include "puna/label/exchange.h"

namespace puna::desk {

using namespace label;

namespace {

constexpr int64_t kMostInHand = 20;
constexpr size_t kMostSuggested = 200;  // labels of a project that takes any

std::string item_json(const Item& item) {
  return "{\"item\":" + quoted(item.key) + ",\"data\":" + stored_json(item.data, "data of an item");
}

std::string number_json(double x) { return Json(x).dump(); }

Item find_item(LabelStore& store, const Project& project, const std::string& key) {
  const std::optional<Item> item = store.find(project.id, key);
  if (!item)
    fail(Status::invalid_argument, "there is no item '%s' in project '%s'", shown(key).c_str(),
         shown(project.name).c_str());
  return *item;
}

// The value of a request as the store keeps it.
std::string value_of(const Project& project, std::string_view json) {
  std::string value;
  if (const std::string wrong = check_value(project, json, value); !wrong.empty())
    fail(Status::invalid_argument, "the value %s", wrong.c_str());
  return value;
}

Measure measure_for(Type type) { return type == Type::rating ? Measure::interval : Measure::nominal; }

// What people answered so far, for those who type a label of a project that takes any.
std::vector<std::string> given_labels(LabelStore& store, const Project& project) {
  std::vector<std::string> names;
  if (!project.labels.empty() || (project.type != Type::choice && project.type != Type::multi_choice)) return names;
  std::map<std::string, int64_t> counts;
  store.each_label(project.id, false, [&](const Label& l) {
    if (!l.value.empty() && counts.size() < kMostSuggested) ++counts[word_of(l.value)];
  });
  for (const auto& [name, n] : counts) names.push_back(name);
  return names;
}

}  // namespace

std::string stored_json(const std::string& text, const char* what) {
  Json parsed = parse_json(text, what);
  dismantle(parsed);
  return text;
}

std::string adjudicator(const std::string& name) { return name + " (adjudicator)"; }

std::string Desk::projects(const Person& person, int64_t now) {
  OrderedJson list = OrderedJson::array();
  for (const Project& p : store_.projects()) {
    const StoreStats s = stats(p.id, now);
    int64_t mine = 0;
    for (const auto& a : s.annotators)
      if (a.name == person.name) mine = a.labels;
    list.push_back({{"name", p.name},
                    {"type", kTypeNames[int(p.type)]},
                    {"labels", p.labels},
                    {"given", given_labels(store_, p)},
                    {"wanted", p.wanted},
                    {"items", s.items},
                    {"finished", s.finished},
                    {"gold", s.gold_items},
                    {"mine", mine}});
  }
  OrderedJson all = {{"projects", std::move(list)},
                     {"person", person.name.empty() ? OrderedJson(nullptr) : OrderedJson(person.name)},
                     {"decides", person.decides},
                     {"fields", {{"prompt", o_.prompt}, {"left", o_.left}, {"right", o_.right}, {"text", o_.text}}},
                     {"lease_seconds", o_.assign.lease_ms / 1000}};
  return json_text(all);
}

std::string Desk::work(const Person& person, std::string_view json, int64_t now) {
  Members m(json);
  const Project project = store_.project(m.text("project"));
  const int64_t count = m.whole("count", 1, kMostInHand).value_or(2);
  m.end();
  std::vector<Item> items;
  store_.write([&] {
    items = store_.held(project.id, person.name, now, now + o_.assign.lease_ms);
    while (int64_t(items.size()) < count) {
      std::optional<Item> next = store_.next(project.id, person.name, Kind::human, o_.assign, now);
      if (!next) break;
      items.push_back(std::move(*next));
    }
  });
  std::string list;
  for (const Item& item : items) list += (list.empty() ? "" : ",") + item_json(item) + "}";
  return "{\"items\":[" + list + "],\"lease_seconds\":" + std::to_string(o_.assign.lease_ms / 1000) + "}";
}

std::string Desk::label(const Person& person, std::string_view json, int64_t now) {
  Members m(json);
  const Project project = store_.project(m.text("project"));
  const Item item = find_item(store_, project, m.required("item"));
  NewLabel l;
  l.item = item.id;
  l.annotator = person.name;
  l.time = now;
  l.request = m.text("request");
  l.seconds = m.number("seconds");
  const std::string skip = m.text("skip");
  const std::string_view value = m.json("value");
  m.end();
  if (skip.empty() == value.empty())
    fail(Status::invalid_argument, "the request needs \"value\" or \"skip\", not both");
  if (l.seconds && (*l.seconds < 0 || *l.seconds > 1e7))
    fail(Status::invalid_argument, "\"seconds\" is %g, expected 0 to 10000000", *l.seconds);
  if (skip.empty())
    l.value = value_of(project, value);
  else
    l.source = skipped_source(skip);
  // A request is this person's: two people's pages may well count from 1.
  if (!l.request.empty()) l.request = person.name + '\n' + l.request;
  const Written written = store_.append(project.id, {&l, 1});
  return std::string("{\"kept\":true,\"repeated\":") + (written.repeated > 0 ? "true" : "false") +
         ",\"replaced\":" + std::to_string(written.replaced) + "}";
}

std::string Desk::undo(const Person& person, std::string_view json, int64_t now) {
  Members m(json);
  const Project project = store_.project(m.text("project"));
  m.end();
  std::optional<Label> last;
  Item item;
  store_.write([&] {
    last = store_.last(project.id, person.name);
    if (!last) return;
    item = store_.item(last->item);
    NewLabel l;  // without a value: what was said counts no more, and stays as history
    l.item = item.id;
    l.annotator = person.name;
    l.kind = last->kind;
    l.time = now;
    store_.append(project.id, {&l, 1});
    store_.hold(item.id, person.name, now + o_.assign.lease_ms);
  });
  if (!last) return "{\"item\":null}";
  return item_json(item) +
         ",\"value\":" + (last->value.empty() ? "null" : stored_json(last->value, "value of a label")) +
         ",\"skipped\":" + (last->value.empty() ? quoted(skipped_reason(last->source)) : "null") + "}";
}

// Of a large project they take a while, and every page asks every few seconds: then the last ones will do.
StoreStats Desk::stats(int64_t project, int64_t now) {
  using Clock = std::chrono::steady_clock;
  constexpr auto kQuick = std::chrono::milliseconds(5);
  const auto begin = Clock::now();
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (const auto known = counts_.find(project); known != counts_.end() && begin < known->second.next)
      return known->second.stats;
  }
  const StoreStats counted = store_.stats(project, now);
  const auto took = Clock::now() - begin;
  if (took > kQuick) {
    const std::lock_guard<std::mutex> lock(mutex_);
    counts_[project] = {counted, Clock::now() + o_.rest * took};
  }
  return counted;
}

// Computed again when labels have come, but not so often that it takes more than a twentieth of the time (`rest`).
std::string Desk::agreement(const Project& project, int64_t labels) {
  using Clock = std::chrono::steady_clock;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    const Agreement& known = agreed_[project.id];
    if (known.labels == labels || (known.labels >= 0 && Clock::now() < known.next)) return known.json;
  }
  const auto begin = Clock::now();
  Agreement made;
  made.labels = labels;
  try {
    const Answers answers = answers_of(store_, project, false);
    const std::vector<AnnotatorReport> reports = annotator_reports(answers);
    std::string people;
    for (size_t w = 0; w < reports.size(); ++w) {
      const AnnotatorReport& r = reports[w];
      people += (people.empty() ? "" : ",") + ("{\"name\":" + quoted(answers.workers[w]));
      if (r.pairs > 0) people += ",\"agreement\":" + number_json(double(r.equal_pairs) / double(r.pairs));
      if (r.gold_answers > 0)
        people +=
            ",\"gold_answers\":" + std::to_string(r.gold_answers) + ",\"gold_right\":" + std::to_string(r.gold_right);
      people += "}";
    }
    made.json = ",\"people\":[" + people + "]";
    const Alpha alpha = krippendorff_alpha(answers, measure_for(project.type), project.labels);
    made.json += ",\"alpha\":" + number_json(alpha.alpha) + ",\"alpha_items\":" + std::to_string(alpha.units);
  } catch (const Error& e) {  // not defined yet, or never for this type
    if (e.status() != Status::invalid_argument && e.status() != Status::unsupported) throw;
    made.json += ",\"alpha\":null,\"why\":" + quoted(e.what());
  }
  const auto end = Clock::now();
  made.next = end + o_.rest * (end - begin);
  const std::lock_guard<std::mutex> lock(mutex_);
  agreed_[project.id] = made;
  return made.json;
}

std::string Desk::progress(const Person& person, std::string_view json, int64_t now) {
  Members m(json);
  const Project project = store_.project(m.text("project"));
  m.end();
  const StoreStats s = stats(project.id, now);
  std::string annotators;
  int64_t mine = 0;
  for (const auto& a : s.annotators) {
    if (a.name == person.name) mine = a.labels;
    if (!person.decides && a.name != person.name) continue;
    annotators += (annotators.empty() ? "" : ",") + ("{\"name\":" + quoted(a.name)) + ",\"kind\":\"" +
                  kKindNames[int(a.kind)] + "\",\"labels\":" + std::to_string(a.labels) + "}";
  }
  // Who only labels learns how far all agree, not how good the others are.
  std::string agreed = agreement(project, s.labels + s.history + s.skipped);
  if (!person.decides)
    if (const size_t alpha = agreed.find(",\"alpha\""); alpha != agreed.npos) agreed.erase(0, alpha);
  return "{\"items\":" + std::to_string(s.items) + ",\"finished\":" + std::to_string(s.finished + s.gold_items) +
         ",\"gold\":" + std::to_string(s.gold_items) + ",\"labels\":" + std::to_string(s.labels) +
         ",\"skipped\":" + std::to_string(s.skipped) + ",\"leased\":" + std::to_string(s.leased) +
         ",\"mine\":" + std::to_string(mine) + ",\"annotators\":[" + annotators + "]" + agreed + "}";
}

std::string Desk::decide(const Person& person, std::string_view json, int64_t now) {
  if (!person.decides) throw Refused{403, "'" + shown(person.name) + "' may label, but not decide"};
  Members m(json);
  const Project project = store_.project(m.text("project"));
  NewLabel l;
  l.item = find_item(store_, project, m.required("item")).id;
  l.annotator = adjudicator(person.name);
  l.kind = Kind::gold;
  l.time = now;
  l.request = m.text("request");
  const std::string_view value = m.json("value");
  m.end();
  if (value.empty()) fail(Status::invalid_argument, "the request has no \"value\"");
  l.value = value_of(project, value);
  if (!l.request.empty()) l.request = l.annotator + '\n' + l.request;
  store_.append(project.id, {&l, 1});
  return "{\"kept\":true}";
}

}  // namespace puna::desk
