#include "puna/recsys/interactions.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <numeric>
#include <string_view>
#include <unordered_map>

#include "puna/base/error.h"

namespace puna::recsys {
namespace {

constexpr uint64_t kLargestFile = uint64_t(1) << 32;
constexpr size_t kLongestName = 256;

struct Columns {
  std::string_view separator;
  int user = 0, item = 1, time = 3, count = 4;
};

std::vector<std::string_view> split(std::string_view line, std::string_view separator) {
  std::vector<std::string_view> fields;
  for (;;) {
    const size_t end = line.find(separator);
    fields.push_back(line.substr(0, end));
    if (end == std::string_view::npos) return fields;
    line.remove_prefix(end + separator.size());
  }
}

// From the first line; named says whether it is one of names.
Columns columns_of(std::string_view line, bool& named) {
  Columns c;
  c.separator = line.find('\t') != std::string_view::npos ? "\t" : line.find("::") != std::string_view::npos ? "::" : ",";
  const std::vector<std::string_view> fields = split(line, c.separator);
  const auto place = [&](std::string_view name) {
    for (size_t i = 0; i < fields.size(); ++i)
      if (fields[i].substr(0, fields[i].find(':')) == name) return int(i);
    return -1;
  };
  named = place("user_id") >= 0;
  if (named) {
    c.user = place("user_id");
    c.item = place("item_id");
    c.time = place("timestamp");
  }
  c.count = int(fields.size());
  return c;
}

int64_t whole_seconds(std::string_view text, bool& good) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  good = error == std::errc() && end == text.data() + text.size() && value >= -1e15 && value <= 1e15;
  return good ? int64_t(value) : 0;
}

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

class Names {
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

}  // namespace

Interactions read_interactions(const SourcePtr& source) {
  const char* const file = source->name().c_str();
  if (source->size() > kLargestFile) fail(Status::unsupported, "%s has more than 4 GB", file);
  std::string text;
  std::string_view rest;
  if (source->data()) {
    rest = {reinterpret_cast<const char*>(source->data()), size_t(source->size())};
  } else {
    text.resize(size_t(source->size()));
    source->read(0, source->size(), text.data());
    rest = text;
  }
  std::vector<int64_t> row_users, row_times;
  std::vector<int32_t> row_items;
  Names users, items;
  Columns columns;
  for (int64_t number = 1; !rest.empty(); ++number) {
    std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (number == 1) {
      bool named = false;
      columns = columns_of(line, named);
      if (named) {
        if (columns.item < 0 || columns.time < 0) fail(Status::bad_file, "%s: its columns lack item_id or timestamp", file);
        continue;
      }
    }
    if (line.empty()) continue;
    const std::vector<std::string_view> fields = split(line, columns.separator);
    if (int(fields.size()) != columns.count || std::max({columns.user, columns.item, columns.time}) >= columns.count)
      fail(Status::bad_file, "%s, line %lld: %zu columns, expected %d with a timestamp", file, static_cast<long long>(number), fields.size(), std::max(columns.count, 4));
    const std::string_view user = fields[size_t(columns.user)], item = fields[size_t(columns.item)];
    if (user.empty() || item.empty() || user.size() > kLongestName || item.size() > kLongestName)
      fail(Status::bad_file, "%s, line %lld: a user or item without a name, or with one of more than %zu bytes", file, static_cast<long long>(number), kLongestName);
    bool good = false;
    const int64_t time = whole_seconds(fields[size_t(columns.time)], good);
    if (!good) fail(Status::bad_file, "%s, line %lld: '%.*s' is no time in seconds", file, static_cast<long long>(number), int(std::min<size_t>(40, fields[size_t(columns.time)].size())), fields[size_t(columns.time)].data());
    row_users.push_back(users.add(user));
    row_items.push_back(items.add(item));
    row_times.push_back(time);
  }
  if (row_users.empty()) fail(Status::bad_file, "%s has no interactions", file);
  Interactions all;
  std::vector<int32_t> user_place, item_place;
  all.users = users.sorted(user_place);
  all.items = items.sorted(item_place);
  all.items.insert(all.items.begin(), "");
  for (int64_t& u : row_users) u = user_place[size_t(u)];
  for (int32_t& i : row_items) i = item_place[size_t(i)] + 1;
  all.histories = histories_of(row_users, row_items, row_times);
  return all;
}

std::vector<std::vector<Event>> histories_of(std::span<const int64_t> users, std::span<const int32_t> items, std::span<const int64_t> times) {
  PUNA_REQUIRE(users.size() == items.size() && users.size() == times.size(), "%zu users, %zu items and %zu times", users.size(), items.size(), times.size());
  std::vector<size_t> order(users.size());
  std::iota(order.begin(), order.end(), size_t(0));
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return users[a] != users[b] ? users[a] < users[b] : times[a] < times[b]; });
  std::vector<std::vector<Event>> histories;
  for (size_t i = 0; i < order.size(); ++i) {
    if (i == 0 || users[order[i]] != users[order[i - 1]]) histories.emplace_back();
    histories.back().push_back({items[order[i]], times[order[i]]});
  }
  return histories;
}

int64_t Interactions::events() const noexcept {
  int64_t n = 0;
  for (const std::vector<Event>& h : histories) n += int64_t(h.size());
  return n;
}

int32_t Interactions::item(const std::string& name) const noexcept {
  const auto at = std::lower_bound(items.begin() + 1, items.end(), name, name_before);
  return at != items.end() && *at == name ? int32_t(at - items.begin()) : 0;
}

int64_t Interactions::user(const std::string& name) const noexcept {
  const auto at = std::lower_bound(users.begin(), users.end(), name, name_before);
  return at != users.end() && *at == name ? at - users.begin() : -1;
}

std::vector<std::vector<Event>> without_last(const Interactions& all) {
  std::vector<std::vector<Event>> histories = all.histories;
  for (std::vector<Event>& h : histories) h.pop_back();
  return histories;
}

}  // namespace puna::recsys
