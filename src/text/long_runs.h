// long_runs.h -- Meta's llama3 and llama4 tokenizers cut a text every 400000 characters, and before a run of white
// space or of other characters grows beyond 25000, because their regular expression engine cannot take more. Merges do
// not cross the cuts, so the ids depend on them: we cut at the same places, although we could take more.
#pragma once
#include <string_view>

#include "puna/base/function_ref.h"

namespace puna::text {

// Calls `part` for consecutive parts of `utf8`, in order. A malformed byte counts as one character.
void cut_long_runs(std::string_view utf8, FunctionRef<void(std::string_view)> part);

}  // namespace puna::text
