// metadata.h -- a checkpoint's key/value pairs, whatever file they came from. GGUF keys keep their names;
// a Hugging Face config.json is flattened with dots: "text_config.rope_scaling.factor".
// The typed getters validate: their errors name the key and what was expected.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "puna/tensor/read_mark.h"

namespace puna {

using MetadataValue = std::variant<std::monostate,           // JSON null
                                   bool, int64_t, uint64_t,  // uint64_t only for values above INT64_MAX
                                   double, std::string,
                                   std::vector<int64_t>,  // integer and bool arrays
                                   std::vector<double>,   // float arrays
                                   std::vector<std::string>>;

class Metadata {
 public:
  void set(std::string key, MetadataValue value);  // Error{bad_file} when the key is there already
  void replace(std::string key, MetadataValue value);
  // The value at `key` is of no type above: an object, or a list of several types. The getters' errors name it.
  enum class Other { object, list };
  void set_other(std::string key, Other kind) { other_.emplace(std::move(key), kind); }
  const MetadataValue* find(std::string_view key) const noexcept;
  bool has(std::string_view key) const noexcept;  // false for JSON null as well
  const std::map<std::string, MetadataValue, std::less<>>& values() const noexcept { return values_; }
  bool has_group(std::string_view key) const noexcept;  // an object is there: keys that start with "key." may follow
  // Keys that were not read (by find, has or a getter), and lists of no type above.
  std::vector<std::string> unread() const;

  // Each throws Error{bad_file} naming the key when it is missing (no fallback given), of another type, or out of
  // range.
  int64_t integer(std::string_view key, int64_t low, int64_t high, std::optional<int64_t> fallback = {}) const;
  double number(std::string_view key, double low, double high, std::optional<double> fallback = {}) const;  // finite
  bool boolean(std::string_view key, std::optional<bool> fallback = {}) const;
  std::string string(std::string_view key, std::optional<std::string> fallback = {}) const;
  const std::vector<std::string>* strings(std::string_view key) const;  // NULL when missing
  // NULL when missing. An empty array matches any getter.
  const std::vector<int64_t>* integers(std::string_view key) const;
  const std::vector<double>* numbers(std::string_view key) const;

 private:
  const MetadataValue& required(std::string_view key, const char* expected) const;
  [[noreturn]] void fail_type(std::string_view key, const char* expected) const;
  template <class T>
  const std::vector<T>* array_of(std::string_view key, const char* expected) const;

  std::map<std::string, MetadataValue, std::less<>> values_;
  std::map<std::string, ReadMark, std::less<>> marks_;  // of the same keys
  std::map<std::string, Other, std::less<>> other_;
};

// null, true, 3, 'text', a list of 4 integers: for messages.
std::string describe(const MetadataValue& value);

}  // namespace puna
