// sort_by_id.h -- entries by the table row they belong to, entries of a row as they came: sums over a row's entries
// then have one order.
#pragma once
#include <cstdint>

namespace puna {

// order[0 ... count) = the entries by ascending ids[entry], 0 ... max_id. `other`: a workspace of the same size.
void sort_by_id(int32_t* order, int32_t* other, const int32_t* ids, int64_t count, int32_t max_id) noexcept;

}  // namespace puna
