// The `puna` command: one file a verb. It stands on the C++ API: the verbs want what C callers seldom do (bare tokenizers, golden
// logits, perplexity windows), and the C ABI has programs of its own in tests/capi and in the numbered examples.
#include "command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>

#include "puna/base/error.h"
#include "verbs.h"

namespace puna::cli {

const Option& Option::required() const { option_->required(); return *this; }
const Option& Option::at_least(int64_t low) const {
  const auto check = [low](const std::string& text) {
    return strtod(text.c_str(), nullptr) >= double(low) ? std::string() : "expected a number of at least " + std::to_string(low) + ", not '" + text + "'";
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
const Option& Option::excludes(const Option& other) const { option_->excludes(other.option_); return *this; }
bool Option::given() const { return option_->count() != 0; }

Verb::Verb(CLI::App& app, const char* name, const char* help) : app_(app.add_subcommand(name, help)) {}
Verb::Verb(const Verb& group, const char* name, const char* help) : app_(group.app_->add_subcommand(name, help)) {}
void Verb::require_verb() const { app_->require_subcommand(1); }
Option Verb::option(const char* name, std::string& value, const char* help) const { return Option(app_->add_option(name, value, help)); }
Option Verb::option(const char* name, std::vector<std::string>& values, const char* help) const { return Option(app_->add_option(name, values, help)); }
Option Verb::option(const char* name, int& value, const char* help) const { return Option(app_->add_option(name, value, help)); }
Option Verb::option(const char* name, int64_t& value, const char* help) const { return Option(app_->add_option(name, value, help)); }
Option Verb::option(const char* name, uint64_t& value, const char* help) const { return Option(app_->add_option(name, value, help)); }
Option Verb::option(const char* name, float& value, const char* help) const { return Option(app_->add_option(name, value, help)); }
Option Verb::flag(const char* name, bool& value, const char* help) const { return Option(app_->add_flag(name, value, help)); }
void Verb::config(const char* help) const {
  const auto unused = std::make_shared<std::string>();  // its options stand in the command line when it is parsed
  app_->add_option_function<std::string>("--config", [unused](const std::string& file) { *unused = file; }, help);
}
void Verb::run(std::function<void()> action) const { app_->callback(std::move(action)); }

void usage_error_missing(const char* what) { throw CLI::RequiredError(what); }

namespace {

// The arguments with those of a --config FILE behind them, but for options that are given anyway. CLI11 reads such files for whole programs only.
std::vector<std::string> with_config(int argc, char** argv) {
  std::vector<std::string> args(argv + 1, argv + argc);
  const auto at = std::find(args.begin(), args.end(), "--config");
  if (at == args.end() || at + 1 == args.end()) return args;
  std::vector<std::string> more;
  for (const CLI::ConfigItem& item : CLI::ConfigTOML().from_file(*(at + 1))) {
    const std::string name = "--" + item.name;
    const bool given = std::any_of(args.begin(), args.end(), [&](const std::string& a) { return a == name || a.starts_with(name + "="); });
    if (given || item.inputs == std::vector<std::string>{"false"}) continue;
    more.push_back(name);
    if (item.inputs != std::vector<std::string>{"true"}) more.insert(more.end(), item.inputs.begin(), item.inputs.end());
  }
  args.insert(args.end(), more.begin(), more.end());
  return args;
}

constexpr int kUsageError = 2, kInterrupted = 130;  // 130: what shells report for Ctrl-C

int run(int argc, char** argv) {
  CLI::App app{"Runs Llama models on this computer's CPU. MODEL is a GGUF file or a Hugging Face folder.", "puna"};
  app.require_subcommand(1);
  app.set_version_flag("--version", PUNA_VERSION_TEXT);
  for (const auto add : {add_chat, add_generate, add_info, add_tokenize, add_detokenize, add_render, add_logits, add_perplexity, add_encode_image, add_verify,
                         add_bench, add_quantize, add_merge,
#if PUNA_TRAIN
                         add_train, add_finetune, add_dpo,
#endif
#if PUNA_RECSYS
                         add_rec,
#endif
       })
    add(app);
  try {
    std::vector<std::string> args = with_config(argc, argv);
    std::reverse(args.begin(), args.end());  // CLI11 takes them from the end
    app.parse(args);
    return 0;
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == 0) return app.exit(e);  // --help, --version
    const auto verbs = app.get_subcommands();        // those that were given
    fprintf(stderr, "puna: %s (try: puna %s%s--help)\n", e.what(), verbs.empty() ? "" : verbs[0]->get_name().c_str(), verbs.empty() ? "" : " ");
    return kUsageError;
  }
}

}  // namespace
}  // namespace puna::cli

int main(int argc, char** argv) {
  try {
    return puna::cli::run(argc, argv);
  } catch (const puna::Error& e) {
    fprintf(stderr, "puna: %s\n", e.what());
    return e.status() == puna::Status::cancelled ? puna::cli::kInterrupted : 1;
  } catch (const std::exception& e) {
    fprintf(stderr, "puna: %s\n", e.what());
    return 1;
  }
}
