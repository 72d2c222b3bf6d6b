// fingerprint.h -- a hash that identifies a model: every number of the configuration and a sample of every weight. The
// same for every ISA level and thread count; a model stored in another format is another one, because its keys and
// values differ.
#pragma once
#include "puna/model/llama.h"

namespace puna {

uint64_t fingerprint(const Llama& model);

}  // namespace puna
