// choice_rules.h -- what an answer by a grammar of choices may be, from the list of its texts and the bytes of the
// tokens alone: no automaton, no trie.
#pragma once
#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace puna::test::states {

using Choices = std::vector<std::string>;
extern const std::vector<Choices> kChoices;  // grammars that machines make
std::string json_list(const Choices& choices);

struct TokenText {
  std::string bytes;
  bool is_text = false, is_stop = false;
};
using Vocabulary = std::vector<TokenText>;

class ChoiceRules {
 public:
  ChoiceRules(const Choices& choices, const Vocabulary& vocabulary, std::vector<int32_t> stops)
      : choices_(&choices), vocabulary_(&vocabulary), stops_(std::move(stops)) {}
  bool whole() const { return std::find(choices_->begin(), choices_->end(), said_) != choices_->end(); }
  bool ended() const {
    return stopped_ || std::ranges::none_of(rests(), [](const auto& r) { return !r.empty(); });
  }
  bool stopped() const { return stopped_; }
  bool is_stop(int32_t id) const { return std::find(stops_.begin(), stops_.end(), id) != stops_.end(); }
  bool allows_text(const std::string& more) const;
  bool allows(int32_t id) const;
  void take(int32_t id);  // which is allowed
  void take_text(const std::string& more) { said_ += more; }
  void reset() { said_.clear(), stopped_ = false; }
  std::string forced() const;
  std::string completion() const;  // the shortest; of several the least
  // The shortest end, each token the longest that begins what is left; none where it takes more than so many.
  std::optional<std::vector<int32_t>> closing(size_t most) const;
  // The token that was drawn, where an end fits behind it into `left` tokens; or the next one of the shortest end.
  int32_t in_time(int32_t drawn, int64_t left) const;
  const std::string& said() const { return said_; }

 private:
  std::vector<std::string> rests() const;  // of the choices that begin with what was said

  const Choices* choices_;
  const Vocabulary* vocabulary_;
  std::vector<int32_t> stops_;  // those of the options first
  std::string said_;
  bool stopped_ = false;
};

}  // namespace puna::test::states
