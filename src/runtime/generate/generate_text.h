// generate_text.h -- from drawn tokens to the text that may be shown: whole characters only, and nothing that is, or
// may still become, a stop string.
#pragma once
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "puna/text/tokenizer.h"

namespace puna {

// Looks for stop strings in a stream, byte by byte (Knuth, Morris, Pratt 1977), so where it was cut into tokens does
// not matter. The first string to be complete stops it; of several that end on the same byte, the longest.
class StopStrings {
 public:
  explicit StopStrings(
      std::span<const std::string> strings);  // Error{invalid_argument}: empty, or begins inside a character

  // What is safe to show now; after a match, what stood before it.
  std::string push(std::string_view text);
  // What was held back and has become safe because the stream has ended.
  std::string finish();
  bool matched() const noexcept { return matched_; }

 private:
  struct Pattern {
    std::string text;
    std::vector<size_t> border;  // border[n]: the longest proper prefix of text that ends text[0, n)
    bool advance(size_t& length, char c) const;
  };
  std::shared_ptr<const std::vector<Pattern>> patterns_;  // the same for every copy: an answer is copied for each token
  std::vector<size_t> lengths_;                           // of each pattern's prefix that ends the stream so far
  std::string held_;
  bool matched_ = false;
};

// One answer's text. Without a tokenizer it is empty and only tokens can stop it.
class AnswerText {
 public:
  AnswerText(const Tokenizer* tokenizer, bool keep_special, std::span<const std::string> stop_strings)
      : tokenizer_(tokenizer), keep_special_(keep_special), stops_(stop_strings) {}

  std::string push(int32_t id);
  std::string finish();
  bool stopped() const noexcept { return stops_.matched(); }

 private:
  const Tokenizer* tokenizer_;
  bool keep_special_;
  StreamDecoder decoder_;
  StopStrings stops_;
};

}  // namespace puna
