// vocabulary.h -- GrammarVocabulary: a tokenizer's texts as a trie, and the masks that are kept.
#pragma once
#include <cstdint>
#include <vector>

#include "grammar/token_trie.h"
#include "puna/grammar/matcher.h"

namespace puna {

class GrammarVocabulary {
 public:
  GrammarVocabulary(TokenizerPtr tokenizer, size_t cache_bytes, const Watch& watch);

  const Tokenizer& tokenizer() const noexcept { return *tokenizer_; }
  const grammar::TokenTrie& trie() const noexcept { return trie_; }
  int32_t size() const noexcept { return tokenizer_->size(); }
  size_t words() const noexcept { return (size_t(size()) + 63) / 64; }  // of a bitmap
  // Whether the token stands for its bytes, and for how many at least.
  bool is_text(int32_t id) const {
    const TokenKind kind = tokenizer_->kind(id);
    if (kind != TokenKind::normal && kind != TokenKind::user_defined && kind != TokenKind::byte) return false;
    const size_t bytes = tokenizer_->bytes(id).size();
    return bytes > 0 && bytes <= grammar::TokenTrie::kLongestToken;
  }

 private:
  TokenizerPtr tokenizer_;
  grammar::TokenTrie trie_;
};

}  // namespace puna
