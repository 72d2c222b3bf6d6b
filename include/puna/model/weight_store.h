// weight_store.h -- where packed weights lie: one block of memory, a mapped packed file, or one being written.
#pragma once
#include <cstddef>

#include "puna/tensor/tensor.h"

namespace puna {

class WeightStore {
 public:
  virtual ~WeightStore() = default;
  struct Place {
    const std::byte* panels;  // where the matrix is, or will be
    std::byte* fill;          // the same when it is still to be packed; NULL: it is there already
  };
  // Called for every matrix of a model, in an order that follows from the source alone; w has everything but its
  // panels.
  virtual Place place(const Weight& w) = 0;
};

}  // namespace puna
