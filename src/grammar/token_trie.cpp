// token_trie.cpp -- sorted texts are a tree in depth-first order already.
#include "grammar/token_trie.h"

#include <algorithm>

namespace puna::grammar {

TokenTrie::TokenTrie(std::vector<Token> tokens, const Watch& watch) {
  std::erase_if(tokens, [](const Token& token) { return token.bytes.empty() || token.bytes.size() > kLongestToken; });
  std::sort(tokens.begin(), tokens.end(),
            [](const Token& a, const Token& b) { return a.bytes != b.bytes ? a.bytes < b.bytes : a.id < b.id; });
  std::vector<uint32_t> open{0};  // nodes on the way to the token at hand
  nodes_.push_back({0, 0, 0});
  std::string_view before;
  const auto close_down_to = [&](size_t depth) {
    for (; open.size() > depth + 1; open.pop_back()) nodes_[open.back()].end = uint32_t(nodes_.size());
  };
  for (const Token& token : tokens) {
    watch.tick();
    const auto [a, b] = std::mismatch(before.begin(), before.end(), token.bytes.begin(), token.bytes.end());
    const size_t common = size_t(a - before.begin());
    close_down_to(common);
    for (size_t i = common; i < token.bytes.size(); ++i) {
      open.push_back(uint32_t(nodes_.size()));
      nodes_.push_back({0, uint32_t(tokens_.size()), uint8_t(token.bytes[i]), uint16_t(i + 1)});
    }
    tokens_.push_back(token.id);
    before = token.bytes;
    longest_ = std::max(longest_, int(token.bytes.size()));
  }
  close_down_to(0);
  nodes_[0].end = uint32_t(nodes_.size());
  nodes_.push_back({0, uint32_t(tokens_.size()), 0});
}

}  // namespace puna::grammar
