// added_tokens.h -- tokens that are found in the text itself before anything else happens to it: control tokens such as
// <|eot|> (only when the caller asks for them) and user-defined ones (always). Leftmost, then longest; time linear in
// the text.
#pragma once
#include <algorithm>
#include <array>
#include <bitset>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "puna/base/function_ref.h"
#include "puna/base/watch.h"
#include "puna/text/rendered_chat.h"

namespace puna::text {

struct AddedToken {
  std::string text;  // as it is matched: for a `normalized` token, after normalisation
  int32_t id = -1;
  bool special = true;      // matched only when special tokens are parsed
  bool left_strip = false;  // swallows the white space before it, or after it
  bool right_strip = false;
  bool single_word = false;  // not next to a character of \w
  bool normalized = false;   // looked for in the normalised text, not in the raw one
  std::string name = {};     // as the file spells it, when that is not `text`
};

// A stretch between added tokens, and what its surroundings mean for those who put a space in front of a text.
struct Fragment {
  std::string_view text;
  bool first;          // nothing comes before it
  bool after_special;  // a special token does
  // Where the whole text has bytes that no special token may hold (rendered_chat.h), and where in it this stretch
  // starts. An empty span stands for content that a normalizer took out: a special token may end or start there, but
  // not reach across.
  std::span<const TextSpan> content = {};
  size_t at = 0;
};

// The first span that ends behind the fragment's start.
inline std::span<const TextSpan>::iterator first_content(const Fragment& f) noexcept {
  return std::partition_point(f.content.begin(), f.content.end(), [&](const TextSpan& s) { return s.end <= f.at; });
}

class AddedTokens {
 public:
  AddedTokens() = default;
  AddedTokens(AddedTokens&&) = default;  // not copyable: the matchers point into tokens_
  AddedTokens& operator=(AddedTokens&&) = default;
  void add(AddedToken token);  // Error{unsupported} for one longer than 1024 bytes; empty ones never match
  void finish();               // after the last add. Of those that look for the same text the last counts

  // One pass: over the raw text, or (normalized) over a fragment that has been normalised. As in Hugging Face's code
  // all tokens are found before any takes white space: one that is white space itself, behind one that swallows it, is
  // still there, and the text goes on behind it.
  void split(Fragment text, bool normalized, bool parse_special, FunctionRef<void(Fragment)> on_text,
             FunctionRef<void(int32_t)> on_token, const Watch& watch) const;
  bool any_special(bool normalized) const noexcept {
    return matchers_[normalized * 2 + 1].sorted.size() > matchers_[normalized * 2].sorted.size();
  }
  int32_t find(std::string_view name) const noexcept;  // -1: none

 private:
  struct Matcher {
    std::vector<const AddedToken*> sorted;  // by bytes
    std::bitset<256> first;                 // bytes that tokens start with
    int only_first = -1;                    // the one byte all of them start with
    const char* next_start(const char* p, const char* end) const noexcept;
    // Special tokens count up to special_end only.
    const AddedToken* longest_at(const char* p, const char* end, const char* special_end, const Watch& watch) const;
  };
  static std::string_view name_of(const AddedToken& t) noexcept { return t.name.empty() ? t.text : t.name; }

  std::vector<AddedToken> tokens_;  // by text
  std::vector<const AddedToken*> by_name_;
  std::array<Matcher, 4> matchers_;  // [normalized * 2 + parse_special]
};

}  // namespace puna::text
