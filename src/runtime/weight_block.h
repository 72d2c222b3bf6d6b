// weight_block.h -- all matrices of a model in one block of memory, in the order in which they are asked for: large pages cover small matrices too.
// How long the block must be is learnt from a rehearsal, in which nothing is packed.
#pragma once
#include "puna/io/checkpoint.h"
#include "puna/model/llama.h"
#include "puna/model/weight_store.h"

namespace puna {

// build(context, store, progress) makes a model of the same source each time; it is called twice.
Llama in_one_block(const Context& context, LoadProgress progress, FunctionRef<Llama(const Context& context, WeightStore* store, LoadProgress progress)> build);

}  // namespace puna
