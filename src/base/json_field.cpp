#include "base/json_field.h"

#include <algorithm>

#include "base/nearest.h"
#include "puna/base/error.h"

namespace puna::text {

JsonField JsonField::operator[](const char* key) const {
  static const Json kNull;
  if (!value_->is_object() && !value_->is_null()) expected("an object");
  const bool there = value_->is_object() && value_->contains(key);
  const char* const joint = path_.ends_with(": ") ? "" : ".";  // the root's path is the file's name
  return {there ? (*value_)[key] : kNull, path_ + joint + key};
}

JsonField JsonField::operator[](size_t i) const {
  PUNA_INVARIANT(i < size());
  return {(*value_)[i], path_ + "[" + std::to_string(i) + "]"};
}

size_t JsonField::size() const {
  if (value_->is_null()) return 0;
  if (!value_->is_array()) expected("a list");
  return value_->size();
}

const std::string& JsonField::string() const {
  if (!value_->is_string()) expected("a string");
  return value_->get_ref<const std::string&>();
}

bool JsonField::boolean(bool fallback) const {
  if (value_->is_null()) return fallback;
  if (!value_->is_boolean()) expected("true or false");
  return value_->get<bool>();
}

int64_t JsonField::integer(int64_t low, int64_t high) const {
  const std::optional<int64_t> n = whole_number(*value_);
  if (!n || *n < low || *n > high)
    fail(Status::bad_file, "%s: expected a whole number from %jd to %jd", path_.c_str(), low, high);
  return *n;
}

void JsonField::only(std::initializer_list<const char*> fields) const {
  if (!value_->is_object()) expected("an object");
  for (const auto& member : value_->items()) {
    const std::string& key = member.key();
    if (std::any_of(fields.begin(), fields.end(), [&](const char* f) { return key == f; })) continue;
    fail(Status::bad_file, "%s%s%.60s: there is no such field%s", path_.c_str(), path_.ends_with(": ") ? "" : ".",
         key.c_str(), did_you_mean(key, fields).c_str());
  }
}

void JsonField::expected(const char* what) const { fail(Status::bad_file, "%s: expected %s", path_.c_str(), what); }

void JsonField::unsupported(const char* what, const std::string& value) const {
  fail(Status::unsupported, "%s: %s%s%.300s", path_.c_str(), what, value.empty() ? "" : ": ", value.c_str());
}

}  // namespace puna::text
