// tokens.h -- an advertisement's text as the rules look at it: words, numbers, marks and emoji, folded for comparison.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace puna::ads {

struct Token {
  enum Kind : uint8_t {
    word,    // letters, with apostrophes between them
    number,  // digits, with . , : / ' between them
    mixed,   // letters and digits
    mark,    // one character of punctuation, or a symbol
    emoji,
  };
  Kind kind = mark;
  bool space_before = false;   // or the text begins here
  bool hyphen_before = false;  // which is no token of its own
  bool starts_sentence = false;
  size_t begin = 0, end = 0;  // bytes of the text
  std::string folded;         // NFKC, lower case
  bool is_text() const noexcept { return kind == word || kind == number || kind == mixed; }
};

// Hyphens between words join them without being tokens: "risk-free" is risk, free.
std::vector<Token> tokens_of(std::string_view text);
std::string folded(std::string_view text);  // NFKC, lower case, no invisible characters

inline bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
// The parts between `at`; empty ones are left out where it is a space.
std::vector<std::string_view> split_text(std::string_view text, char at);
bool is_upper_letter(uint32_t code) noexcept;
bool is_letter(uint32_t code) noexcept;
uint32_t first_code(std::string_view text) noexcept;  // of a text that is not empty

}  // namespace puna::ads
