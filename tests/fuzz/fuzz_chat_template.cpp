// Input: a chat template, up to the first NUL byte if there is one; what follows is a user's message. Only puna::Error
// may come out, soon, under small limits; and content that lies in the text, in order.
#include <nlohmann/json.hpp>
#include <string_view>

#include "puna/base/error.h"
#include "puna/chat/chat_template.h"
#include "target.h"

FUZZ_TARGET(chat_template) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::string_view source = input.substr(0, input.find('\0'));
  const std::string_view said = source.size() < size ? input.substr(source.size() + 1) : "Hi <|eot|> é";

  const nlohmann::ordered_json variables = {
      {"messages",
       {{{"role", "system"}, {"content", "Be kind."}},
        {{"role", "user"}, {"content", std::string(said)}},
        {{"role", "assistant"},
         {"content", nullptr},
         {"tool_calls", {{{"function", {{"name", "f"}, {"arguments", {{"a", 1.5}, {"b", {1, "x"}}}}}}}}}},
        {{"role", "tool"}, {"content", {{{"type", "text"}, {"text", "21 °C"}}}}}}},
      {"tools", {{{"type", "function"}, {"function", {{"name", "f"}, {"parameters", {{"type", "object"}}}}}}}},
      {"add_generation_prompt", true},
      {"bos_token", "<s>"},
      {"eos_token", "</s>"}};
  puna::ChatTemplate::Limits limits;
  limits.steps = 100000;
  limits.depth = 100;
  limits.output_bytes = 1 << 20;
  try {
    const std::string json = variables.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
    const puna::RenderedChat chat = puna::ChatTemplate::parse(source, limits)->render(json, "2025-03-09");
    puna::test::accepted = true;
    size_t end = 0;
    for (const puna::TextSpan& s : chat.content) {
      if (s.begin >= s.end || (end > 0 && s.begin <= end) || s.end > chat.text.size()) __builtin_trap();
      end = s.end;
    }
  } catch (const puna::Error&) {}
  return 0;
}
