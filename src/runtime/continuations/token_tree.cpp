#include "runtime/continuations/token_tree.h"

#include <algorithm>

namespace puna {
namespace {

// A fork copies a page of keys and values: a stretch as short as this is computed sooner than it is shared.
constexpr int64_t kLeastShared = 8;

}  // namespace

TokenTree::TokenTree(std::span<const Continuation> requests, int64_t long_from, bool share)
    : requests_(requests), first_slots_{0} {
  for (size_t r = 0; r < requests.size(); ++r) {
    first_slots_.push_back(first_slots_.back() + size_t(requests[r].scored));
    add(r, long_from > 0 && int64_t(requests[r].tokens.size()) > long_from, share);
  }
  for (Node& n : nodes_)
    std::stable_sort(n.targets.begin(), n.targets.end(),
                     [](const Target& a, const Target& b) { return a.position < b.position; });
}

// The node among these that begins with the most of `rest`, and how much that is.
std::pair<int32_t, int64_t> TokenTree::longest(std::span<const int32_t> among, std::span<const int32_t> rest,
                                               bool is_long) const {
  std::pair<int32_t, int64_t> best{-1, 0};
  for (const int32_t n : among) {
    const Node& node = nodes_[size_t(n)];
    if (node.is_long != is_long) continue;
    const std::span<const int32_t> edge = tokens(node);
    const auto shared = int64_t(std::mismatch(edge.begin(), edge.end(), rest.begin(), rest.end()).first - edge.begin());
    if (shared > best.second) best = {n, shared};
  }
  return best;
}

// The last token is predicted and predicts nothing: it has no row.
void TokenTree::add(size_t request, bool is_long, bool share) {
  const Continuation& c = requests_[request];
  const int64_t rows = int64_t(c.tokens.size()) - 1;
  const auto put_targets = [&](int32_t n) {
    Node& node = nodes_[size_t(n)];
    const int64_t first = int64_t(c.tokens.size()) - c.scored;  // the first token of the continuation
    for (int64_t p = std::max(node.begin, first - 1); p < std::min(node.end, rows); ++p)
      node.targets.push_back({p, c.tokens[size_t(p) + 1], first_slots_[request] + size_t(p + 1 - first)});
  };
  int32_t parent = -1;
  int64_t at = 0;
  while (at < rows && share) {
    const auto rest = std::span(c.tokens).subspan(size_t(at), size_t(rows - at));
    const auto [n, shared] = longest(parent < 0 ? roots_ : nodes_[size_t(parent)].children, rest, is_long);
    if (shared < kLeastShared && shared < rows - at) break;
    if (shared < nodes_[size_t(n)].end - at && shared < rows - at) split(n, at + shared);
    put_targets(n);
    at += shared;
    parent = n;
  }
  if (at == rows) return;
  const auto n = int32_t(nodes_.size());
  nodes_.push_back({.begin = at, .end = rows, .request = request, .parent = parent, .is_long = is_long});
  (parent < 0 ? roots_ : nodes_[size_t(parent)].children).push_back(n);
  put_targets(n);
}

// The node keeps what comes before `at`; the rest becomes its only child, which takes over its children.
void TokenTree::split(int32_t n, int64_t at) {
  const auto below = int32_t(nodes_.size());
  Node rest = nodes_[size_t(n)];
  rest.begin = at;
  rest.parent = n;
  std::erase_if(rest.targets, [&](const Target& t) { return t.position < at; });
  for (const int32_t child : rest.children) nodes_[size_t(child)].parent = below;
  nodes_.push_back(std::move(rest));
  Node& node = nodes_[size_t(n)];
  node.end = at;
  node.children = {below};
  std::erase_if(node.targets, [&](const Target& t) { return t.position >= at; });
}

int64_t TokenTree::rows() const noexcept {
  int64_t rows = 0;
  for (const Node& n : nodes_) rows += n.end - n.begin;
  return rows;
}

}  // namespace puna
