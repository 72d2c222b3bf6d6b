// What a template leaves out of a chat is found, and what it only writes otherwise is not.
#include "puna/chat/chat_template.h"
#include "puna/chat/dropped_fields.h"
#include "support/catch.h"

using namespace puna;

namespace {

using Names = std::vector<std::string>;

Names dropped(std::string_view source, const std::string& variables) {
  return dropped_fields(variables, ChatTemplate::parse(source)->render(variables));
}

constexpr const char* kPlain =
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}";
const std::string kCalls =
    R"({"messages": [{"role": "system", "content": "You are brief."}, {"role": "user", "content": "Weather in Paris?"},
  {"role": "assistant", "content": "", "reasoning_content": "They ask of France.",
   "tool_calls": [{"type": "function", "function": {"name": "get_weather", "arguments": {"city": "Paris, TX", "days": 3}}}]},
  {"role": "tool", "name": "get_weather", "content": "{\"sky\": \"clear\"}"}],
  "tools": [{"type": "function", "function": {"name": "get_weather", "description": "Looks out of the window", "parameters": {}}}]})";

}  // namespace

TEST_CASE("tools, tool calls and reasoning that a template does not write are named", "[chat]") {
  CHECK(dropped(kPlain, kCalls) == Names{"messages[2].reasoning_content", "messages[2].tool_calls", "tools"});
}

TEST_CASE("a system message that a template skips is named", "[chat]") {
  const std::string skips =
      "{% for m in messages if m.role != 'system' %}{{ m.content }}{{ m.tool_calls|tojson if m.tool_calls }}{{ "
      "m.reasoning_content }}{% endfor %}"
      "{{ tools|tojson }}";
  CHECK(dropped(skips, kCalls) == Names{"messages[0].content"});
}

TEST_CASE("what a template writes escaped, trimmed, shortened or elsewhere has arrived", "[chat]") {
  const std::string moves =
      "{{ tools|tojson }}{% for m in messages[1:] %}{{ m.reasoning_content }}{{ m.content|trim|upper }}{{ "
      "m.tool_calls|tojson if m.tool_calls }}"
      "{% endfor %}{{ messages[0].content }}";
  CHECK(dropped(moves, kCalls) == Names{});
  const std::string think =
      R"({"messages": [{"role": "assistant", "content": "<think>\na long thought about it\n</think>\n\nParis it is"}]})";
  CHECK(dropped("{% for m in messages %}{{ m.content.split('</think>')[-1] }}{% endfor %}", think) == Names{});
  CHECK(dropped("{{ messages[0].content|tojson }}",
                R"({"messages": [{"role": "user", "content": "\"\n\t"}, {"role": "user", "content": "\n"}]})")
            .size() == 0);
}

TEST_CASE("tools that are listed do not hide that their calls are missing", "[chat]") {
  const std::string lists = "{{ tools|tojson }}" + std::string(kPlain);
  CHECK(dropped(lists, kCalls) == Names{"messages[2].reasoning_content", "messages[2].tool_calls"});
}

TEST_CASE("parts of a message count by their text", "[chat]") {
  const std::string parts =
      R"({"messages": [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "What is on it?"}]}]})";
  CHECK(dropped("{% for p in messages[0].content %}{{ '<|image|>' if p.type == 'image' else p.text }}{% endfor %}",
                parts) == Names{});
  CHECK(dropped("{% for p in messages[0].content %}{{ '<|image|>' if p.type == 'image' }}{% endfor %}", parts) ==
        Names{"messages[0].content"});
}
