// vocabulary.cpp -- from a tokenizer to a trie.
#include "grammar/vocabulary.h"

#include "puna/base/error.h"

namespace puna {
namespace {

std::vector<grammar::TokenTrie::Token> texts_of(const Tokenizer& tokenizer, const Watch& watch) {
  std::vector<grammar::TokenTrie::Token> tokens;
  for (int32_t id = 0; id < tokenizer.size(); ++id) {
    watch.tick();
    const TokenKind kind = tokenizer.kind(id);
    if (kind == TokenKind::normal || kind == TokenKind::user_defined || kind == TokenKind::byte)
      tokens.push_back({tokenizer.bytes(id), id});
  }
  return tokens;
}

}  // namespace

GrammarVocabulary::GrammarVocabulary(TokenizerPtr tokenizer, size_t cache_bytes, const Watch& watch)
    : tokenizer_(std::move(tokenizer)), trie_(texts_of(*tokenizer_, watch), watch) {}

GrammarVocabularyPtr grammar_vocabulary(TokenizerPtr tokenizer, size_t cache_bytes, const Watch& watch) {
  PUNA_REQUIRE(tokenizer != nullptr, "grammar_vocabulary: there is no tokenizer");
  return std::make_shared<const GrammarVocabulary>(std::move(tokenizer), cache_bytes, watch);
}

}  // namespace puna
