// generate_text.cpp -- the stop strings' automata, and the way of a token's bytes through decoder and automata.
#include "runtime/generate/generate_text.h"

#include <algorithm>
#include <utility>

#include "puna/base/error.h"

namespace puna {

StopStrings::StopStrings(std::span<const std::string> strings) {
  std::vector<Pattern> patterns;
  for (size_t i = 0; i < strings.size(); ++i) {
    const std::string& s = strings[i];
    PUNA_REQUIRE(!s.empty(), "stop_strings[%zu] is empty", i);
    PUNA_REQUIRE((uint8_t(s[0]) & 0xC0) != 0x80, "stop_strings[%zu] begins in the middle of a UTF-8 character", i);
    Pattern p{s, std::vector<size_t>(s.size() + 1)};
    size_t length = 0;
    for (size_t n = 1; n < s.size(); ++n) {
      p.advance(length, s[n]);
      p.border[n + 1] = length;
    }
    patterns.push_back(std::move(p));
  }
  lengths_.resize(patterns.size());
  patterns_ = std::make_shared<const std::vector<Pattern>>(std::move(patterns));
}

// Extends the matched prefix by one byte of the stream, or falls back to the longest shorter one that fits.
bool StopStrings::Pattern::advance(size_t& length, char c) const {
  while (length > 0 && (length == text.size() || text[length] != c)) length = border[length];
  if (text[length] == c) ++length;
  return length == text.size();
}

std::string StopStrings::push(std::string_view text) {
  if (matched_) return {};
  for (const char c : text) {
    held_.push_back(c);
    size_t longest = 0;
    for (size_t i = 0; i < lengths_.size(); ++i) {
      const Pattern& p = (*patterns_)[i];
      if (p.advance(lengths_[i], c)) longest = std::max(longest, p.text.size());
    }
    if (longest == 0) continue;
    matched_ = true;
    held_.resize(held_.size() - longest);
    return std::exchange(held_, {});
  }
  size_t open = 0;  // bytes at the end that may become a stop string
  for (const size_t length : lengths_) open = std::max(open, length);
  std::string safe = held_.substr(0, held_.size() - open);
  held_.erase(0, safe.size());
  return safe;
}

std::string StopStrings::finish() { return std::exchange(held_, {}); }

std::string AnswerText::push(int32_t id) {
  // An embedding may have more rows than the tokenizer has tokens: those have no text.
  if (!tokenizer_ || id >= tokenizer_->size() || (!keep_special_ && tokenizer_->is_special(id))) return {};
  return stops_.push(decoder_.push(tokenizer_->bytes(id)));
}

std::string AnswerText::finish() {
  std::string rest = stops_.push(decoder_.flush());
  return rest + stops_.finish();
}

}  // namespace puna
