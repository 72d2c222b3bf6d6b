// The `puna` command: one file a verb. It uses the C++ API: the verbs need what the C API does not have (bare
// tokenizers, golden logits, perplexity windows). Programs on the C API are in tests/capi and examples/.
#include "command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <sstream>

#include "arguments.h"
#include "base/nearest.h"
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
const Option& Option::needs(const Option& other) const {
  option_->needs(other.option_);
  return *this;
}
const Option& Option::read_when(std::function<bool()> is_read, const char* where) const {
  rules_->reads.push_back({option_, std::move(is_read), where});
  return *this;
}
void Option::require_read(bool is_read, const char* where) const { cli::require_read(*option_, is_read, where); }
const Option& Option::usual(const char* value) const {
  option_->default_str(value);
  return *this;
}
bool Option::given() const { return option_->count() != 0; }

namespace {

std::function<std::string(const std::string&)> fits_64_bits(bool is_unsigned) {
  return [is_unsigned](const std::string& text) {
    if (is_unsigned && text.starts_with("-")) return "expected a whole number of 0 or more, not '" + text + "'";
    return is_out_of_range(text, is_unsigned) ? "expected a number that 64 bits hold, not '" + text + "'"
                                              : std::string();
  };
}

}  // namespace

Verb::Verb(CLI::App& app, const char* name, const char* help)
    : app_(app.add_subcommand(name, help)), rules_(std::make_shared<VerbRules>()) {}
Verb::Verb(const Verb& group, const char* name, const char* help) : Verb(*group.app_, name, help) {
  rules_->empty_texts = group.rules_->empty_texts;
}
void Verb::require_verb() const { app_->require_subcommand(1); }
void Verb::refuse_empty_texts() const { rules_->empty_texts = false; }
Option Verb::option(const char* name, std::string& value, const char* help) const {
  return Option(app_->add_option(name, value, help), rules_.get());
}
Option Verb::option(const char* name, std::vector<std::string>& values, const char* help) const {
  return Option(app_->add_option(name, values, help), rules_.get());
}
Option Verb::option(const char* name, int& value, const char* help) const {
  return Option(app_->add_option(name, value, help), rules_.get());
}
Option Verb::option(const char* name, int64_t& value, const char* help) const {
  return Option(app_->add_option(name, value, help)->check(fits_64_bits(false)), rules_.get());
}
Option Verb::option(const char* name, uint64_t& value, const char* help) const {
  return Option(app_->add_option(name, value, help)->check(fits_64_bits(true)), rules_.get());
}
Option Verb::option(const char* name, float& value, const char* help) const {
  return Option(app_->add_option(name, value, help), rules_.get());
}
Option Verb::output(const char* name, std::string& value, const char* help, std::vector<std::string> endings) const {
  CLI::Option* const option = app_->add_option(name, value, help);
  rules_->outputs.push_back({option, std::move(endings)});
  return Option(option, rules_.get());
}
Option Verb::flag(const char* name, bool& value, const char* help) const {
  return Option(app_->add_flag(name, value, help), rules_.get());
}
void Verb::config(const char* help, const char* usual) const {
  const auto unused = std::make_shared<std::string>();  // its options stand in the command line when it is parsed
  CLI::Option* const o = app_->add_option_function<std::string>(
      "--config", [unused](const std::string& file) { *unused = file; }, help);
  if (*usual) o->default_str(usual);
}
void Verb::run(std::function<void()> action) const {
  app_->callback([app = app_, rules = rules_, action = std::move(action)] {
    require_all_read(*app, *rules);
    require_outputs(*app, rules->outputs);
    action();
  });
}

void usage_error_missing(const char* what) { throw CLI::RequiredError(what); }

namespace {

std::vector<std::string> option_names(const CLI::App& verb) {
  std::vector<std::string> names;
  for (const std::string& name : long_names(verb)) names.push_back("--" + name);
  return names;
}

struct NoVerb {
  std::string help;
};

// CLI11 says of a verb or an option that it does not know only that it was not expected.
void require_known_words(CLI::App& app, const std::vector<std::string>& args) {
  CLI::App* const verb = verb_of(app, args);
  if (const auto verbs = verb->get_subcommands({}); !verbs.empty()) {
    size_t at = 0;
    for (const CLI::App* v = verb; v != &app; v = v->get_parent()) ++at;
    if (at == args.size()) throw NoVerb{verb->help()};
    if (args[at].starts_with("-")) {
      if (option_of(*verb, args[at])) return;
      const std::string name = args[at].substr(0, args[at].find('='));
      throw CLI::ParseError("there is no option '" + name + "'" + did_you_mean(name, option_names(*verb)), kUsageError);
    }
    std::vector<std::string> names;
    for (const CLI::App* v : verbs) names.push_back(v->get_name());
    throw CLI::ParseError("there is no verb '" + args[at] + "'" + did_you_mean(args[at], names), kUsageError);
  }
  for (const std::string& a : args) {
    if (a == "--") return;
    if (!a.starts_with("--") || option_of(*verb, a)) continue;
    const std::string name = a.substr(0, a.find('=')), meant = did_you_mean(name, option_names(*verb));
    if (!meant.empty()) throw CLI::ParseError("there is no option '" + name + "'" + meant, kUsageError);
  }
}

// "rec serve ": the words that lead to a verb.
std::string words_of(const CLI::App* verb) {
  return verb->get_parent() ? words_of(verb->get_parent()) + verb->get_name() + " " : "";
}

int run(int argc, char** argv) {
  CLI::App app{"Runs Llama models on this computer's CPU. MODEL is a GGUF file or a Hugging Face folder.", "puna"};
  app.require_subcommand(1);
  app.set_version_flag("--version", PUNA_VERSION_TEXT);
  for (const auto add : {
         add_chat, add_generate, add_batch, add_grammar, add_info, add_tokenize, add_detokenize, add_render, add_logits,
             add_perplexity, add_encode_image, add_verify, add_bench, add_quantize, add_merge, add_serve,
#if PUNA_TRAIN
             add_train, add_finetune, add_dpo,
#endif
#if PUNA_RECSYS
             add_rec,
#endif
#if PUNA_IMPROVE
             add_improve,
#endif
#if PUNA_EVAL
             add_eval,
#if PUNA_HAVE_SQLITE
             add_label,
#endif
#endif
#if PUNA_ADS
             add_ads,
#endif
       })
    add(app);
  const std::vector<std::string> given(argv + 1, argv + argc);
  try {
    require_known_words(app, given);
    std::vector<std::string> args = with_config(app, given);
    std::reverse(args.begin(), args.end());  // CLI11 takes them from the end
    app.parse(args);
    return 0;
  } catch (const NoVerb& n) {
    fprintf(stderr, "%s\n", n.help.c_str());
    return kUsageError;
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == 0) {  // --help, --version
      std::ostringstream text;
      const int code = app.exit(e, text, text);
      print(text.str());
      return code;
    }
    fprintf(stderr, "puna: %s (try: puna %s--help)\n", e.what(), words_of(verb_of(app, given)).c_str());
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
    const int signal = puna::cli::last_signal();
    const bool stopped = signal != 0 && e.status() == puna::Status::cancelled;
    const bool says_more = std::string_view(e.what()).starts_with("stopped");
    fprintf(stderr, "puna: %s\n", stopped && !says_more ? "stopped" : e.what());
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
