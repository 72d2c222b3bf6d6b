// The `puna` command: one file a verb. It stands on the C++ API: the verbs want what C callers seldom do (bare
// tokenizers, golden logits, perplexity windows), and the C ABI has programs of its own in tests/capi and in the
// numbered examples.
#include "command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <sstream>

#include "base/nearest.h"
#include "base/os.h"
#include "config_file.h"
#include "interrupt.h"
#include "output.h"
#include "puna/base/error.h"
#include "verbs.h"

namespace puna::cli {

const Option& Option::required() const {
  option_->required();
  return *this;
}
const Option& Option::at_least(int64_t low) const {
  const auto check = [low](const std::string& text) {
    return strtod(text.c_str(), nullptr) >= double(low)
               ? std::string()
               : "expected a number of at least " + std::to_string(low) + ", not '" + text + "'";
  };
  option_->check(check);
  return *this;
}
const Option& Option::within(double low, double high) const {
  const auto check = [low, high](const std::string& text) {
    const double value = strtod(text.c_str(), nullptr);
    char range[80];
    snprintf(range, sizeof range, "expected a number from %.10g to %.10g, not '", low, high);
    return value >= low && value <= high ? std::string() : range + text + "'";
  };
  option_->check(check);
  return *this;
}
const Option& Option::excludes(const Option& other) const {
  option_->excludes(other.option_);
  return *this;
}
bool Option::given() const { return option_->count() != 0; }

Verb::Verb(CLI::App& app, const char* name, const char* help) : app_(app.add_subcommand(name, help)) {}
Verb::Verb(const Verb& group, const char* name, const char* help) : app_(group.app_->add_subcommand(name, help)) {}
void Verb::require_verb() const { app_->require_subcommand(1); }
Option Verb::option(const char* name, std::string& value, const char* help) const {
  return Option(app_->add_option(name, value, help));
}
Option Verb::option(const char* name, std::vector<std::string>& values, const char* help) const {
  return Option(app_->add_option(name, values, help));
}
Option Verb::option(const char* name, int& value, const char* help) const {
  return Option(app_->add_option(name, value, help));
}
Option Verb::option(const char* name, int64_t& value, const char* help) const {
  return Option(app_->add_option(name, value, help));
}
Option Verb::option(const char* name, uint64_t& value, const char* help) const {
  return Option(app_->add_option(name, value, help));
}
Option Verb::option(const char* name, float& value, const char* help) const {
  return Option(app_->add_option(name, value, help));
}
Option Verb::flag(const char* name, bool& value, const char* help) const {
  return Option(app_->add_flag(name, value, help));
}
void Verb::config(const char* help) const {
  const auto unused = std::make_shared<std::string>();  // its options stand in the command line when it is parsed
  app_->add_option_function<std::string>(
      "--config", [unused](const std::string& file) { *unused = file; }, help);
}
void Verb::run(std::function<void()> action) const { app_->callback(std::move(action)); }

void usage_error_missing(const char* what) { throw CLI::RequiredError(what); }

namespace {

constexpr int kUsageError = 2;

// ---- what is behind a word of the command line ----

// The verb that these arguments begin with (puna rec train ...); the program itself when there is none.
CLI::App* verb_of(CLI::App& app, const std::vector<std::string>& args) {
  CLI::App* verb = &app;
  for (const std::string& word : args) {
    const auto all = verb->get_subcommands({});
    const auto found = std::find_if(all.begin(), all.end(), [&](const CLI::App* v) { return v->check_name(word); });
    if (found == all.end()) break;
    verb = *found;
  }
  return verb;
}

std::vector<std::string> long_names(const CLI::App& verb) {
  std::vector<std::string> names;
  for (const CLI::Option* o : verb.get_options())
    for (const std::string& name : o->get_lnames()) names.push_back(name);
  return names;
}

// The option that an argument names: --steps, --steps=5, -t, -t4.
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

// CLI11 says of a verb or an option that it does not know only that it was not expected.
void require_known_words(CLI::App& app, const std::vector<std::string>& args) {
  CLI::App* const verb = verb_of(app, args);
  if (const auto verbs = verb->get_subcommands({}); !verbs.empty()) {
    size_t at = 0;
    for (const CLI::App* v = verb; v != &app; v = v->get_parent()) ++at;
    if (at == args.size() || args[at].starts_with("-")) return;
    std::vector<std::string> names;
    for (const CLI::App* v : verbs) names.push_back(v->get_name());
    throw CLI::ParseError("there is no verb '" + args[at] + "'" + did_you_mean(args[at], names), kUsageError);
  }
  for (const std::string& a : args) {
    if (a == "--") return;
    if (!a.starts_with("--") || option_of(*verb, a)) continue;
    const std::string name = a.substr(2, a.find('=') == a.npos ? a.npos : a.find('=') - 2),
                      meant = did_you_mean(name, long_names(*verb));
    if (!meant.empty()) throw CLI::ParseError("there is no option '--" + name + "'" + meant, kUsageError);
  }
}

// ---- --config FILE ----

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
    if (type.starts_with("FLOAT") && v.kind != Kind::whole && v.kind != Kind::real) wrong("a number");
    if (type.starts_with("TEXT") && !is_flag(o) && v.kind != Kind::text && v.kind != Kind::boolean)
      wrong("a text in quotes");
  }
}

