#include "puna/label/store.h"

#include "base/nearest.h"
#include "base/shown.h"
#include "label/named.h"
#include "puna/base/error.h"

namespace puna::label {
Type type_of(std::string_view name) { return named<Type>(kTypeNames, "type of labels", name); }
Kind kind_of(std::string_view name) { return named<Kind>(kKindNames, "kind of annotator", name); }
Order order_of(std::string_view name) { return named<Order>(kOrderNames, "order", name); }

Project LabelStore::project(std::string_view name) {
  std::vector<std::string> names;
  for (Project& p : projects()) {
    if (p.name == name) return p;
    names.push_back(p.name);
  }
  if (name.empty() && names.size() == 1) return projects()[0];
  if (names.empty()) fail(Status::invalid_argument, "there is no project yet: create or import makes one");
  if (name.empty())
    fail(Status::invalid_argument, "there are %zu projects, expected the name of one: '%s', '%s'%s", names.size(),
         shown(names[0]).c_str(), shown(names[1]).c_str(), names.size() > 2 ? ", ..." : "");
  fail(Status::invalid_argument, "there is no project '%s'%s", shown(name).c_str(), did_you_mean(name, names).c_str());
}

}  // namespace puna::label
