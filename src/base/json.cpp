// json.cpp -- events of nlohmann-json's parser to a value, with the rules that its own builder does not have. It is
// built inside a JsonGuard, so that an error in the middle takes it apart safely.
#include "base/json.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "base/file_kind.h"
#include "base/json_fault.h"
#include "puna/base/error.h"

namespace puna {
namespace {

constexpr size_t kMaxDepth = 64;

// A model or a database where JSON is expected: "not valid JSON in line 1" would be true, and no help.
void refuse_other_kinds(std::string_view text, const char* what) {
  if (const FileKind* const kind = kind_of_file(text))
    fail(Status::bad_file, "%s: it is %s, expected JSON", what, kind->name);
}

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
static_assert(std::is_same_v<Json::number_integer_t, OrderedJson::number_integer_t> &&
              std::is_same_v<Json::string_t, OrderedJson::string_t>);

// Ordered members are a vector of pairs with constant keys: growing, it would copy whole values and destroy the old
// ones, which allocates (see dismantle). Values move here.
void grow(OrderedJson::object_t& members) {
  if (members.size() < members.capacity()) return;
  OrderedJson larger = OrderedJson::object();
  const JsonGuard<OrderedJson> guard(larger);
  auto& to = larger.get_ref<OrderedJson::object_t&>();
  to.reserve(members.size() * 2 + 4);
  for (auto& member : members) to.emplace_back(member.first, std::move(member.second));
  members.swap(to);
}

// What parts of a tree take, with what allocation and growing vectors add.
constexpr size_t kElementBytes = 40, kMemberBytes = 112, kContainerBytes = 64, kStringBytes = 48, kShortString = 16;
constexpr size_t kMoreThanText = 48 << 20;

template <class J>
class Builder final : public nlohmann::json_sax<Json> {
  using Base = nlohmann::json_sax<Json>;

 public:
  Builder(J& root, std::string_view text, const char* what, bool exactly, const Watch& watch)
      : root_(root), what_(what), exactly_(exactly), watch_(watch), text_(text), budget_(text.size() + kMoreThanText) {}

  bool null() override { return add(nullptr), true; }
  bool boolean(bool value) override { return add(value), true; }
  bool number_integer(typename Base::number_integer_t value) override { return add(value), true; }
  bool number_unsigned(typename Base::number_unsigned_t value) override { return add(value), true; }
  bool number_float(typename Base::number_float_t value, const std::string& text) override {
    if (exactly_ && text.find_first_of(".eE") == std::string::npos) {
      charge(kStringBytes + text.size());
      return add(J::binary({text.begin(), text.end()})), true;
    }
    return add(value), true;
  }
  bool string(std::string& value) override {
    charge(kStringBytes + bytes_of(value));
    return add(std::move(value)), true;
  }
  bool binary(typename Base::binary_t&) override { return false; }  // not in text
  bool start_object(size_t) override { return open(J::object()), true; }
  bool start_array(size_t) override { return open(J::array()), true; }
  bool end_object() override {
    if constexpr (std::is_same_v<J, OrderedJson>) check_keys(open_.back()->template get_ref<typename J::object_t&>());
    return open_.pop_back(), true;
  }
  bool end_array() override { return open_.pop_back(), true; }

  bool key(std::string& name) override {
    charge(kMemberBytes + bytes_of(name));
    auto& members = open_.back()->template get_ref<typename J::object_t&>();
    if constexpr (std::is_same_v<J, OrderedJson>) {
      if (members.size() < kFewKeys &&
          std::any_of(members.begin(), members.end(), [&](const auto& m) { return m.first == name; }))
        twice(name);
      grow(members);
      member_ = &members.emplace_back(std::move(name), nullptr).second;
    } else {
      const auto [at, is_new] = members.try_emplace(std::move(name), nullptr);
      if (!is_new) twice(at->first);
      member_ = &at->second;
    }
    return true;
  }
  bool parse_error(size_t position, const std::string&, const nlohmann::detail::exception& e) override {
    refuse_other_kinds(text_, what_);
    const JsonFault f = json_fault(text_, position, e.what());
    fail(Status::bad_file, "%s: not valid JSON in %s: %s", what_, f.where().c_str(), f.what.c_str());
  }

 private:
  // are compared with each other at once; more are sorted when the object is whole
  static constexpr size_t kFewKeys = 16;
  static size_t bytes_of(const std::string& s) { return s.size() < kShortString ? 0 : s.size() + kShortString; }

