// slices.h -- a vocabulary in groups, each a tree of its own. First by length in bytes, since what a token of sixteen
// bytes can reach does not depend on whether a string may still be 200 or 1,000 characters long (clamp.h). Then *plain*
// tokens apart from others: complete UTF-8 without quotes, backslashes and control characters, which is most of a
// vocabulary. Where an expression goes on through any plain text of that length, as the inside of a JSON string does,
// all of the group's plain tokens are allowed and nobody walks their tree.
#pragma once
#include <cstdint>
#include <string_view>
#include <vector>

#include "grammar/lexer_states.h"
#include "grammar/token_trie.h"

namespace puna::grammar {

// How masks are computed. Another choice changes the time, never a mask; tests make small ones.
struct MaskTuning {
  std::vector<int> lengths{16, 32};  // in bytes: groups up to the first, the second, ..., and all others
  int wide = 16;                     // bytes that an expression may begin with: from so many on its masks are kept
  int kept_nodes = 4096;             // of an expression, beyond which its masks are not shared among grammars
};

struct TokenGroup {
  int longest;  // token, in bytes
  TokenTrie plain, others;
  std::vector<uint64_t> plain_bits;  // bit by id
};

std::vector<TokenGroup> token_groups(const std::vector<TokenTrie::Token>& tokens, const MaskTuning& tuning,
                                     size_t bitmap_words, const Watch& watch);

bool is_plain(std::string_view bytes) noexcept;

// Whether the lexer state goes on through every plain text of up to `bytes` bytes, and no lexeme may end within. May
// say no where it is so.
bool goes_through_plain_text(LexerStates& lexers, const ByteClasses& classes, uint32_t state, int bytes);

}  // namespace puna::grammar
