// json_field.h -- a value inside tokenizer.json (or another document) together with its path, so that every error says
// where: "tokenizer.json: pre_tokenizer.pretokenizers[1].behavior: expected a string".
#pragma once
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>

#include "base/json.h"

namespace puna::text {

class JsonField {
 public:
  JsonField(const Json& value, std::string path) : value_(&value), path_(std::move(path)) {}

  bool is_null() const noexcept { return value_->is_null(); }  // missing counts as null
  bool is_string() const noexcept { return value_->is_string(); }
  bool is_object() const noexcept { return value_->is_object(); }
  bool is_array() const noexcept { return value_->is_array(); }
  bool is_whole_above_64_bits() const noexcept { return value_->is_number_unsigned() && !whole_number(*value_); }
  const Json& json() const noexcept { return *value_; }
  const std::string& path() const noexcept { return path_; }

  JsonField operator[](const char* key) const;  // of an object, or of null: then null
  JsonField operator[](size_t i) const;         // of an array
  size_t size() const;                          // of an array; null is empty

  // Each is Error{bad_file} when the value is of another type; a fallback stands in for null.
  const std::string& string() const;
  std::string string(const char* fallback) const { return is_null() ? fallback : string(); }
  bool boolean(bool fallback) const;
  int64_t integer(int64_t low, int64_t high) const;

  // Misspelt fields would silently be defaults: Error{bad_file} unless this is an object of these fields and no others.
  void only(std::initializer_list<const char*> fields) const;

  [[noreturn]] void expected(const char* what) const;                                    // Error{bad_file}
  [[noreturn]] void unsupported(const char* what, const std::string& value = "") const;  // Error{unsupported}

 private:
  const Json* value_;
  std::string path_;
};

}  // namespace puna::text
