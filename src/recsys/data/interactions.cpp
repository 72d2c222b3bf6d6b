#include "puna/recsys/interactions.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <numeric>
#include <string_view>
#include <unordered_map>

#include "base/shown.h"
#include "puna/base/error.h"
#include "puna/recsys/names.h"
#include "recsys/data/interaction_columns.h"
#include "recsys/data/times.h"

namespace puna::recsys {
namespace {

// Names that are numbers by value, before other names by letters.
bool name_before(const std::string& a, const std::string& b) {
  const auto number = [](const std::string& s) {
    uint64_t value = 0;
    const auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), value);
    return error == std::errc() && end == s.data() + s.size() ? value : std::numeric_limits<uint64_t>::max();
  };
  const uint64_t x = number(a), y = number(b);
  return x != y ? x < y : a < b;
}

// Numbers for names in the order in which they are met.
class Numbering {
 public:
  int32_t add(std::string_view name) {
    const auto [at, added] = numbers_.emplace(std::string(name), int32_t(numbers_.size()));
    if (added) names_.push_back(at->first);
    return at->second;
  }
  // The names in order; places[i] = where the i-th that was added is.
  std::vector<std::string> sorted(std::vector<int32_t>& places) const {
    std::vector<std::string> all = names_;
    std::sort(all.begin(), all.end(), name_before);
    places.resize(all.size());
    for (size_t i = 0; i < all.size(); ++i) places[size_t(numbers_.at(all[i]))] = int32_t(i);
    return all;
  }

 private:
  std::unordered_map<std::string, int32_t> numbers_;
  std::vector<std::string> names_;
};

// "0,1,2,3": what pandas writes above columns that have no names, and what may be a row.
bool counts_columns(const std::vector<std::string_view>& fields) {
  for (size_t i = 0; i < fields.size(); ++i)
    if (fields[i] != std::to_string(i)) return false;
  return true;
}
void refuse_counted_columns(const TimeColumn& times, size_t rows, const char* file) {
  for (size_t i = 1; i < rows; ++i)
    if (times.seconds(i) < 1'000'000) return;
  if (rows > 1)
    fail(Status::bad_file, "%s: its first line, 0, 1, 2, ..., counts the columns and is no event: leave it out", file);
}

// Each user's events in the order that `before` gives, those that are equal as they stand.
template <class Before, class Time>
std::vector<std::vector<Event>> grouped(std::span<const int64_t> users, std::span<const int32_t> items, Before before,
                                        Time time) {
  std::vector<size_t> order(users.size());
  std::iota(order.begin(), order.end(), size_t(0));
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return users[a] != users[b] ? users[a] < users[b] : before(a, b); });
  std::vector<std::vector<Event>> histories;
  for (size_t i = 0; i < order.size(); ++i) {
    if (i == 0 || users[order[i]] != users[order[i - 1]]) histories.emplace_back();
    histories.back().push_back({items[order[i]], time(order[i])});
  }
  return histories;
}

}  // namespace

