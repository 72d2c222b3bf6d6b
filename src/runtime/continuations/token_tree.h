// token_tree.h -- requests that begin alike, as a tree: a node is a stretch of tokens that all requests below it have
// in common. What is scored stands where it is predicted: the row before the token.
#pragma once
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "puna/runtime/continuations.h"

namespace puna {

class TokenTree {
 public:
  struct Target {
    int64_t position;  // of the row whose logits predict it
    int32_t token;
    size_t slot;  // where its log-probability goes: a number among all targets of the tree
  };
  struct Node {
    int64_t begin = 0, end = 0;  // positions
    size_t request = 0;          // one that has them: its tokens[begin, end)
    int32_t parent = -1;
    std::vector<int32_t> children = {};
    std::vector<Target> targets = {};  // by position
    bool is_long = false;              // LongRoPE: long and short sequences rotate differently, and share nothing
  };

  // `long_from`: LlamaConfig's, 0 = there is no such length. Without `share` every request is a path of its own.
  TokenTree(std::span<const Continuation> requests, int64_t long_from, bool share);

  size_t size() const noexcept { return nodes_.size(); }
  const Node& operator[](int32_t n) const noexcept { return nodes_[size_t(n)]; }
  std::span<const int32_t> roots() const noexcept { return roots_; }
  std::span<const int32_t> tokens(const Node& n) const noexcept {
    return std::span(requests_[n.request].tokens).subspan(size_t(n.begin), size_t(n.end - n.begin));
  }
  // The slots of a request's targets: [first_slot(r), first_slot(r + 1)), in the order of its tokens.
  size_t first_slot(size_t request) const noexcept { return first_slots_[request]; }
  size_t slots() const noexcept { return first_slots_.back(); }
  int64_t rows() const noexcept;  // of all nodes

 private:
  void add(size_t request, bool is_long, bool share);
  std::pair<int32_t, int64_t> longest(std::span<const int32_t> among, std::span<const int32_t> rest,
                                      bool is_long) const;
  void split(int32_t node, int64_t at);

  std::span<const Continuation> requests_;
  std::vector<Node> nodes_;
  std::vector<int32_t> roots_;
  std::vector<size_t> first_slots_;
};

}  // namespace puna
