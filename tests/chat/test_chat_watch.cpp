// A template may be left at any moment: while it is parsed, while its variables are read, and while it renders.
#include <string>

#include "puna/chat/chat_template.h"
#include "support/leaves.h"

using namespace puna;
using namespace puna::test;

TEST_CASE("a template may be left while it is parsed and while it renders", "[chat]") {
  std::string source;
  for (int i = 0; i < 1000; ++i) source += "{% if a %}x{% else %}{{ b | trim }}{% endif %}";
  check_leaves("parse", [&](const Watch& watch) { ChatTemplate::parse(source, {}, watch); });
  const auto loop = ChatTemplate::parse("{% for i in range(20000) %}{{ i }},{% endfor %}");
  check_leaves("render", [&](const Watch& watch) { loop->render("{}", {}, watch); });
  const auto plain = ChatTemplate::parse("{{ messages | length }}");
  std::string messages = R"({"messages": [)";
  for (int i = 0; i < 5000; ++i) messages += R"({"role": "user", "content": "some text"},)";
  messages.back() = ']';
  messages += "}";
  check_leaves("variables", [&](const Watch& watch) { plain->render(messages, {}, watch); });
}
