// import_label_studio.cpp -- tasks become items, annotations labels of people, predictions labels of models. Whatever
// else a task or an annotation has is kept with it as it stands.
#include <algorithm>

#include "base/json.h"
#include "base/shown.h"
#include "io/json_parts.h"
#include "io/json_rows.h"
#include "label/importer.h"
#include "label/json_values.h"
#include "label/label_studio.h"
#include "label/values.h"

namespace puna::label {
namespace {

using io::Place;

// The type of the first result that has one of ours; several choices anywhere make it multi_choice.
Type type_of_file(const Importer& to) {
  std::optional<Type> type;
  bool several = false;
  io::each_row(to.bytes, to.file, to.watch, [&](const Place&, std::string_view task) {
    for (const char* list : {"annotations", "predictions"}) {
      const std::string_view all = io::member(task, list, to.watch);
      if (!io::is_array(all)) continue;
      io::each_element(all, to.watch, [&](std::string_view annotation) {
        if (!io::is_object(annotation)) return;
        const std::string_view results = io::member(annotation, "result", to.watch);
        if (!io::is_array(results)) return;
        io::each_element(results, to.watch, [&](std::string_view result) {
          if (!io::is_object(result)) return;
          const std::string_view name = io::member(result, "type", to.watch);
          const std::optional<Type> t =
              io::is_string(name) ? type_of_result(io::text_of(name, to.watch)) : std::nullopt;
          if (!type) type = t;
          const std::string_view value = io::member(result, "value", to.watch);
          if (t != Type::choice || !io::is_object(value)) return;
          const std::string_view choices = io::member(value, "choices", to.watch);
          int64_t count = 0;
          if (io::is_array(choices)) io::each_element(choices, to.watch, [&](std::string_view) { ++count; });
          several |= count > 1;
        });
      });
    }
  });
  if (type == Type::choice && several) return Type::multi_choice;
  return type.value_or(Type::choice);
}

std::string annotator_of(const Place& place, std::string_view completed_by, const Watch& watch) {
  if (completed_by.empty()) return "unknown";
  if (!io::is_object(completed_by)) return name_in(place, "completed_by", completed_by);
  for (const char* key : {"email", "username", "id"})
    if (const std::string_view name = io::member(completed_by, key, watch); !name.empty())
      return name_in(place, key, name);
  return "unknown";
}

class Tasks {
 public:
  explicit Tasks(Importer& to) : to_(to) {}

  void task(const Place& place, std::string_view object) {
    ++to_.report.rows;
    std::string key, source;
    std::string_view data, annotations, predictions;
    io::each_member(object, to_.watch, [&](const std::string& name, std::string_view value) {
      if (name == "data") {
        data = value;
      } else if (name == "annotations") {
        annotations = value;
      } else if (name == "predictions") {
        predictions = value;
      } else {
        if (name == "id" && key.empty()) key = name_in(place, "id", value);
        if (name == "meta" && io::is_object(value))
          if (const std::string_view ours = io::member(value, "puna_item", to_.watch); io::is_string(ours))
            key = io::text_of(ours, to_.watch);
        source += (source.empty() ? "{" : ",") + puna::quoted(name) + ":";
        source += value;
      }
    });
    if (!io::is_object(data))
      place.refuse("\"data\" is %s, expected an object", data.empty() ? "missing" : io::kind_of(data));
    if (key.empty()) key = std::to_string(place.line);
    const int64_t item = to_.item(place.line, key, std::string(data), "", source.empty() ? "{}" : source + "}");
    each(place, "annotations", annotations, [&](std::string_view a) { annotation(place, item, a); });
    each(place, "predictions", predictions, [&](std::string_view p) { prediction(place, item, p); });
  }

 private:
  template <class Visit>
  void each(const Place& place, const char* key, std::string_view list, Visit visit) {
    if (list.empty() || io::is_null(list)) return;
    if (!io::is_array(list)) place.refuse("\"%s\" is %s, expected a list", key, io::kind_of(list));
    io::each_element(list, to_.watch, [&](std::string_view one) {
      if (!io::is_object(one)) place.refuse("\"%s\" has %s, expected objects", key, io::kind_of(one));
      visit(one);
    });
  }

  void annotation(const Place& place, int64_t item, std::string_view object) {
    NewLabel l;
    l.item = item;
    l.annotator = annotator_of(place, io::member(object, "completed_by", to_.watch), to_.watch);
    l.kind = to_.options.kind;
    l.source = object;
    if (const std::string_view t = io::member(object, "lead_time", to_.watch); !t.empty())
      l.seconds = number_in(place, "lead_time", t);
    if (io::member(object, "was_cancelled", to_.watch) == "true")
      to_.note("with an annotation that was cancelled (kept, not a label)");
    else
      value(place, object, l);
    l.gold = !l.value.empty() && io::member(object, "ground_truth", to_.watch) == "true";
    to_.report.golds += l.gold;
    to_.report.carried += l.value.empty();
    to_.label(place.line, std::move(l));
  }

  void prediction(const Place& place, int64_t item, std::string_view object) {
    NewLabel l;
    l.item = item;
    const std::string_view model = io::member(object, "model_version", to_.watch);
    l.annotator = "model:" + (model.empty() ? "unknown" : name_in(place, "model_version", model));
    l.kind = Kind::model;
    l.source = object;
    if (const std::string_view s = io::member(object, "score", to_.watch); !s.empty())
      l.score = number_in(place, "score", s);
    value(place, object, l);
    to_.report.carried += l.value.empty();
    to_.label(place.line, std::move(l));
  }

  void value(const Place& place, std::string_view object, NewLabel& l) {
    const std::string_view results = io::member(object, "result", to_.watch);
    const std::string json = value_of_results(results, to_.project().type, to_.watch);
    if (json.empty()) return to_.note("with results that are no label of this project's type (kept, not a label)");
    const std::string wrong = check_value(to_.project(), json, l.value);
    if (!wrong.empty()) place.refuse("a result %s", wrong.c_str());
  }

  Importer& to_;
};

}  // namespace

void import_label_studio(Importer& to) {
  to.open_project(type_of_file(to));
  Tasks tasks(to);
  io::each_row(to.bytes, to.file, to.watch,
               [&](const Place& place, std::string_view object) { tasks.task(place, object); });
}

}  // namespace puna::label
