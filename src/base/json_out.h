// json_out.h -- JSON written as text: chunks of a stream are many and small, and a tree of values needs memory to be
// destroyed, which ends a process that has none left.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace puna {

// In quotes; bytes that are no UTF-8 become U+FFFD.
std::string json_string(std::string_view text);
// As nlohmann-json writes it, 1.0; what is not finite is null.
std::string json_real(double value);
// A list of strings.
std::string json_strings(std::span<const std::string> texts);

// An object, member by member. json(): the value is JSON already.
class JsonObject {
 public:
  JsonObject& text(std::string_view name, std::string_view value) { return json(name, json_string(value)); }
  JsonObject& integer(std::string_view name, int64_t value) { return json(name, std::to_string(value)); }
  JsonObject& real(std::string_view name, double value) { return json(name, json_real(value)); }
  JsonObject& flag(std::string_view name, bool value) { return json(name, value ? "true" : "false"); }
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

}  // namespace puna
