// llama4_chat.h -- Llama 4's chat format as Meta's own code writes it (llama-models 0.3.0,
// llama4/chat_format.py). It differs from the Hugging Face template (chat_template.h): tool calls and tool results end
// with <|eom|>, calls are JSON with ASCII escapes, nothing is stripped, and what a message says is never read as a
// special token.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace puna {

// How an assistant's tool calls are written: {"type": "function", ...}, <function=f>{...}</function>, or [f(a=1)].
enum class ToolPromptFormat : uint8_t { json, function_tag, python_list };

// To be encoded segment by segment, joining the ids: tokens never span two segments. `special` segments hold only names
// of special tokens (Tokenizer::encode with parse_special); all others are ordinary text, whatever they look like.
struct ChatSegment {
  std::string text;
  bool special = false;
};

// The prompt for a dialog, ending with the assistant's header. `messages_json`: an array of
//   {"role": "system" | "user" | "assistant" | "tool", "content": text, or a list of parts,
//    "context": user only, retrieved text; "stop_reason": assistant only, "end_of_turn" | "end_of_message" |
//    "out_of_tokens";
//    "tool_calls": assistant only, [{"name": ..., "arguments": {...}}]}
// A part is a string, {"type": "text", "text": ...}, or {"type": "image", "rows": r, "columns": c, "patches": p}: an
// image cut into r x c tiles (then a global one, unless it is one tile) of p tokens each. Throws
// Error{invalid_argument} naming the message.
std::vector<ChatSegment> llama4_render_dialog(std::string_view messages_json,
                                              ToolPromptFormat format = ToolPromptFormat::json);

}  // namespace puna
