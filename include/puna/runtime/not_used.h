// not_used.h -- the keys and tensors of a model's files that were not read while the model was opened. They change no
// result: a key that would is an error (model/leftovers.h).
#pragma once
#include <string>
#include <vector>

#include "puna/io/checkpoint.h"

namespace puna {

struct NotUsed {
  struct Item {
    std::string name;
    // A tensor's type and shape, or why it cannot be read. Of a key: the known key that it resembles, or "".
    std::string note;
  };
  std::vector<Item> tensors, keys;
};

// Call it when everything that reads the checkpoint has read it.
NotUsed not_used(const Checkpoint& checkpoint);

}  // namespace puna
