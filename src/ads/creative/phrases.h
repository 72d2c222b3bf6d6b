// phrases.h -- patterns of words, which the rules of lint are written in, and where they occur. A pattern is a list of
// elements between spaces:
//   best|finest      one of these words, folded; lose* any word that begins so; word? it may be left out
//   <number> <word>  a number; any word
//   ..3              up to three words, numbers, or marks within a sentence
//   {diseases}       one of a named list, whose entries are patterns themselves (without lists)
//   % # &            a mark stands for itself
// Between words of a pattern there is no sentence end.
#pragma once
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ads/creative/tokens.h"

namespace puna::ads {

struct Phrase {
  struct Element {
    enum Kind : uint8_t { words, number, any_word, gap };
    Kind kind = words;
    bool optional = false;
    uint8_t most = 0;                 // gap
    std::vector<std::string> any_of;  // of Kind::words; "lose*" with its star
  };
  std::vector<Element> elements;
};

using PhraseLists = std::map<std::string, std::vector<std::string>, std::less<>>;

// All that a pattern stands for, its lists written out, added to `to`. Error{bad_file} "<where>: ...": a pattern that
// does not read.
void compile_phrase(std::string_view pattern, const PhraseLists& lists, const std::string& where,
                    std::vector<Phrase>& to);
// The term itself, word for word: a brand, a banned expression. No elements: nothing of it is a word or a mark.
Phrase plain_phrase(std::string_view term);

struct Occurrence {
  size_t first = 0, last = 0;  // tokens, last is the one behind
};
// From left to right, the longest from each place, none overlapping an earlier one of the same phrase.
void find_phrase(const Phrase& phrase, std::span<const Token> tokens, std::vector<Occurrence>& to);

}  // namespace puna::ads
