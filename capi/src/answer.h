// answer.h -- an answer from its prompt's ids to its end, with C's options, callback and result: for text, ids, chats
// and engines.
#pragma once
#include <cstdint>
#include <vector>

#include "puna.h"
#include "puna/base/function_ref.h"
#include "puna/runtime/generate.h"

namespace puna::capi {

// All but process_logits, which borrows from the caller.
GenerateOptions generate_options_from_c(const puna_generate_options& options);

// `prompt` gives the ids, once the options are known to be usable. Within a guard().
void answer(puna_session* session, const puna_generate_options& options, puna_token_fn on_token, void* user,
            puna_generate_result* result, FunctionRef<std::vector<int32_t>(const puna_generate_options&)> prompt);

}  // namespace puna::capi