// The arguments with those of a --config FILE behind them, but for options that are given anyway.
std::vector<std::string> with_config(CLI::App& app, std::vector<std::string> args) {
  constexpr uint64_t kLargestConfig = 1 << 20;
  const CLI::App& verb = *verb_of(app, args);
  if (!verb.get_option_no_throw("--config")) return args;
  std::string file;
  std::vector<const CLI::Option*> given;
  for (size_t i = 0; i < args.size() && args[i] != "--"; ++i) {
    const CLI::Option* const o = option_of(verb, args[i]);
    if (!o) continue;
    given.push_back(o);
    if (!o->check_lname("config")) continue;
    if (!file.empty()) throw CLI::ParseError("--config is given twice", kUsageError);
    file = args[i].starts_with("--config=") ? args[i].substr(9) : i + 1 < args.size() ? args[i + 1] : "";
  }
  if (file.empty()) return args;
  for (const ConfigEntry& e : parse_config(os::read_file(file, kLargestConfig), file)) {
    const CLI::Option* const o = option_of(verb, "--" + e.key);
    if (!o || o->check_lname("config") || o->check_lname("help"))
      fail(Status::bad_file, "%s, line %d: there is no option '%.60s'%s", file.c_str(), e.line, e.key.c_str(),
           did_you_mean(e.key, long_names(verb)).c_str());
    require_type(file, e, *o);
    if (std::find(given.begin(), given.end(), o) != given.end()) continue;
    for (const ConfigValue& v : e.values) {
      if (!is_flag(*o))
        args.push_back("--" + e.key + "=" + v.text);
      else if (v.text == "true")
        args.push_back("--" + e.key);
    }
  }
  return args;
}

int run(int argc, char** argv) {
  CLI::App app{"Runs Llama models on this computer's CPU. MODEL is a GGUF file or a Hugging Face folder.", "puna"};
  app.require_subcommand(1);
  app.set_version_flag("--version", PUNA_VERSION_TEXT);
  for (const auto add : {
         add_chat, add_generate, add_grammar, add_info, add_tokenize, add_detokenize, add_render, add_logits,
             add_perplexity, add_encode_image, add_verify, add_bench, add_quantize, add_merge,
#if PUNA_TRAIN
             add_train, add_finetune, add_dpo,
#endif
#if PUNA_RECSYS
             add_rec,
#endif
       })
    add(app);
  try {
    const std::vector<std::string> given(argv + 1, argv + argc);
    require_known_words(app, given);
    std::vector<std::string> args = with_config(app, given);
    std::reverse(args.begin(), args.end());  // CLI11 takes them from the end
    app.parse(args);
    return 0;
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == 0) {  // --help, --version
      std::ostringstream text;
      const int code = app.exit(e, text, text);
      print(text.str());
      return code;
    }
    const auto verbs = app.get_subcommands();  // those that were given
    fprintf(stderr, "puna: %s (try: puna %s%s--help)\n", e.what(), verbs.empty() ? "" : verbs[0]->get_name().c_str(),
            verbs.empty() ? "" : " ");
    return kUsageError;
  }
}

}  // namespace
}  // namespace puna::cli

namespace {

int run_to_the_end(int argc, char** argv) {
  try {
    return puna::cli::run(argc, argv);
  } catch (const puna::Error& e) {
    fprintf(stderr, "puna: %s\n", e.what());
    const int signal = puna::cli::last_signal();
    return e.status() != puna::Status::cancelled
               ? 1
               : 128 + (signal != 0 ? signal : SIGINT);  // what shells report for Ctrl-C and kill
  } catch (const puna::cli::ReaderGone&) {
    return puna::cli::end_by_broken_pipe();
  } catch (const std::exception& e) {
    fprintf(stderr, "puna: %s\n", e.what());
    return 1;
  }
}

}  // namespace

int main(int argc, char** argv) {
  puna::cli::hold_standard_streams();
  puna::cli::catch_signals();
  return puna::cli::end_output(run_to_the_end(argc, argv));
}
