// json.cpp -- events of nlohmann-json's parser to a value, with the rules that its own builder does not have. It is built inside a
// JsonGuard, so that an error in the middle takes it apart safely.
#include "base/json.h"

#include <cstdint>
#include <set>
#include <string>
#include <type_traits>
#include <vector>

#include "puna/base/error.h"

namespace puna {
namespace {

constexpr size_t kMaxDepth = 64;

// Walks through a text and ticks every few kilobytes: about the time that parsing them takes, in microseconds.
class WatchedText {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  WatchedText(const char* at, const Watch& watch) noexcept : at_(at), watch_(&watch) {}
  reference operator*() const noexcept { return *at_; }
  WatchedText& operator++() {
    if ((uintptr_t(++at_) & (kTick - 1)) == 0) watch_->tick(kTick / 64);
    return *this;
  }
  bool operator==(const WatchedText& other) const noexcept { return at_ == other.at_; }
  bool operator!=(const WatchedText& other) const noexcept { return at_ != other.at_; }

 private:
  static constexpr uintptr_t kTick = 4096;
  const char* at_;
  const Watch* watch_;
};

// Both kinds of document have the same events.
static_assert(std::is_same_v<Json::number_integer_t, OrderedJson::number_integer_t> && std::is_same_v<Json::string_t, OrderedJson::string_t>);

// Ordered members are a vector of pairs with constant keys: growing, it would copy whole values and destroy the old ones, which
// allocates (see dismantle). Values move here.
void make_room(OrderedJson::object_t& members) {
  if (members.size() < members.capacity()) return;
  OrderedJson larger = OrderedJson::object();
  const JsonGuard<OrderedJson> guard(larger);
  auto& to = larger.get_ref<OrderedJson::object_t&>();
  to.reserve(members.size() * 2 + 4);
  for (auto& member : members) to.emplace_back(member.first, std::move(member.second));
  members.swap(to);
}

template <class J>
class Builder final : public nlohmann::json_sax<Json> {
  using Base = nlohmann::json_sax<Json>;

 public:
  Builder(J& root, const char* what) : root_(root), what_(what) {}

  bool null() override { return add(nullptr), true; }
  bool boolean(bool value) override { return add(value), true; }
  bool number_integer(typename Base::number_integer_t value) override { return add(value), true; }
  bool number_unsigned(typename Base::number_unsigned_t value) override { return add(value), true; }
  bool number_float(typename Base::number_float_t value, const std::string&) override { return add(value), true; }
  bool string(std::string& value) override { return add(std::move(value)), true; }
  bool binary(typename Base::binary_t&) override { return false; }  // not in text
  bool start_object(size_t) override { return open(J::object()), true; }
  bool start_array(size_t) override { return open(J::array()), true; }
  bool end_object() override { return close(), true; }
  bool end_array() override { return close(), true; }

  bool key(std::string& name) override {
    if (!open_.back().keys.insert(name).second) fail(Status::bad_file, "%s: key '%.64s' appears twice", what_, name.c_str());
    key_ = std::move(name);
    return true;
  }
  bool parse_error(size_t, const std::string&, const nlohmann::detail::exception& e) override {
    fail(Status::bad_file, "%s: not valid JSON: %s", what_, e.what());
  }

 private:
  struct Level {
    J* value;
    std::set<std::string> keys;  // of an object
  };

  J* add(J value) {
    if (open_.empty()) return &(root_ = std::move(value));
    J& parent = *open_.back().value;
    if (parent.is_array()) {
      auto& elements = parent.template get_ref<typename J::array_t&>();
      elements.push_back(std::move(value));
      return &elements.back();
    }
    auto& members = parent.template get_ref<typename J::object_t&>();
    if constexpr (std::is_same_v<J, OrderedJson>) {
      make_room(members);
      return &members.emplace_back(key_, std::move(value)).second;
    } else {
      return &members.emplace(std::move(key_), std::move(value)).first->second;
    }
  }

  void open(J value) {
    if (open_.size() > kMaxDepth) fail(Status::bad_file, "%s: JSON nested deeper than %zu", what_, kMaxDepth);
    open_.push_back({add(std::move(value)), {}});
  }
  void close() { open_.pop_back(); }

  J& root_;
  const char* what_;
  std::vector<Level> open_;  // a parent does not change while a child is open, so the pointers hold
  std::string key_;
};

template <class J>
J parse(std::string_view text, const char* what, const Watch& watch) {
  if (const size_t nul = text.find('\0'); nul != text.npos)  // nlohmann-json would take it for the end
    fail(Status::bad_file, "%s: not valid JSON: a NUL at byte %zu", what, nul);
  J root;
  const JsonGuard<J> guard(root);
  Builder<J> builder(root, what);
  walk_json(text, builder, watch);
  J result = std::move(root);  // the guard empties root
  return result;
}

}  // namespace

OrderedJson& fresh_member(OrderedJson& object, const std::string& key) {
  auto& members = object.get_ref<OrderedJson::object_t&>();
  for (auto& [name, value] : members) {
    if (name != key) continue;
    dismantle(value);
    return value = nullptr;
  }
  make_room(members);
  return members.emplace_back(key, nullptr).second;
}

void walk_json(std::string_view text, nlohmann::json_sax<Json>& events, const Watch& watch) {
  Json::sax_parse(WatchedText(text.data(), watch), WatchedText(text.data() + text.size(), watch), &events);
}

Json parse_json(std::string_view text, const char* what, const Watch& watch) { return parse<Json>(text, what, watch); }
OrderedJson parse_ordered_json(std::string_view text, const char* what, const Watch& watch) { return parse<OrderedJson>(text, what, watch); }

}  // namespace puna
