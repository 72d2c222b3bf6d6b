#include "arguments.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "base/file_kind.h"
#include "base/nearest.h"
#include "base/os.h"
#include "base/shown.h"
#include "config_file.h"
#include "puna/base/error.h"

namespace puna::cli {
namespace {

bool is_flag(const CLI::Option& o) { return o.get_expected_max() == 0; }
bool takes_list(const CLI::Option& o) { return o.get_items_expected_max() > 1; }

void require_type(const std::string& file, const ConfigEntry& e, const CLI::Option& o) {
  using Kind = ConfigValue::Kind;
  const std::string type = o.get_type_name();
  const auto wrong = [&](const char* expected) {
    fail(Status::bad_file, "%s, line %d: '%s' is %s, expected %s", file.c_str(), e.line, e.key.c_str(),
         e.list                           ? "a list"
         : e.values[0].kind == Kind::text ? "a text"
                                          : e.values[0].text.c_str(),
         expected);
  };
  if (e.list && !takes_list(o)) wrong("one value");
  for (const ConfigValue& v : e.values) {
    if (is_flag(o) && v.kind != Kind::boolean) wrong("true or false");
    if (type.starts_with("INT") && v.kind != Kind::whole) wrong("a whole number");
    if (type.starts_with("UINT") && (v.kind != Kind::whole || v.text.starts_with('-')))
      wrong("a whole number of 0 or more");
    if ((type.starts_with("INT") || type.starts_with("UINT")) && is_out_of_range(v.text, type.starts_with("UINT")))
      wrong("a whole number that 64 bits hold");
    if (type.starts_with("FLOAT") && v.kind != Kind::whole && v.kind != Kind::real) wrong("a number");
    if (type.starts_with("TEXT") && !is_flag(o) && v.kind != Kind::text && v.kind != Kind::boolean)
      wrong("a text in quotes");
    if (takes_list(o) && v.text.starts_with('[') && v.text.ends_with(']'))  // CLI11 would make a list of it
      fail(Status::bad_file, "%s, line %d: '%s' has the value '%.60s', expected none in brackets", file.c_str(), e.line,
           e.key.c_str(), v.text.c_str());
  }
}

}  // namespace

bool is_out_of_range(const std::string& number, bool is_unsigned) {
  errno = 0;
  if (is_unsigned)
    (void)strtoull(number.c_str(), nullptr, 0);
  else
    (void)strtoll(number.c_str(), nullptr, 0);
  return errno == ERANGE;
}

namespace {

// The verb, and how many words name it.
std::pair<CLI::App*, size_t> named_verb(CLI::App& app, const std::vector<std::string>& args) {
  CLI::App* verb = &app;
  size_t words = 0;
  for (const std::string& word : args) {
    const auto all = verb->get_subcommands({});
    const auto found = std::find_if(all.begin(), all.end(), [&](const CLI::App* v) { return v->check_name(word); });
    if (found == all.end()) break;
    verb = *found;
    ++words;
  }
  return {verb, words};
}

}  // namespace

CLI::App* verb_of(CLI::App& app, const std::vector<std::string>& args) { return named_verb(app, args).first; }

std::vector<std::string> long_names(const CLI::App& verb) {
  std::vector<std::string> names;
  for (const CLI::Option* o : verb.get_options())
    for (const std::string& name : o->get_lnames()) names.push_back(name);
  return names;
}

const CLI::Option* option_of(const CLI::App& verb, const std::string& argument) {
  const bool is_long = argument.starts_with("--");
  const std::string name =
      is_long ? argument.substr(2, argument.find('=') == argument.npos ? argument.npos : argument.find('=') - 2)
      : argument.starts_with("-") ? argument.substr(1, 1)
                                  : "";
  for (const CLI::Option* o : verb.get_options())
    if (!name.empty() && (is_long ? o->check_lname(name) : o->check_sname(name))) return o;
  return nullptr;
}

std::vector<std::string> with_config(CLI::App& app, std::vector<std::string> args) {
  constexpr uint64_t kLargestConfig = 1 << 20;
  const CLI::App& verb = *verb_of(app, args);
  if (!verb.get_option_no_throw("--config")) return args;
  std::string file;
  std::vector<const CLI::Option*> given;
  bool words_alone = false;  // those that belong to no option: positional ones
  size_t value_of_option = 0;
  for (size_t i = named_verb(app, args).second; i < args.size() && args[i] != "--"; ++i) {
    const CLI::Option* const o = option_of(verb, args[i]);
    if (!o) {
      words_alone |= i >= value_of_option && !args[i].starts_with("-");
      continue;
    }
    given.push_back(o);
    const bool apart =
        !is_flag(*o) && args[i].find('=') == args[i].npos && (args[i].starts_with("--") || args[i].size() == 2);
    if (apart) value_of_option = takes_list(*o) ? args.size() : i + 2;
    if (!o->check_lname("config")) continue;
    if (!file.empty()) throw CLI::ParseError("--config is given twice", kUsageError);
    file = args[i].starts_with("--config=") ? args[i].substr(9) : i + 1 < args.size() ? args[i + 1] : "";
  }
  for (const CLI::Option* o : verb.get_options())
    if (words_alone && o->get_positional()) given.push_back(o);
  if (file.empty()) {
    file = verb.get_option_no_throw("--config")->get_default_str();
    if (file.empty() || !os::is_file(file)) return args;
    fprintf(stderr, "puna: options from %s\n", file.c_str());
  }
  std::vector<std::string> words;
  const std::string toml = os::read_file(file, kLargestConfig);
  require_text_file(toml, file, "options in TOML");
  for (const ConfigEntry& e : parse_config(toml, file)) {
    // A key is a name and no more: with a '=' in it, it would bring its own value.
    const CLI::Option* const o = e.key.find('=') == e.key.npos ? option_of(verb, "--" + e.key) : nullptr;
    if (!o || o->check_lname("config") || o->check_lname("help"))
      fail(Status::bad_file, "%s, line %d: there is no option '%.60s'%s", file.c_str(), e.line, e.key.c_str(),
           did_you_mean(e.key, long_names(verb)).c_str());
    require_type(file, e, *o);
    if (std::find(given.begin(), given.end(), o) != given.end()) continue;
    for (const ConfigValue& v : e.values) {
      if (is_flag(*o)) {
        if (v.text == "true") words.push_back("--" + e.key);
      } else {  // two words: CLI11 takes what follows "--key=" for the value of an empty text
        words.push_back("--" + e.key);
        words.push_back(v.text);
      }
    }
  }
  args.insert(std::find(args.begin(), args.end(), "--"), words.begin(), words.end());  // behind "--" is no option
  return args;
}

void require_read(const CLI::Option& option, bool is_read, const std::string& where) {
  if (option.count() == 0 || is_read) return;
  throw CLI::ParseError(option.get_name() + " is not read here, only " + where, kUsageError);
}

void require_all_read(const CLI::App& verb, const VerbRules& rules) {
  for (const CLI::Option* o : verb.get_options())
    for (const std::string& value : o->results())
      if (!rules.empty_texts && value.empty() && !is_flag(*o) && o->get_type_name().starts_with("TEXT"))
        throw CLI::ParseError(o->get_name() + " is given, but empty: expected a text, or no such option", kUsageError);
  for (const ReadRule& rule : rules.reads) require_read(*rule.option, rule.is_read(), rule.where);
}

namespace {

// What was given, else what is read where nothing is.
std::vector<std::string> values_of(const CLI::Option& option) {
  if (option.count() == 0 && !option.get_default_str().empty()) return {option.get_default_str()};
  return option.results();
}

// The same file by whatever name, one that SQLite keeps beside it, or the weights in an adapter's or a model's folder.
bool is_of(const std::string& path, const std::string& value) {
  namespace fs = std::filesystem;
  std::error_code e;
  if (fs::equivalent(path, value, e)) return true;
  for (const char* beside : {"-wal", "-shm", "-journal"})
    if (fs::equivalent(path, value + beside, e)) return true;
  return fs::path(path).extension() == ".safetensors" && fs::is_directory(value, e) &&
         fs::equivalent(fs::absolute(path, e).parent_path(), value, e);
}

// A file that will be written, and the option that says so.
struct OutputFile {
  const CLI::Option* option;
  std::string path;
  std::string name() const { return option->get_name(); }
};

std::vector<OutputFile> files_of(const std::vector<Output>& outputs) {
  std::vector<OutputFile> files;
  for (const Output& out : outputs)
    for (const std::string& name : out.option->results())
      for (const std::string& ending : out.endings) {
        const std::string last = name.substr(name.find_last_of("/\\") + 1);
        if (!ending.empty() && (last.empty() || last == "." || last == ".."))
          fail(Status::invalid_argument, "%s is '%s', which ends with a folder: expected a name, of which %s is made",
               out.option->get_name().c_str(), shown(name).c_str(), shown(name + "NAME" + ending).c_str());
        files.push_back({out.option, name + ending});
      }
  return files;
}

void require_place(const OutputFile& file) {
  namespace fs = std::filesystem;
  std::error_code e;
  if (fs::is_directory(file.path, e))
    fail(Status::invalid_argument, "%s: it is a folder, expected the name of a file (%s)", shown(file.path).c_str(),
         file.name().c_str());
  const fs::path folder = fs::path(file.path).parent_path();
  if (!folder.empty() && !fs::exists(folder, e))
    fail(Status::io, "%s: there is no folder %s for it (%s)", shown(file.path).c_str(), shown(folder.string()).c_str(),
         file.name().c_str());
}

bool is_one_file(const std::string& a, const std::string& b) {
  namespace fs = std::filesystem;
  std::error_code e;
  if (a.empty() || b.empty()) return false;
  if (fs::equivalent(a, b, e)) return true;
  std::error_code of_a, of_b;
  const fs::path one = fs::weakly_canonical(fs::absolute(a, of_a), of_a),
                 other = fs::weakly_canonical(fs::absolute(b, of_b), of_b);
  return !of_a && !of_b && one == other;
}

// Two that are one stream (/dev/stdout, a FIFO) are written one behind the other.
bool is_stream(const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code e;
  return fs::exists(path, e) && !fs::is_regular_file(path, e);
}

}  // namespace

void require_outputs(const CLI::App& verb, const std::vector<Output>& outputs) {
  namespace fs = std::filesystem;
  std::error_code no_file;
  const std::vector<OutputFile> files = files_of(outputs);
  for (const OutputFile& file : files) {
    require_place(file);
    for (const OutputFile& other : files)
      if (&other < &file && is_one_file(file.path, other.path) && !is_stream(file.path))
        fail(Status::invalid_argument, "%s and %s would both be written to %s: give another name to one of them",
             other.name().c_str(), file.name().c_str(), shown(file.path).c_str());
    if (!fs::is_regular_file(file.path, no_file)) continue;
    for (const CLI::Option* other : verb.get_options())
      for (const std::string& value : values_of(*other))
        if (other != file.option && is_of(file.path, value))
          fail(Status::invalid_argument, "%s would be replaced, and the command reads it: give another %s",
               shown(file.path).c_str(), file.name().c_str());
  }
}

}  // namespace puna::cli
