// weight_block.h -- all matrices of a model in one block of memory, in the order in which they are asked for: large
// pages cover small matrices too. The length of the block comes from a dry run (rehearsal.h), in which nothing is
// packed.
#pragma once
#include "puna/io/checkpoint.h"
#include "puna/model/llama.h"
#include "puna/model/weight_store.h"

namespace puna {

// Makes a model of one source, its matrices where the store says. Called twice by those who must know sizes first.
using BuildLlama = FunctionRef<Llama(const Context& context, WeightStore* store, LoadProgress progress)>;

Llama in_one_block(const Context& context, LoadProgress progress, BuildLlama build);

}  // namespace puna
