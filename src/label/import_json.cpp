// import_json.cpp -- JSON lines: a line an item with its labels, or a line an answer.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <span>

#include "base/json.h"
#include "base/nearest.h"
#include "base/shown.h"
#include "io/json_parts.h"
#include "io/json_rows.h"
#include "label/importer.h"
#include "label/json_values.h"
#include "label/values.h"
#include "puna/base/error.h"

namespace puna::label {
namespace {

using io::Place;

class JsonLines {
 public:
  explicit JsonLines(Importer& to) : to_(to), all_(to.options.data.size() == 1 && to.options.data[0] == "*") {
    const ImportOptions& o = to.options;
    const Role roles[] = {{"--item", &o.item, kItemKeys},
                          {"--annotator", &o.annotator, kAnnotatorKeys},
                          {"--label", &o.label, kLabelKeys},
                          {"--truth", &o.truth, kTruthKeys},
                          {"--gold", &o.gold, kGoldKeys}};
    for (const Role& role : roles) {
      if (role.asked->empty()) continue;
      for (const Role& other : roles)
        if (&other != &role && is(*role.asked, *other.asked, other.usual))
          fail(Status::invalid_argument, "%s: the key '%s' is both %s and %s, expected one of them", to.file.c_str(),
               shown(*role.asked).c_str(), role.option, other.option);
      unseen_.emplace(*role.asked, role.option);
    }
    for (const std::string& key : o.data)
      if (!all_) unseen_.emplace(key, "--data");
  }

  // Error{invalid_argument} naming a key that was asked for and that no row has.
  void require_seen() const {
    if (to_.report.rows > 0 && !unseen_.empty())
      fail(Status::invalid_argument, "%s: no row has the key '%s' (%s)", to_.file.c_str(),
           shown(unseen_.begin()->first).c_str(), unseen_.begin()->second);
  }

  void row(const Place& place, std::string_view object) {
    ++to_.report.rows;
    Row r;
    io::each_member(object, to_.watch,
                    [&](const std::string& key, std::string_view value) { sort(place, r, key, value); });
    if (r.read == 0)
      place.refuse("there is nothing in it that is read: expected an item, data, a label or a truth%s",
                   near_of(object).c_str());
    if (!r.data.empty()) r.data += "}";
    if (r.given_data.empty())
      ;
    else if (r.data.empty())
      r.data = r.given_data;
    else
      place.refuse("\"data\" and keys for the data (--data) are both given");
    if (r.item.empty()) r.item = std::to_string(place.line);
    const int64_t item = to_.item(place.line, r.item, r.data, value_of(place, "truth", r.truth), "");
    if (!r.gold.empty()) to_.gold(place.line, item, value_of(place, "gold", r.gold));
    if (!r.labels.empty()) {
      if (!io::is_array(r.labels)) place.refuse("\"labels\" is %s, expected a list", io::kind_of(r.labels));
      io::each_element(r.labels, to_.watch, [&](std::string_view label) {
        if (!io::is_object(label)) place.refuse("\"labels\" has %s, expected objects", io::kind_of(label));
        answer(place, item, label);
      });
    }
    if (!r.label.empty()) add(place, item, r);
    if (r.label.empty() && !r.annotator.empty()) to_.note("without a label");
  }

 private:
  using Keys = std::span<const char* const>;
  static constexpr const char* kItemKeys[] = {"item", "task", "id"};
  static constexpr const char* kAnnotatorKeys[] = {"annotator", "worker"};
  static constexpr const char* kLabelKeys[] = {"label", "answer"};
  static constexpr const char* kTruthKeys[] = {"truth"};
  static constexpr const char* kGoldKeys[] = {"gold"};
  struct Role {
    const char* option;
    const std::string* asked;
    Keys usual;
  };

  struct Row {
    int64_t read = 0;  // members
    std::string item, annotator, data;
    std::string_view label, truth, gold, labels, given_data, kind, time, seconds, score;
  };

  static bool is(const std::string& key, const std::string& asked, Keys usual) {
    if (!asked.empty()) return key == asked;
    return std::find(usual.begin(), usual.end(), key) != usual.end();
  }

  // Of the keys of a row that has none of ours: ", did you mean 'label'?"
  std::string near_of(std::string_view object) const {
    std::string near;
    io::each_member(object, to_.watch, [&](const std::string& key, std::string_view) {
      if (near.empty()) near = did_you_mean(key, to_.known_names());
    });
    return near;
  }

