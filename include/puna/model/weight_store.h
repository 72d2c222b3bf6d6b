// weight_store.h -- where packed weights lie: one block of memory, a packed file that is mapped, or one being made.
#pragma once
#include <cstddef>

#include "puna/tensor/tensor.h"

namespace puna {

class WeightStore {
 public:
  virtual ~WeightStore() = default;
  struct Room {
    const std::byte* panels;  // where the matrix is, or will be
    std::byte* fill;          // the same when it is still to be packed; NULL: it is there already
  };
  // Called for every matrix of a model, in an order that follows from the source alone; w has everything but its
  // panels.
  virtual Room room(const Weight& w) = 0;
};

}  // namespace puna