  [[noreturn]] void twice(const std::string& key) const {
    fail(Status::bad_file, "%s: key '%.64s' appears twice", what_, key.c_str());
  }

  void check_keys(const typename J::object_t& members) const {
    if (members.size() <= kFewKeys) return;
    std::vector<const std::string*> keys;
    keys.reserve(members.size());
    for (const auto& m : members) keys.push_back(&m.first);
    std::sort(keys.begin(), keys.end(), [&](const std::string* a, const std::string* b) {
      watch_.tick();
      return *a < *b;
    });
    for (size_t i = 1; i < keys.size(); ++i)
      if (*keys[i] == *keys[i - 1]) twice(*keys[i]);
  }

  void charge(size_t bytes) {
    if (bytes > budget_)
      fail(Status::bad_file,
           "%s: %zu bytes of JSON hold more values than such a document has: they would take above %zu bytes of memory",
           what_, text_.size(), text_.size() + kMoreThanText);
    budget_ -= bytes;
  }

  J* add(J value) {
    if (open_.empty()) return &(root_ = std::move(value));
    J& parent = *open_.back();
    if (!parent.is_array()) return &(*member_ = std::move(value));
    charge(kElementBytes);
    auto& elements = parent.template get_ref<typename J::array_t&>();
    elements.push_back(std::move(value));
    return &elements.back();
  }

  void open(J value) {
    if (open_.size() > kMaxDepth) fail(Status::bad_file, "%s: JSON nested deeper than %zu", what_, kMaxDepth);
    charge(kContainerBytes);
    open_.push_back(add(std::move(value)));
  }

  J& root_;
  const char* what_;
  const bool exactly_;
  const Watch& watch_;
  const std::string_view text_;
  size_t budget_;
  std::vector<J*> open_;  // a parent does not change while a child is open, so the pointers hold
  J* member_ = nullptr;   // of the last key
};

// Events of one document: to its tree, or, inside a container that is handed over, to a tree of one member after the
// other.
class Parts final : public nlohmann::json_sax<Json> {
 public:
  Parts(Json& root, std::string_view text, const char* what, std::span<const std::string> paths, JsonMember member,
        const Watch& watch)
      : text_(text),
        what_(what),
        paths_(paths),
        member_(member),
        watch_(watch),
        tree_(root, text, what, false, watch) {}

  bool null() override {
    return scalar([](auto& b) { b.null(); });
  }
  bool boolean(bool v) override {
    return scalar([&](auto& b) { b.boolean(v); });
  }
  bool number_integer(number_integer_t v) override {
    return scalar([&](auto& b) { b.number_integer(v); });
  }
  bool number_unsigned(number_unsigned_t v) override {
    return scalar([&](auto& b) { b.number_unsigned(v); });
  }
  bool number_float(number_float_t v, const std::string& s) override {
    return scalar([&](auto& b) { b.number_float(v, s); });
  }
  bool string(std::string& s) override {
    return scalar([&](auto& b) { b.string(s); });
  }
  bool binary(binary_t&) override { return false; }  // not in text
  bool start_object(size_t n) override {
    return open(true, [&](auto& b) { b.start_object(n); });
  }
  bool start_array(size_t n) override {
    return open(false, [&](auto& b) { b.start_array(n); });
  }
  bool end_object() override {
    return close([](auto& b) { b.end_object(); });
  }
  bool end_array() override {
    return close([](auto& b) { b.end_array(); });
  }
  bool key(std::string& name) override {
    if (apart_ && depth_ == 0) {
      key_ = std::move(name);
      return true;
    }
    if (apart_) return element_->key(name);
    if (path_.size() < kDeepestPath + 1) path_.back() = name;
    return tree_.key(name);
  }
  bool parse_error(size_t at, const std::string& token, const nlohmann::detail::exception& e) override {
    return tree_.parse_error(at, token, e);
  }

 private:
  static constexpr size_t kDeepestPath = 2;

  template <class Event>
  bool scalar(Event event) {
    if (!apart_) return event(tree_), true;
    begin_member();
    event(*element_);
    end_member();
    return true;
  }
  template <class Event>
  bool open(bool is_object, Event event) {
    if (apart_) {
      begin_member();
      event(*element_);
      ++depth_;
      return true;
    }
    event(tree_);
    std::string path;
    for (const std::string& key : path_) path += (path.empty() ? "" : ".") + key;
    if (path_.size() <= kDeepestPath && std::find(paths_.begin(), paths_.end(), path) != paths_.end()) {
      apart_ = true;
      of_object_ = is_object;
      apart_path_ = std::move(path);
      members_ = 0;
    } else {
      path_.emplace_back();
    }
    return true;
  }
  template <class Event>
  bool close(Event event) {
    if (apart_ && depth_ > 0) {
      event(*element_);
      --depth_;
      end_member();
      return true;
    }
    if (apart_)
      apart_ = false;
    else
      path_.pop_back();
    event(tree_);
    return true;
  }

