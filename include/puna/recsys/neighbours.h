// neighbours.h -- approximate search, for catalogues above about a million items: a graph of near neighbours (HNSW,
// arXiv:1603.09320) is walked towards the query, and some thousands of items are looked at instead of all. Some of the
// best are missed: the share that is found (recall) grows with `width`; `puna rec index` measures it.
//
// The graph is hnswlib's, over our 8-bit codes and kernels. It is linked into programs that ask for the CMake target
// puna_hnsw, never into libpuna: it takes memory that no context counts.
#pragma once
#include <memory>
#include <string>

#include "puna/base/function_ref.h"
#include "puna/recsys/search.h"

namespace puna::recsys {

struct NeighbourOptions {
  int64_t links = 16;         // of an item on every level but the lowest, where there are twice as many; 2 to 64
  int64_t build_width = 200;  // candidates kept while a new item is inserted (efConstruction)
  uint64_t seed = 100;        // of the levels
  // Items are placed by all of the context's threads: quicker, as good, and never the same graph twice. Otherwise the
  // graph depends on the rows and these options alone.
  bool parallel = false;
};

// Immutable; searches may run from many threads. Meant for vectors of about equal length (a sequence model's are of
// unit length): long ones are found from everywhere, short ones hardly.
class NeighbourIndex {
 public:
  virtual ~NeighbourIndex() = default;
  // The best `k` of each query [queries][dim] among what was looked at, best first, ties by the smaller number; scores
  // are of the codes, rerank() gives those of the vectors. Fewer than k only where the filter allows fewer. width:
  // candidates kept (ef), at least k; 0 = 2 k.
  virtual std::vector<std::vector<Hit>> search(std::span<const float> queries, int64_t k, int64_t width = 0,
                                               const ItemFilter& filter = {}) const = 0;
  virtual void save(const std::string& path) const = 0;  // the graph, not the vectors; replaces the file in one step
  virtual int64_t count() const noexcept = 0;
  virtual int64_t dim() const noexcept = 0;
  virtual uint64_t bytes() const noexcept = 0;  // about what it holds
};

// rows [count][dim]. should_stop is asked every some thousand items, with how many are placed: true ends it with
// Error{cancelled}. Error{invalid_argument} naming a row that is not finite or an option that is out of range.
std::unique_ptr<NeighbourIndex> build_neighbours(ContextPtr context, std::span<const float> rows, int64_t dim,
                                                 const NeighbourOptions& options = {},
                                                 FunctionRef<bool(int64_t placed)> should_stop = {});
// What save() wrote, with the rows it was built from. Error{bad_file} for anything corrupted,
// {invalid_argument} for other rows.
std::unique_ptr<NeighbourIndex> load_neighbours(ContextPtr context, std::span<const float> rows, int64_t dim,
                                                const std::string& path);

}  // namespace puna::recsys
