// fuzz_settings.cpp -- any bytes as a --config file of the command (TOML): an Error with its line, or settings that,
// written as plain TOML, are read as the same settings.
#include "config_file.h"
#include "expect_error.h"
#include "scratch_folder.h"
#include "target.h"

namespace {

using namespace puna::cli;

// A basic string with every byte that is not plain ASCII left as it is and every control character escaped.
std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    char escape[16];
    std::snprintf(escape, sizeof escape, "\\u%04X", unsigned(static_cast<unsigned char>(c)));
    if (c == '"' || c == '\\')
      out.append({'\\', c});
    else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F)
      out += escape;
    else
      out += c;
  }
  return out + "\"";
}

std::string toml_of(const std::vector<ConfigEntry>& entries) {
  std::string out;
  for (const ConfigEntry& e : entries) {
    std::string values;
    for (const ConfigValue& v : e.values)
      values += (values.empty() ? "" : ", ") + (v.kind == ConfigValue::Kind::text ? quoted(v.text) : v.text);
    out += quoted(e.key) + " = " + (e.list ? "[" + values + "]" : values) + "\n";
  }
  return out;
}

}  // namespace

FUZZ_TARGET(settings) {
  using puna::test::require;
  std::vector<ConfigEntry> entries;
  if (!puna::test::expect_error_only([&] { entries = parse_config(puna::test::text_of(data, size), "settings.toml"); }))
    return 0;
  const std::vector<ConfigEntry> again = parse_config(toml_of(entries), "again.toml");
  require(again.size() == entries.size());
  for (size_t i = 0; i < again.size(); ++i) {
    require(entries[i].list || entries[i].values.size() == 1);
    require(again[i].key == entries[i].key && again[i].list == entries[i].list &&
            again[i].values.size() == entries[i].values.size());
    for (size_t v = 0; v < again[i].values.size(); ++v)
      require(again[i].values[v].kind == entries[i].values[v].kind &&
              again[i].values[v].text == entries[i].values[v].text);
  }
  return 0;
}