  void begin_member() {
    if (depth_ > 0) return;
    if (!of_object_) key_ = std::to_string(members_);
    ++members_;
    element_.emplace(value_, text_, what_, false, watch_);
  }
  void end_member() {
    if (depth_ > 0) return;
    member_(apart_path_, of_object_, key_, value_);
    dismantle(value_);
    value_ = nullptr;
  }

  std::string_view text_;
  const char* what_;
  std::span<const std::string> paths_;
  JsonMember member_;
  const Watch& watch_;
  Builder<Json> tree_;
  std::vector<std::string> path_;  // the last key of every open container of the tree, "" of a list
  bool apart_ = false, of_object_ = false;
  std::string apart_path_, key_;
  size_t members_ = 0, depth_ = 0;  // of the container that is handed over: members so far, containers open in this one
  Json value_;
  const JsonGuard<Json> guard_{value_};
  std::optional<Builder<Json>> element_;
};

void refuse_nul(std::string_view text, const char* what) {
  const size_t nul = text.find('\0');  // nlohmann-json would take it for the end
  if (nul == text.npos) return;
  refuse_other_kinds(text, what);
  fail(Status::bad_file, "%s: not valid JSON: a NUL at byte %zu", what, nul);
}

template <class J>
J parse(std::string_view text, const char* what, bool exactly, const Watch& watch) {
  refuse_nul(text, what);
  J root;
  const JsonGuard<J> guard(root);
  Builder<J> builder(root, text, what, exactly, watch);
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
  return new_member(object, key);
}

OrderedJson& new_member(OrderedJson& object, const std::string& key) {
  auto& members = object.get_ref<OrderedJson::object_t&>();
  grow(members);
  return members.emplace_back(key, nullptr).second;
}

void walk_json(std::string_view text, nlohmann::json_sax<Json>& events, const Watch& watch) {
  Json::sax_parse(WatchedText(text.data(), watch), WatchedText(text.data() + text.size(), watch), &events);
}

Json parse_json(std::string_view text, const char* what, const Watch& watch) {
  return parse<Json>(text, what, false, watch);
}
OrderedJson parse_ordered_json(std::string_view text, const char* what, const Watch& watch, bool exactly) {
  return parse<OrderedJson>(text, what, exactly, watch);
}

OrderedJson parse_json_argument(std::string_view text, const char* what, const Watch& watch, bool exactly) {
  try {
    return parse_ordered_json(text, what, watch, exactly);
  } catch (const Error& e) {
    fail(e.status() == Status::bad_file ? Status::invalid_argument : e.status(), "%s", e.what());
  }
}

Json parse_json_parts(std::string_view text, const char* what, std::span<const std::string> paths, JsonMember member,
                      const Watch& watch) {
  refuse_nul(text, what);
  Json root;
  const JsonGuard guard(root);
  Parts parts(root, text, what, paths, member, watch);
  walk_json(text, parts, watch);
  Json result = std::move(root);  // the guard empties root
  return result;
}

std::string_view digits_of(const OrderedJson& value) noexcept {
  if (!value.is_binary()) return {};
  const auto& bytes = value.get_binary();
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

namespace {

void write(const OrderedJson& value, std::string& out) {
  if (value.is_binary()) {
    out += digits_of(value);
    return;
  }
  const auto leaf = [](const OrderedJson& v) { return v.dump(-1, ' ', false, OrderedJson::error_handler_t::replace); };
  if (!value.is_structured()) {
    out += leaf(value);
    return;
  }
  out += value.is_object() ? '{' : '[';
  bool first = true;
  for (auto it = value.begin(); it != value.end(); ++it, first = false) {
    if (!first) out += ',';
    if (value.is_object()) out += leaf(it.key()) + ':';
    write(*it, out);
  }
  out += value.is_object() ? '}' : ']';
}

}  // namespace

std::string json_text(const OrderedJson& value) {
  std::string out;
  write(value, out);
  return out;
}

}  // namespace puna
