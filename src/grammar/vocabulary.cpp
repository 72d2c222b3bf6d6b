// vocabulary.cpp -- from a tokenizer to groups of tokens.
#include "grammar/vocabulary.h"

#include <algorithm>

#include "puna/base/error.h"

namespace puna {
namespace {

bool stands_for_text(const Tokenizer& tokenizer, int32_t id) {
  const TokenKind kind = tokenizer.kind(id);
  if (kind != TokenKind::normal && kind != TokenKind::user_defined && kind != TokenKind::byte) return false;
  const size_t bytes = tokenizer.bytes(id).size();
  return bytes > 0 && bytes <= grammar::TokenTrie::kLongestToken;
}

std::vector<grammar::TokenGroup> groups_of(const Tokenizer& tokenizer, const grammar::MaskTuning& tuning,
                                           const Watch& watch) {
  std::vector<grammar::TokenTrie::Token> tokens;
  for (int32_t id = 0; id < tokenizer.size(); ++id) {
    watch.tick();
    if (stands_for_text(tokenizer, id)) tokens.push_back({tokenizer.bytes(id), id});
  }
  return grammar::token_groups(tokens, tuning, (size_t(tokenizer.size()) + 63) / 64, watch);
}

}  // namespace

GrammarVocabulary::GrammarVocabulary(TokenizerPtr tokenizer, size_t cache_bytes, const Watch& watch,
                                     grammar::MaskTuning tuning)
    : tokenizer_(std::move(tokenizer)),
      tuning_(std::move(tuning)),
      groups_(groups_of(*tokenizer_, tuning_, watch)),
      of_configurations_(cache_bytes / 4 * 3),
      of_expressions_(cache_bytes / 4) {}

bool GrammarVocabulary::is_text(int32_t id) const { return stands_for_text(*tokenizer_, id); }

int32_t GrammarVocabulary::longest_beginning(std::string_view text) const noexcept {
  int32_t found = -1;
  size_t longest = 0;
  const auto look_in = [&](const grammar::TokenTrie& trie) {
    const std::span<const grammar::TokenTrie::Node> nodes = trie.nodes();
    uint32_t at = 0;
    for (size_t depth = 1; depth <= text.size(); ++depth) {
      uint32_t child = at + 1;
      while (child < nodes[at].end && nodes[child].byte != uint8_t(text[depth - 1])) child = nodes[child].end;
      if (child >= nodes[at].end) return;
      at = child;
      const std::span<const int32_t> ids = trie.tokens_at(at);
      if (ids.empty() || depth < longest) continue;
      const int32_t lowest = *std::min_element(ids.begin(), ids.end());
      found = depth > longest ? lowest : std::min(found, lowest);
      longest = depth;
    }
  };
  for (const grammar::TokenGroup& group : groups_) {
    look_in(group.plain);
    look_in(group.others);
  }
  return found;
}

uint64_t GrammarVocabulary::number_of(const std::shared_ptr<grammar::Automaton>& automaton) const {
  const std::lock_guard lock(mutex_);
  const auto known = numbered_.find(automaton.get());
  if (known != numbered_.end() && !known->second.automaton.expired()) return known->second.number;
  std::erase_if(numbered_, [](const auto& entry) { return entry.second.automaton.expired(); });
  const uint64_t number = next_number_;
  numbered_.emplace(automaton.get(), Numbered{automaton, number});
  ++next_number_;
  return number;
}

GrammarVocabularyPtr grammar_vocabulary(TokenizerPtr tokenizer, size_t cache_bytes, const Watch& watch) {
  PUNA_REQUIRE(tokenizer != nullptr, "grammar_vocabulary: there is no tokenizer");
  return std::make_shared<const GrammarVocabulary>(std::move(tokenizer), cache_bytes, watch);
}

}  // namespace puna
