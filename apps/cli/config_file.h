// config_file.h -- a --config file: the part of TOML 1.0 (toml.io) that options need, which is keys with texts,
// numbers, true and false, and lists of them. Tables, dotted keys and dates have no meaning for options. Anything else
// is an error with its line.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace puna::cli {

struct ConfigValue {
  enum class Kind { text, whole, real, boolean } kind;
  std::string text;  // numbers without underscores and in decimal; true or false
};

struct ConfigEntry {
  std::string key;
  int line;
  bool list;
  std::vector<ConfigValue> values;  // one, unless it is a list
};

// Error{bad_file} naming file and line. A key appears once.
std::vector<ConfigEntry> parse_config(std::string_view text, const std::string& file);

}  // namespace puna::cli
