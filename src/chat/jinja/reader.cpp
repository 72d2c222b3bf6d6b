// reader.cpp -- events of the JSON parser to values. Memory is what counts: a long chat has millions of small
// objects, so no tree of JSON is built first, equal keys (and short texts) are one object, and dicts with the same keys
// share them.
#include "chat/jinja/reader.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <optional>

#include "base/json.h"
#include "base/json_fault.h"
#include "chat/jinja/ops.h"
#include "puna/base/error.h"

namespace puna::jinja {
namespace {

constexpr const char* kWhat = "chat template variables";
constexpr size_t kMaxDepth = 64;       // as base/json.cpp
constexpr size_t kMaxDigits = 4300;    // of an integer: Python's limit
constexpr size_t kMaxNumber = 20'000;  // characters
constexpr size_t kSharedBytes = 32;    // longer texts are not looked for among those seen before
constexpr size_t kSharedTexts = 1000;

bool is_identifier(std::string_view s) {
  return !s.empty() && std::all_of(s.begin(), s.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

bool is_of_number(char c) { return (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.' || c == 'e' || c == 'E'; }

// The numbers of a document that its parser refuses, as no double holds them: Python reads 1e400 as inf, and integers
// of any length.
class LargeNumbers {
 public:
  // The document, with a 0 in their place. `copy` holds it if it had to be changed.
  std::string_view take_out(std::string_view json, std::string& copy, const Watch& watch) {
    size_t copied = 0;
    bool in_string = false;
    for (size_t i = 0, tick = 0; i < json.size(); ++i) {
      if (i >= tick) {
        watch.tick(64);
        tick = i + 4096;
      }
      const char c = json[i];
      if (in_string) {
        if (c == '\\') ++i;
        in_string = c != '"';
      } else if (c == '"') {
        in_string = true;
      } else if (c == '-' || (c >= '0' && c <= '9')) {
        size_t end = i;
        while (end < json.size() && is_of_number(json[end])) {
          if (++end - i > kMaxNumber)
            fail(Status::bad_file, "%s: a number of more than %zu characters", kWhat, kMaxNumber);
        }
        if (is_too_large(json.substr(i, end - i))) {
          large_.emplace_back(count_, json.substr(i, end - i));
          copy += json.substr(copied, i - copied);
          copy += '0';
          copied = end;
        }
        ++count_;
        i = end - 1;
      }
    }
    count_ = 0;
    if (large_.empty()) return json;
    copy += json.substr(copied);
    return copy;
  }

  // The text of the next number of the document, if it was taken out.
  std::optional<std::string> next() {
    const size_t number = count_++;
    if (at_ == large_.size() || large_[at_].first != number) return std::nullopt;
    return std::string(large_[at_++].second);
  }

 private:
  static bool is_too_large(std::string_view number) {
    if (number.size() < 309 && number.find_first_of("eE") == number.npos) return false;
    double d = 0;
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), d);
    if (error != std::errc::result_out_of_range || end != number.data() + number.size()) return false;
    // Out of range on which side? By the place of the first digit that counts.
    const size_t e = std::min(number.find_first_of("eE"), number.size()), first = number.find_first_of("123456789");
    const size_t point = std::min(number.find('.'), e);
    int64_t exponent = 0;
    const size_t digits = e + 1 + (e + 1 < number.size() && number[e + 1] == '+');
    if (e < number.size() && std::from_chars(number.data() + digits, number.data() + number.size(), exponent).ec ==
                                 std::errc::result_out_of_range)
      return number[e + 1] != '-';
    return exponent > (first < point ? -int64_t(point - first) : int64_t(first - point));
  }

  std::vector<std::pair<size_t, std::string_view>> large_;  // the how many-th number of the document, and its text
  size_t count_ = 0, at_ = 0;
};

class Reader final : public nlohmann::json_sax<Json> {
 public:
  Reader(std::string_view json, LargeNumbers& large, const Watch& watch) : json_(json), large_(large), watch_(watch) {}
  Value take() { return std::move(root_); }

  bool null() override { return add(Value::none().from_content(true)); }
  bool boolean(bool value) override { return add(Value::boolean(value).from_content(true)); }
  bool number_integer(number_integer_t value) override { return number(Value::integer(value).from_content(true)); }
  bool number_unsigned(number_unsigned_t value) override {
    return number(value <= uint64_t(INT64_MAX) ? Value::integer(int64_t(value)).from_content(true)
                                               : big_integer(std::to_string(value)));
  }
  bool number_float(number_float_t value, const std::string& text) override {
    return number(is_integer(text) ? whole(text) : Value::real(value).from_content(true));
  }
  bool string(std::string& value) override { return add(text(value, !is_role() || !is_identifier(value))); }
  bool binary(binary_t&) override { return false; }  // not in text
  bool start_object(size_t) override { return open(true); }
  bool start_array(size_t) override { return open(false); }
  bool end_object() override {
    Level level = close();
    return add(dict(level.keys, level.values));
  }
  bool end_array() override {
    Level level = close();
    if (level.values.empty() && !nothing_.is_undefined()) return add(nothing_);
    auto list = make_ref<Sequence>();
    list->depth = deepest(level.values) + 1;
    list->items = std::move(level.values);
    Value made = Value::of(Kind::list, std::move(list));
    if (made.items().empty()) nothing_ = made;
    return add(std::move(made));
  }
  bool key(std::string& name) override {
    levels_.back().keys.push_back(text(name, true));
    return true;
  }
  bool parse_error(size_t position, const std::string&, const nlohmann::detail::exception& e) override {
    const JsonFault f = json_fault(json_, position, e.what());
    fail(Status::bad_file, "%s: not valid JSON in %s: %s", kWhat, f.where().c_str(), f.what.c_str());
  }

 private:
  struct Level {
    bool is_object = false;
    std::vector<Value> keys, values;
  };

  bool open(bool is_object) {
    if (levels_.size() > kMaxDepth) fail(Status::bad_file, "%s: JSON nested deeper than %zu", kWhat, kMaxDepth);
    levels_.push_back({is_object, {}, {}});
    return true;
  }

  Level close() {
    Level level = std::move(levels_.back());
    levels_.pop_back();
    return level;
  }

  bool add(Value v) {
    watch_.tick();
    if (levels_.empty()) {
      root_ = std::move(v);
    } else {
      levels_.back().values.push_back(std::move(v));
    }
    return true;
  }

  // messages[i].role
  bool is_role() const {
    return levels_.size() == 3 && levels_[0].is_object && !levels_[1].is_object && levels_[2].is_object &&
           levels_[0].keys.back().text() == "messages" && levels_[2].keys.back().text() == "role";
  }

  static bool is_integer(std::string_view number) { return number.find_first_of(".eE") == number.npos; }

  static Value whole(const std::string& digits) {
    if (digits.size() - (digits[0] == '-') > kMaxDigits)
      fail(Status::bad_file, "%s: an integer of more than %zu digits", kWhat, kMaxDigits);
    return big_integer(digits);
  }

  bool number(Value v) {
    const std::optional<std::string> large = large_.next();
    if (!large) return add(std::move(v));
    return add(is_integer(*large) ? whole(*large)
                                  : Value::real((*large)[0] == '-' ? -HUGE_VAL : HUGE_VAL).from_content(true));
  }

  Value text(std::string& s, bool content) {
    watch_.tick(s.size() / 256);
    const auto make = [&] { return Value::of(Kind::string, make_ref<Text>(std::string(s), false, content)); };
    if (s.size() > kSharedBytes) return make();
    auto& seen = seen_[content];
    const auto found = seen.find(s);
    if (found != seen.end()) return found->second;
    Value made = make();
    if (seen.size() < kSharedTexts) seen.emplace(s, made);
    return made;
  }

  Value dict(std::vector<Value>& keys, std::vector<Value>& values) {
    return Value::of(Kind::dict, Dict::make(shared(keys), values));
  }

  Ref<const Keys> shared(std::vector<Value>& keys) {
    const auto same = [&](const Ref<const Keys>& other) {
      return std::equal(keys.begin(), keys.end(), other->values.begin(), other->values.end(),
                        [](const Value& a, const Value& b) { return a.object() == b.object(); });
    };
    const auto known = std::find_if(known_.begin(), known_.end(), same);
    if (known != known_.end()) return *known;
    std::vector<uint32_t> order(keys.size());
    for (size_t i = 0; i < order.size(); ++i) order[i] = uint32_t(i);
    std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
      watch_.tick();
      return keys[a].text() < keys[b].text();
    });
    for (size_t i = 1; i < order.size(); ++i)
      if (keys[order[i]].text() == keys[order[i - 1]].text())
        fail(Status::bad_file, "%s: key '%.64s' appears twice", kWhat, keys[order[i]].text().c_str());
    if (keys.size() <= kFewKeys) order.clear();
    const bool keep = keys.size() <= kFewKeys;
    keys.shrink_to_fit();
    auto made = make_ref<const Keys>(std::move(keys), std::vector<std::string>(), std::move(order));
    if (keep) {
      if (known_.size() == 16) known_.erase(known_.begin());
      known_.push_back(made);
    }
    return made;
  }

  const std::string_view json_;
  LargeNumbers& large_;
  const Watch& watch_;
  std::vector<Level> levels_;
  Value root_;
  std::map<std::string, Value, std::less<>> seen_[2];  // not content, content
  std::vector<Ref<const Keys>> known_;
  Value nothing_;  // the empty list, once there was one
};

}  // namespace

Value read_variables(std::string_view json, const Watch& watch) {
  if (const size_t nul = json.find('\0'); nul != json.npos)  // the parser would take it for the end
    fail(Status::bad_file, "%s: not valid JSON: a NUL at byte %zu", kWhat, nul);
  LargeNumbers large;
  std::string copy;
  const std::string_view without = large.take_out(json, copy, watch);
  Reader reader(without, large, watch);
  walk_json(without, reader, watch);
  Value variables = reader.take();
  PUNA_REQUIRE(variables.is(Kind::dict), "%s: expected a JSON object", kWhat);
  return variables;
}

}  // namespace puna::jinja
