// fuzz_settings.cpp -- any bytes as a --config file of the command (TOML): an Error with its line, or settings that,
// written as plain TOML, are read as the same settings; and, as options of a verb, an Error or those values.
#include <CLI/CLI.hpp>
#include <algorithm>

#include "arguments.h"
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

// A verb with an option of each type.
struct Options {
  CLI::App app;
  std::string config, out;
  std::vector<std::string> data;
  int64_t steps = -7;
  uint64_t seed = 7;
  float lr = 0.125f;
  bool resume = false;

  Options() {
    CLI::App* const verb = app.add_subcommand("train", "");
    verb->add_option("--config", config);
    verb->add_option("--out", out);
    verb->add_option("--data", data);
    verb->add_option("--steps", steps);
    verb->add_option("--seed", seed);
    verb->add_option("--lr", lr);
    verb->add_flag("--resume", resume);
  }
};

void parse_as_options(const std::string& path, const std::vector<ConfigEntry>& entries) {
  using puna::test::require;
  Options o;
  std::vector<std::string> args = with_config(o.app, {"train", "--config", path});
  std::reverse(args.begin(), args.end());
  try {
    o.app.parse(args);
  } catch (const CLI::ParseError&) {
    return;  // a number that its type does not hold
  }
  require(o.config == path);
  for (const ConfigEntry& e : entries) {
    std::vector<std::string> texts;
    for (const ConfigValue& v : e.values) texts.push_back(v.text);
    if (e.key == "out") require(texts.size() == 1 && o.out == texts[0]);
    if (e.key == "data") require(o.data == texts);
    if (e.key == "steps") require(std::to_string(o.steps) == texts.at(0) || texts[0] == "-0");
    if (e.key == "resume") require(o.resume == (texts.at(0) == "true"));
  }
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
  static const puna::test::ScratchFolder folder;
  puna::test::expect_error_only(
      [&] { parse_as_options(folder.write("settings.toml", puna::test::text_of(data, size)), entries); });
  return 0;
}
