// words.h -- a text as words: lower case (A to Z), without ASCII punctuation, split at white space.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace puna::text {

// Letters as they are kept; 0 = deleted; ' ' = between words.
char letter_of(char c) noexcept;

// The words one behind the other with one space between, and where each begins. Reused from text to text.
struct PlainWords {
  std::string text;
  std::vector<uint32_t> begin;  // one more than there are words

  explicit PlainWords() = default;
  void set(std::string_view from);
  size_t count() const noexcept { return begin.size() - 1; }
  // Words i to i + n with their spaces.
  std::string_view range(size_t i, size_t n) const noexcept {
    return std::string_view(text).substr(begin[i], begin[i + n] - 1 - begin[i]);
  }
};

}  // namespace puna::text
