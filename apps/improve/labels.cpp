#include "labels.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/json.h"
#include "base/shown.h"
#include "label/values.h"
#include "puna/base/error.h"
#include "puna/label/exchange.h"

namespace puna::improve {
namespace {

using namespace label;

std::string letter(size_t choice) {
  std::string name(1, char('A' + choice % 26));
  return choice < 26 ? name : name + std::to_string(choice / 26);
}

// The labels of all, or letters.
bool same_choices(const Items& pool) {
  return std::all_of(pool.all.begin(), pool.all.end(), [&](const Item& i) { return i.choices == pool.all[0].choices; });
}

std::vector<std::string> label_names(const Items& pool) {
  if (same_choices(pool)) return pool.all[0].choices;
  size_t most = 0;
  for (const Item& i : pool.all) most = std::max(most, i.choices.size());
  std::vector<std::string> names;
  for (size_t c = 0; c < most; ++c) names.push_back(letter(c));
  return names;
}

std::string data_of(const Item& item, bool shared) {
  OrderedJson data = {{"text", item.prompt}};
  for (size_t c = 0; c < item.choices.size() && !shared; ++c) data[letter(c)] = item.choices[c];
  return json_text(data);
}

}  // namespace

void put_labels(LabelStore& store, const Items& pool, const std::vector<int64_t>& chosen, int64_t wanted,
                bool ask_people, const std::string& annotator, int64_t now) {
  const std::vector<std::string> names = label_names(pool);
  const bool shared = same_choices(pool);
  store.write([&] {
    Project p;
    p.name = kProject;
    p.labels = names;
    p.wanted = wanted;
    p = store.create(p);
    std::vector<label::Item> items;
    for (const int64_t i : chosen) {
      label::Item item;
      item.key = pool.all[size_t(i)].item;
      item.data = data_of(pool.all[size_t(i)], shared);
      items.push_back(std::move(item));
    }
    store.put_items(p.id, items);
    std::vector<NewLabel> labels;
    for (size_t n = 0; n < chosen.size(); ++n) {
      const Item& item = pool.all[size_t(chosen[n])];
      if (ask_people || item.answer < 0) continue;
      NewLabel l;
      l.item = items[n].id;
      l.annotator = annotator;
      l.value = quoted(names[size_t(item.answer)]);
      l.time = now;
      labels.push_back(std::move(l));
    }
    store.append(p.id, labels);
  });
}

Decided decided_labels(LabelStore& store, const Items& pool, Method method, const Watch& watch) {
  const Project project = store.project(kProject);
  std::map<std::string, int64_t, std::less<>> item_of;
  for (size_t i = 0; i < pool.all.size(); ++i) item_of.emplace(pool.all[i].item, int64_t(i));
  Decided d;
  std::set<int64_t> touched;
  std::set<std::string> people;
  store.each_label(project.id, false, [&](const Label& l) {
    if (l.value.empty() && l.source.empty()) return;
    touched.insert(l.item);
    people.insert(l.annotator);
  });
  d.people = int64_t(people.size());
  const Answers answers = answers_of(store, project, false, watch);
  std::vector<int32_t> decided = answers.gold;
  if (!answers.answers.empty() && answers.labels.size() >= 2) {
    InferOptions options;
    options.method = method;
    decided = infer(answers, options, watch).label;
  } else {
    for (const Answer& a : answers.answers) decided[size_t(a.item)] = a.label;
  }
  size_t n = 0;
  const std::vector<std::string> names = label_names(pool);
  store.each_item(project.id, [&](const label::Item& item) {  // answers_of numbered the items in this order
    const int32_t label = decided[n++];
    if (label == kUnknown) {
      ++(touched.count(item.id) ? d.undecided : d.waiting);
      return;
    }
    const auto found = item_of.find(item.key);
    const auto name = std::find(names.begin(), names.end(), answers.labels[size_t(label)]);
    if (found == item_of.end() || name == names.end() ||
        name - names.begin() >= int64_t(pool.all[size_t(found->second)].choices.size()))
      fail(Status::bad_file, "%s has no item '%s' with the choice '%s': the labels are of another pool",
           pool.file.c_str(), shown(item.key).c_str(), shown(answers.labels[size_t(label)]).c_str());
    d.labels.emplace_back(found->second, name - names.begin());
  });
  return d;
}

}  // namespace puna::improve
