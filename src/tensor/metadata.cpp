#include "puna/tensor/metadata.h"

#include <cstdio>

#include "puna/base/error.h"

namespace puna {
namespace {

int width(std::string_view key) { return int(key.size() < 200 ? key.size() : 200); }

[[noreturn]] void fail_missing(std::string_view key) {
  fail(Status::bad_file, "metadata '%.*s' is missing", width(key), key.data());
}

struct TextOf {
  std::string operator()(std::monostate) const { return "null"; }
  std::string operator()(bool b) const { return b ? "true" : "false"; }
  std::string operator()(int64_t i) const { return std::to_string(i); }
  std::string operator()(uint64_t i) const { return std::to_string(i); }
  std::string operator()(double d) const {
    char text[32];
    snprintf(text, sizeof text, "%.9g", d);
    return text;
  }
  std::string operator()(const std::string& s) const {
    constexpr size_t kShown = 40;
    std::string shown = "'" + s.substr(0, kShown);
    for (char& c : shown)
      if (static_cast<unsigned char>(c) < 0x20) c = ' ';
    return shown + (s.size() > kShown ? "...'" : "'");
  }
  std::string operator()(const std::vector<int64_t>& v) const { return list(v.size(), "integers"); }
  std::string operator()(const std::vector<double>& v) const { return list(v.size(), "numbers"); }
  std::string operator()(const std::vector<std::string>& v) const { return list(v.size(), "texts"); }
  static std::string list(size_t n, const char* what) {
    return n ? "a list of " + std::to_string(n) + " " + what : "an empty list";
  }
};

}  // namespace

std::string describe(const MetadataValue& value) { return std::visit(TextOf(), value); }

void Metadata::fail_type(std::string_view key, const char* expected) const {
  const auto it = values_.find(key);
  const auto other = other_.find(key);
  const std::string is = it != values_.end()              ? describe(it->second)
                         : other == other_.end()          ? "missing"
                         : other->second == Other::object ? "an object"
                                                          : "a list of several kinds";
  fail(Status::bad_file, "metadata '%.*s' is %s, expected %s", width(key), key.data(), is.c_str(), expected);
}

const MetadataValue& Metadata::required(std::string_view key, const char* expected) const {
  const MetadataValue* v = find(key);
  if (!v) fail_type(key, expected);
  return *v;
}

void Metadata::set(std::string key, MetadataValue value) {
  marks_.emplace(key, ReadMark());
  if (!values_.emplace(key, std::move(value)).second)
    fail(Status::bad_file, "metadata '%.200s' appears twice", key.c_str());
}

void Metadata::replace(std::string key, MetadataValue value) {
  marks_[key] = ReadMark();
  other_.erase(key);
  values_[std::move(key)] = std::move(value);
}

const MetadataValue* Metadata::find(std::string_view key) const noexcept {
  const auto it = values_.find(key);
  if (it == values_.end()) return nullptr;
  marks_.find(key)->second.set();
  return &it->second;
}

bool Metadata::has(std::string_view key) const noexcept {
  const MetadataValue* v = find(key);
  return v ? !std::holds_alternative<std::monostate>(*v) : other_.find(key) != other_.end();
}

bool Metadata::has_group(std::string_view key) const noexcept {
  const auto it = other_.find(key);
  return it != other_.end() && it->second == Other::object;
}

std::vector<std::string> Metadata::unread() const {
  std::vector<std::string> keys;
  for (const auto& [key, mark] : marks_)
    if (!mark.is_set()) keys.push_back(key);
  for (const auto& [key, kind] : other_)
    if (kind != Other::object) keys.push_back(key);
  return keys;
}

int64_t Metadata::integer(std::string_view key, int64_t low, int64_t high, std::optional<int64_t> fallback) const {
  if (!has(key)) {
    if (fallback) return *fallback;
    fail_missing(key);
  }
  const MetadataValue& value = required(key, "an integer");
  const auto* v = std::get_if<int64_t>(&value);
  if (!v && !std::holds_alternative<uint64_t>(value)) fail_type(key, "an integer");
  if (!v || *v < low || *v > high)
    fail(Status::bad_file, "metadata '%.*s' is %s%jd, expected %jd to %jd", width(key), key.data(), v ? "" : "above ",
         v ? *v : INT64_MAX, low, high);
  return *v;
}

double Metadata::number(std::string_view key, double low, double high, std::optional<double> fallback) const {
  if (!has(key)) {
    if (fallback) return *fallback;
    fail_missing(key);
  }
  const MetadataValue& value = required(key, "a number");
  double x = 0;
  if (const auto* d = std::get_if<double>(&value))
    x = *d;
  else if (const auto* i = std::get_if<int64_t>(&value))
    x = double(*i);
  else
    fail_type(key, "a number");
  if (!(x >= low && x <= high))  // NaN fails too
    fail(Status::bad_file, "metadata '%.*s' is %g, expected %g to %g", width(key), key.data(), x, low, high);
  return x;
}

bool Metadata::boolean(std::string_view key, std::optional<bool> fallback) const {
  if (!has(key)) {
    if (fallback) return *fallback;
    fail_missing(key);
  }
  const auto* b = std::get_if<bool>(&required(key, "true or false"));
  if (!b) fail_type(key, "true or false");
  return *b;
}

std::string Metadata::string(std::string_view key, std::optional<std::string> fallback) const {
  if (!has(key)) {
    if (fallback) return *fallback;
    fail_missing(key);
  }
  const auto* s = std::get_if<std::string>(&required(key, "a string"));
  if (!s) fail_type(key, "a string");
  return *s;
}

template <class T>
const std::vector<T>* Metadata::array_of(std::string_view key, const char* expected) const {
  if (!has(key)) return nullptr;
  const MetadataValue& value = required(key, expected);
  const auto* array = std::get_if<std::vector<T>>(&value);
  if (array) return array;
  static const std::vector<T> kEmpty;
  const auto* none = std::get_if<std::vector<int64_t>>(&value);  // an empty array has no element type in JSON
  if (none && none->empty()) return &kEmpty;
  fail_type(key, expected);
}

const std::vector<std::string>* Metadata::strings(std::string_view key) const {
  return array_of<std::string>(key, "an array of strings");
}
const std::vector<int64_t>* Metadata::integers(std::string_view key) const {
  return array_of<int64_t>(key, "an array of integers");
}
const std::vector<double>* Metadata::numbers(std::string_view key) const {
  return array_of<double>(key, "an array of numbers");
}

}  // namespace puna
