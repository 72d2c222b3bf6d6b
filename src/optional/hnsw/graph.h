// graph.h -- an item graph as plain arrays: what a file holds, and what is checked before hnswlib, which trusts
// everything, walks it.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "puna/base/context.h"

namespace puna::recsys {

inline constexpr int64_t kMostLinks = 64;
inline constexpr int kMostLevel = 30;  // chance puts one item in links^level there

// Node n of `items.size()` is on levels 0 ... levels[n]; its lists of neighbours lie one behind the other, the lowest
// level first.
struct ItemGraph {
  int64_t links = 0, build_width = 0, entry = 0;  // entry: a node of the highest level
  uint64_t rows_hash = 0;                         // of the vectors it belongs to
  std::vector<int32_t> items;                     // [nodes] the item of each: a permutation
  std::vector<uint8_t> levels;                    // [nodes]
  std::vector<uint8_t> list_sizes;                // [lists]
  std::vector<int32_t> neighbours;                // [sum of list_sizes] nodes

  int64_t most_links(int level) const noexcept { return level == 0 ? 2 * links : links; }
  int level() const noexcept { return items.empty() ? 0 : levels[size_t(entry)]; }
};

// Error{bad_file} naming `name` and what is wrong, unless every walk stays within the arrays.
void check(const ItemGraph& graph, const std::string& name);
void write_graph(const std::string& path, const ItemGraph& graph);      // a safetensors file
ItemGraph read_graph(const Context& context, const std::string& path);  // checked

}  // namespace puna::recsys
