// use_grammar.h -- a grammar that compiled is walked: of the tokens that its mask lets through one is taken, by the
// input's own bytes, again and again. What holds for every grammar is checked on the way.
#pragma once
#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "byte_tokenizer.h"
#include "expect_error.h"
#include "puna/grammar/matcher.h"

namespace puna::test {

inline GrammarLimits small_limits() {
  GrammarLimits limits;
  limits.nodes = 100'000;
  limits.states = 50'000;
  limits.searched = 2'000;
  limits.bytes = 16 << 20;
  return limits;
}

inline void use_grammar(const GrammarPtr& grammar, std::string_view choices) {
  static const GrammarVocabularyPtr vocabulary = grammar_vocabulary(byte_tokenizer());
  const int32_t tokens = byte_tokenizer()->size();
  Matcher matcher(grammar, vocabulary);
  for (const char choice : choices.substr(0, 48)) {
    const TokenMask mask = matcher.mask();
    std::vector<int32_t> allowed;
    for (int32_t id = 0; id < tokens; ++id)
      if (mask.allows(id)) allowed.push_back(id);
    require(int64_t(allowed.size()) == mask.count());
    if (matcher.ended()) return;
    require(!allowed.empty());  // never a dead end
    for (int32_t id = int32_t(uint8_t(choice)) % 7; id < tokens; id += 7)
      require(matcher.allows(id) == std::binary_search(allowed.begin(), allowed.end(), id));
    const std::string forced = matcher.forced(64);
    Matcher follows = matcher;
    follows.accept_bytes(forced);
    matcher.accept(allowed[size_t(uint8_t(choice)) * 251 % allowed.size()]);
  }
  const std::string rest = matcher.shortest_completion(4096);
  if (matcher.ended()) return;
  matcher.accept_bytes(rest);
  require(matcher.accepting());
}

}  // namespace puna::test
