#include "puna/tensor/metadata.h"

#include "puna/base/error.h"

namespace puna {
namespace {

int width(std::string_view key) { return int(key.size() < 200 ? key.size() : 200); }

[[noreturn]] void fail_type(std::string_view key, const char* expected) {
  fail(Status::bad_file, "metadata '%.*s': expected %s", width(key), key.data(), expected);
}
[[noreturn]] void fail_missing(std::string_view key) {
  fail(Status::bad_file, "metadata '%.*s' is missing", width(key), key.data());
}

template <class T>
const std::vector<T>* array_of(const Metadata& m, std::string_view key, const char* expected) {
  if (!m.has(key)) return nullptr;
  const auto* array = std::get_if<std::vector<T>>(m.find(key));
  if (array) return array;
  static const std::vector<T> kEmpty;
  const auto* none = std::get_if<std::vector<int64_t>>(m.find(key));  // an empty array has no element type in JSON
  if (none && none->empty()) return &kEmpty;
  fail_type(key, expected);
}

}  // namespace

void Metadata::set(std::string key, MetadataValue value) {
  if (!values_.emplace(key, std::move(value)).second)
    fail(Status::bad_file, "metadata '%.200s' appears twice", key.c_str());
}

const MetadataValue* Metadata::find(std::string_view key) const noexcept {
  const auto it = values_.find(key);
  return it == values_.end() ? nullptr : &it->second;
}

bool Metadata::has(std::string_view key) const noexcept {
  const MetadataValue* v = find(key);
  return v && !std::holds_alternative<std::monostate>(*v);
}

int64_t Metadata::integer(std::string_view key, int64_t low, int64_t high, std::optional<int64_t> fallback) const {
  if (!has(key)) {
    if (fallback) return *fallback;
    fail_missing(key);
  }
  const auto* v = std::get_if<int64_t>(find(key));
  if (!v && !std::holds_alternative<uint64_t>(*find(key))) fail_type(key, "an integer");
  if (!v || *v < low || *v > high)
    fail(Status::bad_file, "metadata '%.*s' is %s%lld, expected %lld to %lld", width(key), key.data(), v ? "" : "above ",
         static_cast<long long>(v ? *v : INT64_MAX), static_cast<long long>(low), static_cast<long long>(high));
  return *v;
}

double Metadata::number(std::string_view key, double low, double high, std::optional<double> fallback) const {
  if (!has(key)) {
    if (fallback) return *fallback;
    fail_missing(key);
  }
  const MetadataValue& value = *find(key);
  double x = 0;
  if (const auto* d = std::get_if<double>(&value)) x = *d;
  else if (const auto* i = std::get_if<int64_t>(&value)) x = double(*i);
  else fail_type(key, "a number");
  if (!(x >= low && x <= high))  // NaN fails too
    fail(Status::bad_file, "metadata '%.*s' is %g, expected %g to %g", width(key), key.data(), x, low, high);
  return x;
}

bool Metadata::boolean(std::string_view key, std::optional<bool> fallback) const {
  if (!has(key)) {
    if (fallback) return *fallback;
    fail_missing(key);
  }
  const auto* b = std::get_if<bool>(find(key));
  if (!b) fail_type(key, "true or false");
  return *b;
}

std::string Metadata::string(std::string_view key, std::optional<std::string> fallback) const {
  if (!has(key)) {
    if (fallback) return *fallback;
    fail_missing(key);
  }
  const auto* s = std::get_if<std::string>(find(key));
  if (!s) fail_type(key, "a string");
  return *s;
}

const std::vector<std::string>* Metadata::strings(std::string_view key) const {
  return array_of<std::string>(*this, key, "an array of strings");
}
const std::vector<int64_t>* Metadata::integers(std::string_view key) const {
  return array_of<int64_t>(*this, key, "an array of integers");
}
const std::vector<double>* Metadata::numbers(std::string_view key) const {
  return array_of<double>(*this, key, "an array of numbers");
}

}  // namespace puna