  void sort(const Place& place, Row& r, const std::string& key, std::string_view value) {
    const ImportOptions& o = to_.options;
    unseen_.erase(key);
    const bool asked = std::find(o.data.begin(), o.data.end(), key) != o.data.end();
    ++r.read;
    if (is(key, o.item, kItemKeys)) {
      if (!r.item.empty()) twice(place, key, "the item: --item says which");
      r.item = name_in(place, key.c_str(), value);
      if (asked) add_data(r, key, value);
    } else if (asked) {
      add_data(r, key, value);
    } else if (io::is_null(value)) {
      return;
    } else if (is(key, o.annotator, kAnnotatorKeys)) {
      if (!r.annotator.empty()) twice(place, key, "the annotator: --annotator says which");
      r.annotator = name_in(place, key.c_str(), value);
    } else if (is(key, o.label, kLabelKeys)) {
      if (!r.label.empty()) twice(place, key, "the label: --label says which");
      r.label = value;
    } else if (is(key, o.truth, kTruthKeys)) {
      r.truth = value;
    } else if (is(key, o.gold, kGoldKeys)) {
      r.gold = value;
    } else if (key == "labels") {
      r.labels = value;
    } else if (key == "data") {
      if (!io::is_object(value)) place.refuse("\"data\" is %s, expected an object", io::kind_of(value));
      r.given_data = value;
    } else if (std::string_view* const field = extra(r, key)) {
      *field = value;
    } else if (all_) {
      add_data(r, key, value);
    } else {
      --r.read;
      to_.not_read(key);
    }
  }

  [[noreturn]] static void twice(const Place& place, const std::string& key, const char* what) {
    place.refuse("\"%s\" and another key name %s", shown(key).c_str(), what);
  }

  static std::string_view* extra(Row& r, std::string_view key) {
    return key == "kind"      ? &r.kind
           : key == "time"    ? &r.time
           : key == "seconds" ? &r.seconds
           : key == "score"   ? &r.score
                              : nullptr;
  }

  static void add_data(Row& r, const std::string& key, std::string_view value) {
    r.data += (r.data.empty() ? "{" : ",") + puna::quoted(key) + ":";
    r.data += value;
  }

  // One of "labels".
  void answer(const Place& place, int64_t item, std::string_view object) {
    Row r;
    bool gold = false, current = true;
    io::each_member(object, to_.watch, [&](const std::string& key, std::string_view value) {
      if (io::is_null(value)) return;
      if (key == "annotator" || key == "worker") {
        if (!r.annotator.empty()) twice(place, key, "the annotator, one of them has to go");
        r.annotator = name_in(place, key.c_str(), value);
      } else if (key == "label" || key == "answer") {
        if (!r.label.empty()) twice(place, key, "the label, one of them has to go");
        r.label = value;
      } else if (key == "gold") {
        gold = value == "true";
      } else if (key == "current") {
        current = value == "true";
      } else if (std::string_view* const field = extra(r, key)) {
        *field = value;
      } else {
        to_.not_read("labels." + key);
      }
    });
    if (!current) return to_.note("with labels that were replaced (not read)");
    if (r.label.empty()) place.refuse("one of \"labels\" has no \"label\"");
    add(place, item, r, gold);
  }

  void add(const Place& place, int64_t item, const Row& r, bool gold = false) {
    NewLabel l;
    l.item = item;
    l.annotator = r.annotator.empty() ? to_.by() : r.annotator;
    if (l.annotator.empty()) place.refuse("a label without \"annotator\" (--by says who it was)");
    l.kind = r.kind.empty() ? to_.options.kind : kind_in(place, r.kind);
    l.value = value_of(place, "label", r.label);
    l.gold = gold;
    l.time = r.time.empty() ? 0 : int64_t(number_in(place, "time", r.time));
    if (!r.seconds.empty()) l.seconds = number_in(place, "seconds", r.seconds);
    if (!r.score.empty()) l.score = number_in(place, "score", r.score);
    to_.report.golds += gold || l.kind == Kind::gold;
    to_.label(place.line, std::move(l));
  }

  static Kind kind_in(const Place& place, std::string_view json) {
    const std::string name = name_in(place, "kind", json);
    for (size_t i = 0; i < std::size(kKindNames); ++i)
      if (name == kKindNames[i]) return Kind(i);
    place.refuse("\"kind\" is '%s', expected human, model or gold", shown(name).c_str());
  }

  std::string value_of(const Place& place, const char* key, std::string_view json) const {
    if (json.empty()) return "";
    std::string value;
    const std::string wrong = check_value(to_.project(), json, value);
    if (!wrong.empty()) place.refuse("\"%s\" %s", key, wrong.c_str());
    return value;
  }

  Importer& to_;
  std::map<std::string, const char*> unseen_;  // keys that options name, and that no row had so far; their option
  const bool all_;                             // keys that mean nothing else become data
};

}  // namespace

void import_json_lines(Importer& to) {
  to.open_project(Type::choice);
  JsonLines lines(to);
  io::each_row(to.bytes, to.file, to.watch,
               [&](const Place& place, std::string_view object) { lines.row(place, object); });
  lines.require_seen();
}

std::string name_in(const Place& place, const char* key, std::string_view json) {
  const Watch none;
  std::string name = io::is_string(json) ? io::text_of(json, none) : std::string(json);
  if (io::is_object(json) || io::is_array(json) || name.empty())
    place.refuse("\"%s\" is %s, expected a name or a number", key, name.empty() ? "empty" : io::kind_of(json));
  return name;
}

double number_in(const Place& place, const char* key, std::string_view json) {
  double number = 0;
  const auto [end, error] = std::from_chars(json.data(), json.data() + json.size(), number);
  if (error != std::errc() || end != json.data() + json.size() || !(std::fabs(number) < 1e15))
    place.refuse("\"%s\" is %s, expected a number", key, shown(json).c_str());
  return number;
}

}  // namespace puna::label
