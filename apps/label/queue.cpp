// queue.cpp -- what people should decide: every item's answers side by side, the least certain item first.
#include <algorithm>

#include "base/json.h"
#include "desk.h"
#include "label/values.h"
#include "members.h"
#include "puna/base/error.h"
#include "puna/label/exchange.h"
#include "puna/label/infer.h"

namespace puna::desk {

using namespace label;

namespace {

struct Given {
  std::string annotator, value;
};
struct Disputed {
  int64_t item = 0;
  std::vector<Given> answers;
  size_t different = 0;
};

// Items with answers of people and without gold.
std::vector<Disputed> answered_items(LabelStore& store, int64_t project) {
  std::vector<Disputed> all;
  bool gold = false;
  const auto close = [&] {
    if (!all.empty() && (gold || all.back().answers.empty())) all.pop_back();
    gold = false;
  };
  store.each_label(project, false, [&](const Label& l) {
    if (all.empty() || all.back().item != l.item) {
      close();
      all.push_back({});
      all.back().item = l.item;
    }
    if (l.gold && !l.value.empty()) gold = true;
    if (!l.gold && l.kind == Kind::human && !l.value.empty()) all.back().answers.push_back({l.annotator, l.value});
  });
  close();
  for (Disputed& d : all) {
    std::vector<std::string_view> values;
    for (const Given& g : d.answers) values.push_back(g.value);
    std::sort(values.begin(), values.end());
    d.different = size_t(std::unique(values.begin(), values.end()) - values.begin());
  }
  return all;
}

// What Dawid-Skene says of the items, where labels are classes and there is something to infer.
struct Believed {
  Answers answers;
  Inference inference;
  bool known = false;
};

Believed believe(LabelStore& store, const Project& project) {
  Believed b;
  if (project.type == Type::text || project.type == Type::spans) return b;
  try {
    b.answers = answers_of(store, project, false);
    b.inference = infer(b.answers);
    b.known = true;
  } catch (const Error& e) {
    if (e.status() != Status::invalid_argument) throw;  // one label only, no answer yet
  }
  return b;
}

}  // namespace

std::string Desk::queue(const Person& person, std::string_view json, int64_t /*now*/) {
  if (!person.decides) throw Refused{403, "'" + person.name + "' may label, but not see the others' answers"};
  Members m(json);
  const Project project = store_.project(m.text("project"));
  const auto count = size_t(m.whole("count", 1, 200).value_or(20));
  m.end();
  const std::vector<Disputed> all = answered_items(store_, project.id);
  const Believed b = believe(store_, project);
  std::vector<int64_t> ids;  // answers_of numbered the items in this order
  std::map<std::string, size_t, std::less<>> worker;
  if (b.known) {
    store_.each_item(project.id, [&](const Item& item) { ids.push_back(item.id); });
    for (size_t w = 0; w < b.answers.workers.size(); ++w) worker.emplace(b.answers.workers[w], w);
  }
  struct Row {
    const Disputed* d;
    int64_t i;  // of the answers; -1: nothing is believed of it
    double confidence;
  };
  std::vector<Row> rows;
  for (const Disputed& d : all) {
    Row row{&d, -1, 0};
    if (const auto found = std::lower_bound(ids.begin(), ids.end(), d.item); found != ids.end() && *found == d.item)
      row.i = found - ids.begin();
    if (row.i >= int64_t(b.answers.items.size())) row.i = -1;  // it came in between
    if (row.i < 0 && d.different < 2) continue;                // all say the same, and no inference doubts it
    if (row.i >= 0) row.confidence = b.inference.confidence(row.i);
    rows.push_back(row);
  }
  std::stable_sort(rows.begin(), rows.end(), [](const Row& x, const Row& y) {
    if (x.confidence != y.confidence) return x.confidence < y.confidence;
    return x.d->different > y.d->different;
  });
  std::string list;
  for (size_t r = 0; r < rows.size() && r < count; ++r) {
    const Row& row = rows[r];
    const Item item = store_.item(row.d->item);
    list += (list.empty() ? "" : ",") + ("{\"item\":" + quoted(item.key)) +
            ",\"data\":" + stored_json(item.data, "data of an item") +
            ",\"different\":" + std::to_string(row.d->different);
    std::string answers;
    for (const Given& g : row.d->answers) {
      answers += (answers.empty() ? "" : ",") + ("{\"annotator\":" + quoted(g.annotator)) +
                 ",\"value\":" + stored_json(g.value, "value of a label");
      if (const auto w = worker.find(g.annotator); w != worker.end() && row.i >= 0)
        answers += ",\"reliability\":" + Json(b.inference.accuracy[w->second]).dump();
      answers += "}";
    }
    list += ",\"answers\":[" + answers + "]";
    if (row.i >= 0) {
      const auto K = size_t(b.inference.classes);
      std::string posterior;
      for (size_t t = 0; t < K; ++t)
        posterior += (t ? "," : "") + quoted(b.answers.labels[t]) + ":" +
                     Json(b.inference.posterior[size_t(row.i) * K + t]).dump();
      list += ",\"posterior\":{" + posterior + "}";
    }
    list += "}";
  }
  return "{\"items\":[" + list + "],\"waiting\":" + std::to_string(rows.size()) + "}";
}

}  // namespace puna::desk