Interactions read_interactions(const SourcePtr& source, const Watch& watch) {
  TableReader table(source, &watch);
  const char* const file = table.name().c_str();
  std::vector<int64_t> row_users;
  std::vector<int32_t> row_items;
  TimeColumn times;
  Numbering users, items;
  std::vector<std::string_view> fields;
  if (!table.next(fields)) fail(Status::bad_file, "%s is empty: it has no interactions", file);
  const InteractionColumns columns = columns_of(table, fields);
  const bool counted = !columns.named && counts_columns(fields);
  const auto where = [&] { return table.where(); };
  for (bool more = !columns.named || table.next(fields); more; more = table.next(fields)) {
    if (fields.size() != columns.count)
      fail(Status::bad_file, "%s: %zu columns, expected %zu between %s", table.where().c_str(), fields.size(),
           columns.count, table.separated_by());
    const std::string_view user = fields[columns.user], item = fields[columns.item];
    for (const std::string_view name : {user, item})
      if (name.empty() || name.size() > Names::kLongest)
        fail(Status::bad_file, "%s: a user or item without a name, or with one of more than %zu bytes",
             table.where().c_str(), Names::kLongest);
    times.add(fields[columns.time], table.line(), where);
    row_users.push_back(users.add(user));
    row_items.push_back(items.add(item));
  }
  if (row_users.empty()) fail(Status::bad_file, "%s has no interactions, only the names of columns", file);
  times.finish(file);
  if (counted) refuse_counted_columns(times, row_users.size(), file);
  Interactions all;
  all.about =
      table.name() + ": " + columns.about + (times.in_seconds() ? "" : std::string("; times are ") + times.unit());
  std::vector<int32_t> user_place, item_place;
  all.users = users.sorted(user_place);
  all.items = items.sorted(item_place);
  all.items.insert(all.items.begin(), "");
  for (int64_t& u : row_users) u = user_place[size_t(u)];
  for (int32_t& i : row_items) i = item_place[size_t(i)] + 1;
  all.histories = grouped(
      row_users, row_items, [&](size_t a, size_t b) { return times.before(a, b); },
      [&](size_t i) { return times.seconds(i); });
  return all;
}

std::vector<std::vector<Event>> histories_of(std::span<const int64_t> users, std::span<const int32_t> items,
                                             std::span<const int64_t> times) {
  PUNA_REQUIRE(users.size() == items.size() && users.size() == times.size(), "%zu users, %zu items and %zu times",
               users.size(), items.size(), times.size());
  return grouped(
      users, items, [&](size_t a, size_t b) { return times[a] < times[b]; }, [&](size_t i) { return times[i]; });
}

int64_t Interactions::events() const noexcept {
  int64_t n = 0;
  for (const std::vector<Event>& h : histories) n += int64_t(h.size());
  return n;
}

int32_t Interactions::item(const std::string& name) const noexcept {
  auto at = std::lower_bound(items.begin() + 1, items.end(), name, name_before);
  if (at == items.end() || *at != name)
    at = std::find(items.begin() + 1, items.end(), name);  // a model's items may be in another order
  return at != items.end() ? int32_t(at - items.begin()) : 0;
}

int64_t Interactions::user(const std::string& name) const noexcept {
  const auto at = std::lower_bound(users.begin(), users.end(), name, name_before);
  return at != users.end() && *at == name ? at - users.begin() : -1;
}

Interactions with_items_of(const Names& model, Interactions data, ItemMatch& match) {
  match = {};
  std::vector<int32_t> number(data.items.size());  // 0: unknown
  for (size_t i = 1; i < data.items.size(); ++i) {
    number[i] = int32_t(model.find(data.items[i])) + 1;
    ++(number[i] != 0 ? match.known : match.unknown);
    if (number[i] == 0 && match.one_unknown.empty()) match.one_unknown = data.items[i];
  }
  PUNA_REQUIRE(match.known > 0,
               "the model knows none of the data's %jd items ('%s', ...): its %jd are others ('%s', ...); they do "
               "not belong together",
               match.unknown, shown(match.one_unknown).c_str(), model.size(),
               model.empty() ? "" : shown(model[0]).c_str());
  for (std::vector<Event>& h : data.histories) {
    for (Event& e : h) e.item = number[size_t(e.item)];
    const auto end = std::remove_if(h.begin(), h.end() - 1, [](const Event& e) { return e.item == 0; });
    match.events_left_out += (h.end() - 1) - end;
    match.last_events += h.back().item == 0;
    h.erase(end, h.end() - 1);
  }
  data.items.assign(1, "");
  for (int64_t i = 0; i < model.size(); ++i) data.items.emplace_back(model[i]);
  return data;
}

std::vector<std::vector<Event>> without_last(const Interactions& all) {
  std::vector<std::vector<Event>> histories = all.histories;
  for (std::vector<Event>& h : histories) h.pop_back();
  return histories;
}

}  // namespace puna::recsys
