#include "states/choice_rules.h"

namespace puna::test::states {

// They begin alike, one begins another, and there are digits, which are stop tokens now and then.
const std::vector<Choices> kChoices = {
    {"yes", "yellow", "no", "nobody knows", "y"}, {"0", "00", "0012", "1"}, {"a long text that nothing else begins"}};

std::string json_list(const Choices& choices) {
  std::string text;
  for (const std::string& choice : choices) text += (text.empty() ? "[\"" : ", \"") + choice + "\"";
  return text + "]";
}

std::vector<std::string> ChoiceRules::rests() const {
  std::vector<std::string> all;
  for (const std::string& choice : *choices_)
    if (choice.compare(0, said_.size(), said_) == 0) all.push_back(choice.substr(said_.size()));
  return all;
}

bool ChoiceRules::allows_text(const std::string& more) const {
  return !stopped_ &&
         std::ranges::any_of(rests(), [&](const std::string& rest) { return rest.compare(0, more.size(), more) == 0; });
}

bool ChoiceRules::allows(int32_t id) const {
  if (stopped_ || id < 0 || size_t(id) >= vocabulary_->size()) return false;
  const TokenText& token = (*vocabulary_)[size_t(id)];
  return (whole() && is_stop(id)) || (token.is_text && allows_text(token.bytes));
}

void ChoiceRules::take(int32_t id) {
  if (whole() && is_stop(id))
    stopped_ = true;
  else
    said_ += (*vocabulary_)[size_t(id)].bytes;
}

std::string ChoiceRules::forced() const {
  if (stopped_ || whole()) return "";
  const std::vector<std::string> all = rests();
  const auto [least, greatest] = std::minmax_element(all.begin(), all.end());
  return least->substr(0, size_t(std::mismatch(least->begin(), least->end(), greatest->begin(), greatest->end()).first -
                                 least->begin()));
}

std::string ChoiceRules::completion() const {
  if (stopped_ || whole()) return "";
  const std::vector<std::string> all = rests();
  return *std::min_element(all.begin(), all.end(), [](const std::string& a, const std::string& b) {
    return a.size() != b.size() ? a.size() < b.size() : a < b;
  });
}

std::optional<std::vector<int32_t>> ChoiceRules::closing(size_t most) const {
  std::vector<int32_t> tokens;
  for (std::string left = completion(); !left.empty();) {
    int32_t best = -1;
    for (size_t id = 0; id < vocabulary_->size(); ++id) {
      const TokenText& t = (*vocabulary_)[id];
      const bool begins = t.is_text && left.compare(0, t.bytes.size(), t.bytes) == 0;
      if (begins && (best < 0 || t.bytes.size() > (*vocabulary_)[size_t(best)].bytes.size())) best = int32_t(id);
    }
    if (best < 0 || tokens.size() == most) return std::nullopt;
    tokens.push_back(best);
    left.erase(0, (*vocabulary_)[size_t(best)].bytes.size());
  }
  return tokens;
}

int32_t ChoiceRules::in_time(int32_t drawn, int64_t left) const {
  ChoiceRules behind = *this;
  behind.take(drawn);
  if (behind.closing(size_t(left))) return drawn;
  const auto end = closing(size_t(left) + 1);
  if (!end) return drawn;
  return !end->empty() ? end->front() : stops_.empty() ? drawn : stops_.front();
}

}  // namespace puna::test::states
