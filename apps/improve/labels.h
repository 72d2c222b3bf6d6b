// labels.h -- the items that were chosen, in a label store: what a file answers is a label there, what people must say
// waits for them on the page of `puna label serve`.
#pragma once
#include <string>
#include <vector>

#include "items.h"
#include "puna/label/infer.h"
#include "puna/label/store.h"

namespace puna::improve {

inline constexpr const char* kProject = "improve";

// Makes the project with these items of the pool, in order. Where all have the same choices those are the labels; else
// each item shows its own behind letters, A, B, ... The file's answers are labels of `annotator`, but for `ask_people`.
void put_labels(label::LabelStore& store, const Items& pool, const std::vector<int64_t>& chosen, int64_t wanted,
                bool ask_people, const std::string& annotator, int64_t now);

struct Decided {
  std::vector<std::pair<int64_t, int64_t>> labels;  // an item of the pool, its choice
  int64_t waiting = 0;                              // items that nobody has answered or skipped
  int64_t undecided = 0;                            // skipped by all
  int64_t people = 0;
};
// In the order of the store. Error{bad_file} for an item or a label that the pool has not: it is another run's store.
Decided decided_labels(label::LabelStore& store, const Items& pool, label::Method method, const Watch& watch = Watch());

}  // namespace puna::improve
