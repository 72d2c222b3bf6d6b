// peft_config.h -- adapter_config.json as PEFT reads it. Each field is used, or refused by name where it changes the
// formula, or changes nothing once the adapter is trained; a field that PEFT does not have may only say "no".
// github.com/huggingface/peft, tuners/lora/config.py
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/module_pattern.h"

namespace puna {

class PeftConfig {
 public:
  explicit PeftConfig(std::string_view text);

  // Of the first key of alpha_pattern, or rank_pattern, in the order of the file that fits the module's name; else
  // lora_alpha, or r.
  double alpha_of(const std::string& module) const;
  std::optional<int64_t> rank_of(const std::string& module) const;  // nullopt: nothing is said of it
  bool rank_stabilised() const noexcept { return rank_stabilised_; }
  // Error{bad_file}: PEFT would not load an adapter for this module, so its tensors do not belong here.
  void require_target(const std::string& module, bool is_parameter) const;
  // Fields that change nothing, where they say anything.
  const std::vector<std::string>& not_used() const noexcept { return not_used_; }

 private:
  template <class T>
  using Patterns = std::vector<std::pair<ModuleKey, T>>;
  // target_modules, exclude_modules: names, of which one must be the end of the module's; or one expression for all of
  // it.
  struct Names {
    bool said = false;
    std::vector<std::string> ends;
    std::vector<ModulePattern> expression;
    bool fit(const std::string& module) const;
  };
  class Reader;

  double alpha_ = 0;
  std::optional<int64_t> rank_;
  bool rank_stabilised_ = false;
  Patterns<double> alphas_;
  Patterns<int64_t> ranks_;
  Names modules_, parameters_, excluded_;
  bool all_linear_ = false;
  std::vector<int64_t> layers_;  // layers_to_transform
  bool layers_are_ours_ = true;  // layers_pattern names the list that our layers are in
  std::vector<std::string> not_used_;
};

}  // namespace puna
