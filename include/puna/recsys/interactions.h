// interactions.h -- user-item interactions with times, read from a table: CSV (quotes as RFC 4180 has them; commas,
// semicolons, | or tabs), RecBole's .inter, MovieLens' u.data and ratings.dat (::), in UTF-8. Names become numbers:
// users 0, 1, ..., items 1, 2, ..., in the order of their names (numbers by value).
#pragma once
#include <string>
#include <vector>

#include "puna/io/checkpoint.h"
#include "puna/recsys/names.h"
#include "puna/recsys/sequence_model.h"

namespace puna::recsys {

struct Interactions {
  std::vector<std::vector<Event>> histories;  // of each user, by time; events of the same time stay in the file's order
  std::vector<std::string> users, items;  // their names; items[0] is empty and stands for what a model does not know
  std::string about;  // how the file was read: its columns, and the unit of its times unless it is seconds
  int64_t item_count() const noexcept { return int64_t(items.size()) - 1; }
  int64_t events() const noexcept;
  int32_t item(const std::string& name) const noexcept;  // 0 = there is none of that name
  int64_t user(const std::string& name) const noexcept;  // -1 = there is none
};

// The first line may name the columns: user_id, item_id, timestamp, or as the usual data sets call them (userId,
// movieId, asin, time, ...; upper case or lower; a type behind a colon), in any order; without names they are user,
// item, anything, time. Times are seconds since 1970 or any other moment, milli-, micro- or nanoseconds since 1970,
// with fractions, or dates (2026-11-29T07:13:12Z): they order the events exactly and are kept as whole seconds.
// Error{bad_file} naming the line; {unsupported} naming what the file is instead (compressed, Parquet, JSON, ...).
Interactions read_interactions(const SourcePtr& source, const Watch& watch = Watch());
inline Interactions read_interactions(const std::string& path, const Watch& watch = Watch()) {
  return read_interactions(open_path_source(path), watch);
}

// What became of a table's items when they were looked up among a model's.
struct ItemMatch {
  int64_t known = 0;            // of the table's items
  int64_t unknown = 0;          // of the table's items
  int64_t events_left_out = 0;  // those of unknown items, but for
  int64_t last_events = 0;      // users' last ones
  std::string one_unknown;      // a name of one
};
// `data` with a model's items: numbers and names are the model's, in its order. Events of items that it does not know
// are left out, but a user's last one stays, with item 0: the target of an evaluation, which the model cannot find.
// Error{invalid_argument} when it knows none of them.
Interactions with_items_of(const Names& model, Interactions data, ItemMatch& match);

// users[i] took items[i] at times[i]: each user's events by time, users by number; events of the same time stay in
// order.
std::vector<std::vector<Event>> histories_of(std::span<const int64_t> users, std::span<const int32_t> items,
                                             std::span<const int64_t> times);

// The protocol's split: a user's last event is the test's target, everything before it is for training.
std::vector<std::vector<Event>> without_last(const Interactions& all);

}  // namespace puna::recsys
