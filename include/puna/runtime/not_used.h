// not_used.h -- what a model's files say and nobody read while the model was opened. It changes no number: what would
// has refused the model (model/leftovers.h).
#pragma once
#include <string>
#include <vector>

#include "puna/io/checkpoint.h"

namespace puna {

struct NotUsed {
  struct Item {
    std::string name;
    std::string note;  // a tensor's type and shape, or why it cannot be read; of a key what it may have been meant to
                       // be; "" = nothing to say
  };
  std::vector<Item> tensors, keys;
};

// Call it when everything that reads the checkpoint has read it.
NotUsed not_used(const Checkpoint& checkpoint);

}  // namespace puna
