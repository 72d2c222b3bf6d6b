// token_trie.h -- the texts of a vocabulary as a tree of bytes, in depth-first order: a node's first child is the next
// node, and a subtree that is of no interest is left by one addition.
#pragma once
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "puna/base/watch.h"

namespace puna::grammar {

class TokenTrie {
 public:
  struct Token {
    std::string_view bytes;  // not empty
    int32_t id;
  };
  static constexpr size_t kLongestToken = UINT16_MAX;  // in bytes; longer ones are left out
  TokenTrie(std::vector<Token> tokens, const Watch& watch);

  struct Node {
    uint32_t end;          // the first node behind its subtree
    uint32_t first_token;  // in tokens(): those that end here, up to the next node's
    uint8_t byte;          // that leads here
    uint16_t depth = 0;    // bytes so far
  };
  // Node 0 is the root; the last one is a sentinel.
  std::span<const Node> nodes() const noexcept { return {nodes_.data(), nodes_.size() - 1}; }
  std::span<const int32_t> tokens_at(uint32_t node) const noexcept { return tokens_between(node, node + 1); }
  // Of the nodes from `first` to before `end`.
  std::span<const int32_t> tokens_between(uint32_t first, uint32_t end) const noexcept {
    const uint32_t begin = nodes_[first].first_token;
    return {tokens_.data() + begin, nodes_[end].first_token - begin};
  }
  int longest() const noexcept { return longest_; }  // token, in bytes
  size_t bytes_held() const noexcept { return nodes_.size() * sizeof(Node) + tokens_.size() * sizeof(int32_t); }

 private:
  std::vector<Node> nodes_;
  std::vector<int32_t> tokens_;
  int longest_ = 0;
};

}  // namespace puna::grammar
