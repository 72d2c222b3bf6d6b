// command_line.h -- a verb and its options: the little of CLI11 that the verbs need, so that two files compile CLI11
// and not every one. The values are written when the command line is parsed; they and the verb's action outlive it in a
// shared_ptr of the caller's.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace puna::cli {

struct VerbRules;  // arguments.h

class Option {
 public:
  Option(CLI::Option* option, VerbRules* rules) : option_(option), rules_(rules) {}
  const Option& required() const;
  const Option& at_least(int64_t low) const;            // numbers: anything below is a usage error
  const Option& within(double low, double high) const;  // numbers: anything else, NaN as well, is one
  const Option& excludes(const Option& other) const;
  const Option& needs(const Option& other) const;
  // What is read where it is not given: shown in the help, and no output may replace it.
  const Option& usual(const char* value) const;
  // The option means something in one way of using the verb alone: `is_read` says, when all options are known, whether
  // it is that way. Elsewhere it is a usage error: "--beta is not read here, only " + `where` ("with --pairs").
  const Option& read_when(std::function<bool()> is_read, const char* where) const;
  // The same error, of what only the files tell: for an action, before it writes anything.
  void require_read(bool is_read, const char* where) const;
  bool given() const;

 private:
  CLI::Option* option_;
  VerbRules* rules_;  // of the verb, as long as it is put together
};

class Verb {
 public:
  Verb(CLI::App& app, const char* name, const char* help);
  Verb(const Verb& group, const char* name, const char* help);  // a verb behind a verb: puna rec train
  void require_verb() const;
  // Of this verb and those made behind it from now on: a text that is given empty (--items "") is a usage error.
  void refuse_empty_texts() const;
  // "NAME" is positional, "-x,--long" is not. A value that does not parse is a usage error.
  Option option(const char* name, std::string& value, const char* help) const;
  Option option(const char* name, std::vector<std::string>& values, const char* help) const;  // one or more
  Option option(const char* name, int& value, const char* help) const;
  Option option(const char* name, int64_t& value, const char* help) const;
  Option option(const char* name, uint64_t& value, const char* help) const;
  Option option(const char* name, float& value, const char* help) const;
  // A file that the verb writes, or, with endings, files whose names are made of the value. What cannot be written, is
  // another output as well, or is named by another option is refused before the verb begins.
  Option output(const char* name, std::string& value, const char* help, std::vector<std::string> endings = {""}) const;
  Option flag(const char* name, bool& value, const char* help) const;
  // --config FILE: a TOML file with options by their long names. `usual`: what is read without the option where there
  // is one, which is said on standard error.
  void config(const char* help, const char* usual = "") const;
  void run(std::function<void()> action) const;

 private:
  CLI::App* app_;
  std::shared_ptr<VerbRules> rules_;
};

[[noreturn]] void usage_error_missing(const char* what);

}  // namespace puna::cli
