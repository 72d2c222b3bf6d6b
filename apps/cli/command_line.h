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

struct Output;  // arguments.h

class Option {
 public:
  explicit Option(CLI::Option* option) : option_(option) {}
  const Option& required() const;
  const Option& at_least(int64_t low) const;            // numbers: anything below is a usage error
  const Option& within(double low, double high) const;  // numbers: anything else, NaN as well, is one
  const Option& excludes(const Option& other) const;
  const Option& needs(const Option& other) const;
  bool given() const;

 private:
  CLI::Option* option_;
};

class Verb {
 public:
  Verb(CLI::App& app, const char* name, const char* help);
  Verb(const Verb& group, const char* name, const char* help);  // a verb behind a verb: puna rec train
  void require_verb() const;
  // "NAME" is positional, "-x,--long" is not. A value that does not parse is a usage error.
  Option option(const char* name, std::string& value, const char* help) const;
  Option option(const char* name, std::vector<std::string>& values, const char* help) const;  // one or more
  Option option(const char* name, int& value, const char* help) const;
  Option option(const char* name, int64_t& value, const char* help) const;
  Option option(const char* name, uint64_t& value, const char* help) const;
  Option option(const char* name, float& value, const char* help) const;
  // A file that the verb writes, or, with endings, files whose names are made of the value: none may be one that
  // another option names.
  Option output(const char* name, std::string& value, const char* help, std::vector<std::string> endings = {""}) const;
  Option flag(const char* name, bool& value, const char* help) const;
  // --config FILE: a TOML file with options by their long names. `usual`: what is read without the option where there
  // is one, which is said on standard error.
  void config(const char* help, const char* usual = "") const;
  void run(std::function<void()> action) const;

 private:
  CLI::App* app_;
  std::shared_ptr<std::vector<Output>> outputs_;
};

[[noreturn]] void usage_error_missing(const char* what);

}  // namespace puna::cli
