// arguments.h -- which verb and which option a word of the command line names, and the options of a --config file as
// words of it.
#pragma once
#include <functional>
#include <string>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace puna::cli {

inline constexpr int kUsageError = 2;  // exit code

// The verb that these arguments begin with (puna rec train ...); the program itself when there is none.
CLI::App* verb_of(CLI::App& app, const std::vector<std::string>& args);
std::vector<std::string> long_names(const CLI::App& verb);
// The option that an argument names: --steps, --steps=5, -t, -t4. NULL: none.
const CLI::Option* option_of(const CLI::App& verb, const std::string& argument);
// Whether 64 bits do not hold a whole number. CLI11 takes the nearest that they hold.
bool is_out_of_range(const std::string& number, bool is_unsigned);
// The arguments with those of a --config FILE, or of the verb's usual one, behind them, but for options that are given
// anyway. Error{bad_file} for a key that is no option of the verb, and for a value of another type.
std::vector<std::string> with_config(CLI::App& app, std::vector<std::string> args);

// An option that names what the verb writes: the file itself, or files whose names are made of it.
struct Output {
  const CLI::Option* option;
  std::vector<std::string> endings;
};
// An option that is read in one way of using the verb alone, and the words that say which: "with --pairs".
struct ReadRule {
  const CLI::Option* option;
  std::function<bool()> is_read;
  std::string where;
};
// What holds for a verb's options together, once all of them are known.
struct VerbRules {
  std::vector<Output> outputs;
  std::vector<ReadRule> reads;
  bool empty_texts = true;  // whether a text may be given empty
};
// A usage error naming an option that is given and would not be read, or that is given empty and may not be.
void require_read(const CLI::Option& option, bool is_read, const std::string& where);
void require_all_read(const CLI::App& verb, const VerbRules& rules);
// Before the verb does anything, what would be refused when it writes. Error{invalid_argument}: an output that is a
// folder, or has no folder to stand in; names made of one that is none ("runs/"); two outputs that are one file; a file
// that another option of the verb names, which would be replaced by what was made of it.
void require_outputs(const CLI::App& verb, const std::vector<Output>& outputs);

}  // namespace puna::cli
