// added_tokens.h -- tokens that are found in the text itself before anything else happens to it: control tokens such as
// <|eot|> (only when the caller asks for them) and user-defined ones (always). Leftmost, then longest; time linear in the text.
#pragma once
#include <array>
#include <bitset>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "puna/base/function_ref.h"

namespace puna::text {

struct AddedToken {
  std::string text;  // as it is matched: for a `normalized` token, after normalisation
  int32_t id = -1;
  bool special = true;      // matched only when special tokens are parsed
  bool left_strip = false;  // swallows the white space before it, or after it
  bool right_strip = false;
  bool single_word = false;  // not next to a character of \w
  bool normalized = false;   // looked for in the normalised text, not in the raw one
};

// A stretch between added tokens, and what its surroundings mean for those who put a space in front of a text.
struct Fragment {
  std::string_view text;
  bool first;          // nothing comes before it
  bool after_special;  // a special token does
};

class AddedTokens {
 public:
  AddedTokens() = default;
  AddedTokens(AddedTokens&&) = default;  // not copyable: the matchers point into tokens_
  AddedTokens& operator=(AddedTokens&&) = default;
  void add(AddedToken token);  // Error{unsupported} for one longer than 1024 bytes; empty ones never match
  void finish();               // after the last add

  // One pass: over the raw text, or (normalized) over a fragment that has been normalised.
  void split(Fragment text, bool normalized, bool parse_special, FunctionRef<void(Fragment)> on_text,
             FunctionRef<void(int32_t)> on_token) const;
  int32_t find(std::string_view name) const noexcept;  // -1: none

 private:
  struct Matcher {
    std::vector<const AddedToken*> sorted;  // by bytes
    std::bitset<256> first;                 // bytes that tokens start with
    int only_first = -1;                    // the one byte all of them start with
    const char* next_start(const char* p, const char* end) const noexcept;
    const AddedToken* longest_at(const char* p, const char* end) const noexcept;
  };
  std::vector<AddedToken> tokens_;
  std::array<Matcher, 4> matchers_;  // [normalized * 2 + parse_special]
};

}  // namespace puna::text
