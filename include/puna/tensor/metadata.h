// metadata.h -- a checkpoint's key/value pairs, whatever file they came from. GGUF keys keep their names;
// a Hugging Face config.json is flattened with dots: "text_config.rope_scaling.factor".
// The typed getters are where hostile values stop: each names the key and what was expected.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace puna {

using MetadataValue = std::variant<std::monostate,                      // JSON null
                                   bool, int64_t, uint64_t,             // uint64_t only for values above INT64_MAX
                                   double, std::string,
                                   std::vector<int64_t>,                // integer and bool arrays
                                   std::vector<double>,                 // float arrays
                                   std::vector<std::string>>;

class Metadata {
 public:
  void set(std::string key, MetadataValue value);  // Error{bad_file} when the key is there already
  void replace(std::string key, MetadataValue value) { values_[std::move(key)] = std::move(value); }
  const MetadataValue* find(std::string_view key) const noexcept;
  bool has(std::string_view key) const noexcept;   // false for JSON null as well
  const std::map<std::string, MetadataValue, std::less<>>& values() const noexcept { return values_; }

  // Each throws Error{bad_file} naming the key when it is missing (no fallback given), of another type, or out of range.
  int64_t integer(std::string_view key, int64_t low, int64_t high, std::optional<int64_t> fallback = {}) const;
  double number(std::string_view key, double low, double high, std::optional<double> fallback = {}) const;  // finite
  bool boolean(std::string_view key, std::optional<bool> fallback = {}) const;
  std::string string(std::string_view key, std::optional<std::string> fallback = {}) const;
  const std::vector<std::string>* strings(std::string_view key) const;    // NULL when missing
  const std::vector<int64_t>* integers(std::string_view key) const;       // NULL when missing; an empty array matches any getter
  const std::vector<double>* numbers(std::string_view key) const;

 private:
  std::map<std::string, MetadataValue, std::less<>> values_;
};

}  // namespace puna
