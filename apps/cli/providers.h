// providers.h -- libpuna_providers, loaded only by the verbs that use it, so that others start without its libraries.
#pragma once
#include <string>

#include "puna/base/context.h"

namespace puna::cli {

// What --providers says: none (false), f32 (true) or bf16. Error{invalid_argument} for anything else.
AllowProviders providers_level(const std::string& word);

// Puts the best provider there is into the options and allows as much of it. Error{unsupported} when `required` and
// there is none.
void add_provider(ContextOptions& options, AllowProviders level, bool required);

}  // namespace puna::cli
