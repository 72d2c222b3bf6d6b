// prepare.h -- from a request to what a model takes in: messages are rendered, texts encoded, pictures decoded,
// grammars compiled. Beside the answers under way, never between them.
#pragma once
#include "answering.h"
#include "models.h"
#include "puna/base/watch.h"
#include "requests.h"

namespace puna::serve {

struct Prepared {
  Prompt prompt;
  GenerateOptions generate;  // without the prompt's own
  Reading reading;
};

// ApiError(400): the template refuses the messages, a grammar does not compile, the prompt is too long, ...
Prepared prepare_chat(const ChatRequest& request, const ChosenModel& chosen, const Watch& watch);
GenerateOptions generate_options(const Sampling& sampling, const ChosenModel& chosen, size_t prompt_tokens);
GrammarPtr compile(const Constraint& constraint, const ChosenModel& chosen, const Watch& watch);  // NULL: none
// Ids of a text prompt, or these ids, checked. A text that is too long for the context is refused as soon as that is
// sure, mostly without looking into it.
std::vector<int32_t> prompt_ids(const std::string& text, bool parse_special, const ChosenModel& chosen,
                                const std::string& param, const Watch& watch);
void require_ids(const std::vector<int32_t>& ids, const ChosenModel& chosen, const std::string& param);
// ApiError(400, context_length_exceeded) with the counts.
void require_fits(size_t tokens, const ChosenModel& chosen, const std::string& param);

}  // namespace puna::serve
