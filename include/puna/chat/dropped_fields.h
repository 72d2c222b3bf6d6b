// dropped_fields.h -- what a chat template left out: tool calls, tools, a system message, reasoning.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "puna/base/watch.h"
#include "puna/text/rendered_chat.h"

namespace puna {

// The fields of which nothing reached the text, in their order: "messages[0].content", "messages[2].tool_calls",
// "tools". `variables_json` is what the chat was rendered from. A field has arrived when one phrase of it (letters,
// digits, spaces) is in what the template did not write, so that escaped, trimmed and shortened texts count as arrived;
// a text that happens to be said elsewhere too is not missed. Fields without text are not looked at.
std::vector<std::string> dropped_fields(std::string_view variables_json, const RenderedChat& chat,
                                        const Watch& watch = Watch());

}  // namespace puna
