// chat_template.h -- a chat's messages to the prompt text a model was trained on, by the Jinja template it ships.
// The interpreter is bounded (steps, depth, output size): a hostile template is an error, never a hang.
// The date comes from the caller: nothing here reads a clock, a file or the environment.
#pragma once
#include <memory>
#include <string>
#include <string_view>

namespace puna {

class ChatTemplate {
 public:
  struct Limits {
    int64_t steps = 10'000'000;        // evaluated nodes
    int depth = 200;                   // nesting while parsing and evaluating
    int64_t output_bytes = 64 << 20;
  };
  // Throws Error{bad_file} "chat template line 3: ..." on a syntax error, Error{unsupported} on a feature we lack.
  static std::shared_ptr<const ChatTemplate> parse(std::string_view source, const Limits& limits);
  static std::shared_ptr<const ChatTemplate> parse(std::string_view source) { return parse(source, Limits()); }
  virtual ~ChatTemplate() = default;

  // `variables_json`: one JSON object with what transformers' apply_chat_template passes: messages, tools (or null),
  // add_generation_prompt, bos_token, eos_token, and any further keyword; key order is kept. `now` (YYYY-MM-DD, "" = none)
  // answers strftime_now. Errors raised by the template (raise_exception) are Error{invalid_argument} with its message.
  virtual std::string render(std::string_view variables_json, std::string_view now = {}) const = 0;
};

}  // namespace puna
