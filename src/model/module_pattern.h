// module_pattern.h -- the regular expressions of PEFT's configurations, matched against names of modules. What occurs
// in them is read: literals,
// ".", classes, groups, "|", * + ? {m,n} (lazy or not), anchors and \d \w \s \b; anything else is refused by name. A
// pattern comes from a file, so matching is Thompson's simulation: states times characters, whatever the pattern.  Ken
// Thompson, CACM 11(6), 1968.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace puna {

class ModulePattern {
 public:
  // As Python's re reads it. Error{unsupported} or {bad_file} naming `what`, the pattern and the place.
  ModulePattern(std::string_view pattern, const char* what);
  // re.fullmatch: all of the text.
  bool matches(std::string_view text) const;
  size_t states() const noexcept { return states_.size(); }  // matching costs at most so many steps a character

  struct State {
    enum class Kind : uint8_t { character, split, start, end, word_edge, no_word_edge, accept } kind;
    int32_t next = -1, other = -1;
    int32_t set = -1;  // of a character: index into sets_
  };
  using Set = std::vector<bool>;  // of 256 bytes

 private:
  class Parser;
  void add(std::vector<int32_t>& list, std::vector<uint32_t>& seen, uint32_t round, int32_t state,
           std::string_view text, size_t at) const;

  std::vector<State> states_;
  std::vector<Set> sets_;
  int32_t first_ = -1;
};

// PEFT's rule for rank_pattern and alpha_pattern: re.match("(.*\.)?(KEY)$", name). Plain names, which most keys are,
// take no automaton.
class ModuleKey {
 public:
  ModuleKey(const std::string& key, const char* what);
  bool matches(std::string_view name) const;
  size_t states() const noexcept { return pattern_.empty() ? 0 : pattern_[0].states(); }

 private:
  std::string plain_;  // without any sign but ".", which stands for one character; else
  std::vector<ModulePattern> pattern_;
};

}  // namespace puna
