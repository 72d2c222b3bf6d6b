#include "fields.h"

#include <algorithm>
#include <cmath>

#include "base/nearest.h"
#include "json_out.h"

namespace puna::serve {
namespace {

std::string range(double low, double high) { return json_number(low) + " to " + json_number(high); }

}  // namespace

std::string at(const std::string& path, size_t index) { return path + "[" + std::to_string(index) + "]"; }

void require_name(const std::string& name, const std::string& path) {
  const auto ok = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  };
  if (name.empty() || name.size() > 64 || !std::all_of(name.begin(), name.end(), ok))
    refuse(path, path + " is " + json_string(name.substr(0, 80)) + ", expected 1 to 64 letters, digits, _ and -");
}

Fields::Fields(const OrderedJson& object, std::string path) : object_(object), path_(std::move(path)) {
  if (!object.is_object()) refuse(path_, (path_.empty() ? "the body" : path_) + " is no JSON object");
}

const OrderedJson* Fields::get(const char* name) {
  known_.insert(name);
  const auto found = object_.find(name);
  return found == object_.end() || found->is_null() ? nullptr : &*found;
}

const OrderedJson& Fields::require(const char* name) {
  const OrderedJson* value = get(name);
  if (!value) refuse(path(name), "'" + path(name) + "' is missing");
  return *value;
}

std::string Fields::text(const char* name, std::string otherwise) {
  const OrderedJson* value = get(name);
  if (!value) return otherwise;
  if (!value->is_string()) refuse(path(name), "'" + path(name) + "' is no text");
  return value->get<std::string>();
}

std::string Fields::require_text(const char* name) {
  require(name);
  return text(name);
}

bool Fields::flag(const char* name, bool otherwise) {
  const OrderedJson* value = get(name);
  if (!value) return otherwise;
  if (!value->is_boolean()) refuse(path(name), "'" + path(name) + "' is neither true nor false");
  return value->get<bool>();
}

double Fields::number(const char* name, double otherwise, double low, double high) {
  const OrderedJson* value = get(name);
  if (!value) return otherwise;
  if (!value->is_number()) refuse(path(name), "'" + path(name) + "' is no number");
  const double n = value->get<double>();
  if (!(n >= low && n <= high))
    refuse(path(name), "'" + path(name) + "' is " + json_number(n) + ", expected " + range(low, high));
  return n;
}

int64_t Fields::integer(const char* name, int64_t otherwise, int64_t low, int64_t high) {
  const OrderedJson* value = get(name);
  if (!value) return otherwise;
  const auto n = whole_number(*value);
  if (!n) refuse(path(name), "'" + path(name) + "' is no integer of 64 bits");
  if (*n < low || *n > high)
    refuse(path(name), "'" + path(name) + "' is " + std::to_string(*n) + ", expected " + std::to_string(low) + " to " +
                           std::to_string(high));
  return *n;
}

std::string Fields::choice(const char* name, std::initializer_list<std::string_view> words) {
  const std::string word = text(name);
  if (!has(name) || std::find(words.begin(), words.end(), word) != words.end()) return word;
  std::string list;
  for (const std::string_view w : words) list += (list.empty() ? "'" : ", '") + std::string(w) + "'";
  refuse(path(name), "'" + path(name) + "' is " + json_string(word.substr(0, 80)) + ", expected one of " + list +
                         did_you_mean(word.substr(0, 80), words));
}

const OrderedJson* Fields::list(const char* name, size_t most) {
  const OrderedJson* value = get(name);
  if (!value) return nullptr;
  if (!value->is_array()) refuse(path(name), "'" + path(name) + "' is no list");
  if (value->size() > most)
    refuse(path(name), "'" + path(name) + "' has " + std::to_string(value->size()) + " items, expected at most " +
                           std::to_string(most));
  return value;
}

const OrderedJson* Fields::object(const char* name) {
  const OrderedJson* value = get(name);
  if (value && !value->is_object()) refuse(path(name), "'" + path(name) + "' is no JSON object");
  return value;
}

void Fields::ignore(std::initializer_list<const char*> names) {
  for (const char* name : names) known_.insert(name);
}

void Fields::refuse_unless(const char* name, std::initializer_list<std::string_view> values, const std::string& why) {
  const OrderedJson* value = get(name);
  if (!value || std::find(values.begin(), values.end(), value->dump()) != values.end()) return;
  refuse(path(name), "'" + path(name) + "' is not supported: " + why);
}

void Fields::done() const {
  for (const auto& [key, value] : object_.items())
    if (!known_.contains(key)) {
      const std::string shown = key.substr(0, 80), name = path(shown);
      refuse(name, "'" + name + "' is no field of this request" + did_you_mean(shown, known_), "unknown_parameter");
    }
}

}  // namespace puna::serve
