// json_out.h -- JSON written as text: chunks of a stream are many and small, and a tree of values needs memory to be
// destroyed, which ends a process that has none left.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace puna::serve {

// In quotes; bytes that are no UTF-8 become U+FFFD.
std::string json_string(std::string_view text);
std::string json_number(double value);  // finite; the shortest that reads back
std::string base64(std::string_view bytes);
// false: it is not base64 (with or without padding).
bool from_base64(std::string_view text, std::string& bytes);

// An object, member by member. json(): the value is JSON already.
class JsonObject {
 public:
  JsonObject& text(std::string_view name, std::string_view value) { return json(name, json_string(value)); }
  JsonObject& json(std::string_view name, std::string_view value);
  std::string str() const { return "{" + members_ + "}"; }

 private:
  std::string members_;
};

class JsonList {
 public:
  JsonList& add(std::string_view json);
  bool empty() const { return elements_.empty(); }
  std::string str() const { return "[" + elements_ + "]"; }

 private:
  std::string elements_;
};

}  // namespace puna::serve
