// desk.h -- labelling by people, as JSON: items go out, labels come in, and what the labels say so far is told. No HTTP
// here; api.h has the addresses. Any thread.
//
//   projects   -> {"projects": [{"name", "type", "labels", "wanted", "items", "finished", "gold", "mine"}], ...}
//   work       {"project", "count": 3} -> {"items": [{"item", "data"}], "lease_seconds"}: what this person has in hand,
//              filled up with new items; asked again it answers the same and renews the leases
//   label      {"project", "item", "value" or "skip": "reason", "request", "seconds"} -> {"kept": true, "replaced"}
//              once it is on the disk. The same request again is not kept twice.
//   undo       {"project", "request"} -> {"item", "data", "value", "skipped"}: the person's last label, which is taken
//              back; nothing to take back: {"item": null}
//   progress   {"project"} -> counts, who labelled how much, and how far people agree
//   queue      {"project", "count": 20} -> {"items": [{"item", "data", "answers": [{"annotator", "value",
//              "reliability"}], "posterior"}]}: what people should decide, the least certain first
//   decide     {"project", "item", "value"} -> {"kept": true}: the label becomes gold
//
// Unknown members are errors: a misspelt one would be acknowledged and lost.
#pragma once
#include <chrono>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "http/answer.h"
#include "puna/label/store.h"

namespace puna::desk {

struct DeskOptions {
  label::AssignOptions assign;
  // Keys of the items' data that have a place of their own on the page.
  std::string prompt = "prompt", left = "left", right = "right", text = "text";
  // Counts and agreement that took t to compute are given again for `rest` times t; 0: computed for every request.
  int rest = 20;
};

struct Person {
  std::string name;
  bool decides = true;  // may see everybody's answers and decide
};

using http::Refused;

class Desk {
 public:
  Desk(label::LabelStore& store, DeskOptions options) : store_(store), o_(std::move(options)) {}

  // Error{invalid_argument}: what is wrong with the request. `now`: milliseconds since 1970.
  std::string projects(const Person& person, int64_t now);
  std::string work(const Person& person, std::string_view json, int64_t now);
  std::string label(const Person& person, std::string_view json, int64_t now);
  std::string undo(const Person& person, std::string_view json, int64_t now);
  std::string progress(const Person& person, std::string_view json, int64_t now);
  std::string queue(const Person& person, std::string_view json, int64_t now);
  std::string decide(const Person& person, std::string_view json, int64_t now);

 private:
  struct Agreement {
    int64_t labels = -1;  // that were there when it was computed
    std::string json;
    std::chrono::steady_clock::time_point next;
  };
  struct Counts {
    label::StoreStats stats;
    std::chrono::steady_clock::time_point next;
  };
  std::string agreement(const label::Project& project, int64_t labels);
  label::StoreStats stats(int64_t project, int64_t now);

  label::LabelStore& store_;
  const DeskOptions o_;
  std::mutex mutex_;                     // of what follows
  std::map<int64_t, Agreement> agreed_;  // by project
  std::map<int64_t, Counts> counts_;     // likewise
};

// JSON of the store as it goes out in an answer. Error{bad_file} when it is none: a database may be anybody's.
std::string stored_json(const std::string& text, const char* what);

// "ann" decides as "ann (adjudicator)": her own answer stands beside what she decides.
std::string adjudicator(const std::string& name);

}  // namespace puna::desk
