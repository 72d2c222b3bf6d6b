// interactions.h -- who took what and when, read from a file: RecBole's .inter (tab-separated, named columns), MovieLens' u.data (tabs) and
// ratings.dat (::), or CSV. Names become numbers: users 0, 1, ..., items 1, 2, ..., in the order of their names (numbers by value).
#pragma once
#include <string>
#include <vector>

#include "puna/io/checkpoint.h"
#include "puna/recsys/sequence_model.h"

namespace puna::recsys {

struct Interactions {
  std::vector<std::vector<Event>> histories;     // of each user, by time; events of the same time stay in the file's order
  std::vector<std::string> users, items;         // their names; items[0] is empty
  int64_t item_count() const noexcept { return int64_t(items.size()) - 1; }
  int64_t events() const noexcept;
  int32_t item(const std::string& name) const noexcept;  // 0 = there is none of that name
  int64_t user(const std::string& name) const noexcept;  // -1 = there is none
};

// The first line may name the columns: user_id, item_id, timestamp, in any order, a type behind a colon; without names they are user, item,
// anything, timestamp. Error{bad_file} naming the line.
Interactions read_interactions(const SourcePtr& source);
inline Interactions read_interactions(const std::string& path) { return read_interactions(open_path_source(path)); }

// users[i] took items[i] at times[i]: each user's events by time, users by number; events of the same time stay in order.
std::vector<std::vector<Event>> histories_of(std::span<const int64_t> users, std::span<const int32_t> items, std::span<const int64_t> times);

// The protocol's split: a user's last event is the test's target, everything before it is for training.
std::vector<std::vector<Event>> without_last(const Interactions& all);

}  // namespace puna::recsys
