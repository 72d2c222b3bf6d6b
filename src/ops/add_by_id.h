// add_by_id.h -- the gradient of rows taken from a table: table[ids[i]] += weights[i] * source row, for many i. Sorted
// by id first (a stable radix sort), so a table row is written by one thread, in the order of i: the same bits for any
// number of threads, and no second table.
#pragma once
#include "ops/inference.h"

namespace puna {

struct RowSums {
  float* table;  // rows of D values, table_row floats apart; added to
  int64_t table_row, D;
  View sources;  // entry i takes row i / entries_per_source
  int64_t entries_per_source;
  const int32_t* ids;  // [count], 0 or more
  const float* weights;
  int64_t count;
  int32_t max_id;
};
void add_by_id(Inference& rec, const RowSums& sums);

}  // namespace puna
