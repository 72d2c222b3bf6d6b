// search.h -- exact search: the items whose vectors have the largest inner products with a query. Up to about a million
// items it takes milliseconds and an approximate index does not pay.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "puna/base/context.h"

namespace puna::recsys {

struct Hit {
  int64_t item = 0;  // number of the row
  float score = 0;
  bool operator==(const Hit&) const = default;
};

// Which items may be found: bit i % 64 of word i / 64. NULL words: all.
struct ItemFilter {
  const uint64_t* allowed = nullptr;
  bool allows(int64_t i) const noexcept { return !allowed || (allowed[i / 64] >> (i % 64) & 1u) != 0; }
};

// Vectors as 8-bit codes, one scale an item (the largest absolute value / 127): a quarter of the memory, four times the
// speed. A query is coded the same way; the result is that of exact arithmetic on the codes, ties by the smaller
// number. Immutable; searches may run from many threads.
class CodeIndex {
 public:
  // rows [count][dim]. Error{invalid_argument} naming a row that is not finite.
  CodeIndex(ContextPtr context, std::span<const float> rows, int64_t dim);

  // The best `k` of each query [queries][dim], best first; fewer when there are fewer. Many queries at once read the
  // codes once for all.
  std::vector<std::vector<Hit>> search(std::span<const float> queries, int64_t k, const ItemFilter& filter = {}) const;
  int64_t count() const noexcept { return count_; }
  int64_t dim() const noexcept { return dim_; }
  uint64_t bytes() const noexcept { return codes_.size() + scales_.size(); }

  struct Coded {  // a vector and its code: value = scale * code
    std::vector<int8_t> code;
    float scale = 0;
  };
  Coded code_of(std::span<const float> vector) const;  // of a query
  Coded item(int64_t i) const;

 private:
  ContextPtr context_;
  int64_t count_, dim_, padded_, panels_;  // padded: dim in whole steps of 4
  Buffer codes_, scales_;
};

// The same over f32 vectors; scores are f32 sums in ascending order of the dimension.
class VectorIndex {
 public:
  VectorIndex(ContextPtr context, std::span<const float> rows, int64_t dim);
  std::vector<std::vector<Hit>> search(std::span<const float> queries, int64_t k, const ItemFilter& filter = {}) const;
  int64_t count() const noexcept { return count_; }
  int64_t dim() const noexcept { return dim_; }

 private:
  ContextPtr context_;
  int64_t count_, dim_, panels_;
  Buffer panels_of_rows_;
};

// `hits` again, ordered by f32 inner products with the rows themselves: this repairs the errors of the 8-bit codes
// among the candidates.
std::vector<Hit> rerank(const Context& context, std::span<const Hit> hits, std::span<const float> query,
                        const float* rows, int64_t k);

}  // namespace puna::recsys
