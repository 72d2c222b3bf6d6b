// mask_builder.h -- the tokens that may come after a configuration.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "grammar/automaton.h"
#include "grammar/vocabulary.h"

namespace puna::grammar {

// bits: bit by id, to be added to. Special tokens and stop tokens are the caller's.
void add_mask(Automaton& automaton, const GrammarVocabulary& vocabulary, uint32_t configuration,
              std::span<uint64_t> bits);

}  // namespace puna::grammar
