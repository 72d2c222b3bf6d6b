// merge.h -- byte-pair encoding's loop (arXiv:1508.07909): join the neighbours with the lowest rank, leftmost first,
// until no pair has one. Ranks are a functor (left, right) -> Merge, so merge lists, tiktoken ranks and SentencePiece
// scores share it. Short pieces scan for the minimum; long ones use a heap: O(n log n), because a text may be one
// piece.
#pragma once
#include <algorithm>
#include <cstdint>
#include <vector>

#include "puna/base/watch.h"

namespace puna::text {

struct Symbol {
  int32_t id;           // -1: not a token (yet)
  uint32_t begin, end;  // its bytes of the piece
};
inline constexpr uint32_t kNoRank = UINT32_MAX;
struct Merge {
  uint32_t rank = kNoRank;
  int32_t id = -1;  // what the two become
};

struct MergeScratch {
  struct Node {
    uint32_t previous, next;
  };
  struct Candidate {
    uint32_t rank, left;
  };
  std::vector<Merge> merges;  // merges[i]: of symbol i with the one to its right
  std::vector<Node> nodes;
  std::vector<Candidate> heap;
  const Watch* watch = nullptr;  // asked in long pieces
};

template <class Ranks>
void merge_short(std::vector<Symbol>& s, const Ranks& rank, MergeScratch& scratch) {
  auto& m = scratch.merges;
  m.clear();
  for (size_t i = 0; i + 1 < s.size(); ++i) m.push_back(rank(s[i], s[i + 1]));
  while (!m.empty()) {
    size_t best = 0;
    for (size_t i = 1; i < m.size(); ++i)
      if (m[i].rank < m[best].rank) best = i;
    if (m[best].rank == kNoRank) return;
    s[best] = {m[best].id, s[best].begin, s[best + 1].end};
    s.erase(s.begin() + std::ptrdiff_t(best) + 1);
    m.erase(m.begin() + std::ptrdiff_t(best));
    if (best > 0) m[best - 1] = rank(s[best - 1], s[best]);
    if (best < m.size()) m[best] = rank(s[best], s[best + 1]);
  }
}

// A linked list of symbols and a heap of pairs. A heap entry counts only while its pair still has that rank.
template <class Ranks>
void merge_long(std::vector<Symbol>& s, const Ranks& rank, MergeScratch& scratch) {
  const auto n = uint32_t(s.size());
  const auto later = [](const MergeScratch::Candidate& a, const MergeScratch::Candidate& b) {
    return a.rank != b.rank ? a.rank > b.rank : a.left > b.left;
  };
  auto& m = scratch.merges;
  auto& nodes = scratch.nodes;
  auto& heap = scratch.heap;
  const auto tick = [&] {
    if (scratch.watch) scratch.watch->tick();
  };
  m.assign(n, {});
  nodes.resize(n);
  heap.clear();
  for (uint32_t i = 0; i < n; ++i) {
    tick();
    nodes[i] = {i - 1, i + 1};  // the first has no previous: UINT32_MAX
    if (i + 1 < n) m[i] = rank(s[i], s[i + 1]);
    if (m[i].rank != kNoRank) heap.push_back({m[i].rank, i});
  }
  std::make_heap(heap.begin(), heap.end(), later);
  const auto update = [&](uint32_t left) {
    m[left] = nodes[left].next < n ? rank(s[left], s[nodes[left].next]) : Merge{};
    if (m[left].rank == kNoRank) return;
    heap.push_back({m[left].rank, left});
    std::push_heap(heap.begin(), heap.end(), later);
  };
  while (!heap.empty()) {
    tick();
    const MergeScratch::Candidate c = heap.front();
    std::pop_heap(heap.begin(), heap.end(), later);
    heap.pop_back();
    if (m[c.left].rank != c.rank) continue;
    const uint32_t right = nodes[c.left].next;
    s[c.left] = {m[c.left].id, s[c.left].begin, s[right].end};
    m[right] = {};
    nodes[c.left].next = nodes[right].next;
    if (nodes[right].next < n) nodes[nodes[right].next].previous = c.left;
    if (nodes[c.left].previous < n) update(nodes[c.left].previous);
    update(c.left);
  }
  uint32_t kept = 0;
  for (uint32_t i = 0; i < n; i = nodes[i].next) s[kept++] = s[i];
  s.resize(kept);
}

template <class Ranks>
void merge_all(std::vector<Symbol>& symbols, const Ranks& rank, MergeScratch& scratch) {
  constexpr size_t kShort = 48;
  if (symbols.size() <= kShort)
    merge_short(symbols, rank, scratch);
  else
    merge_long(symbols, rank, scratch);
}

}  // namespace puna::text
