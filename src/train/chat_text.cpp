#include "train/chat_text.h"

#include <algorithm>

#include "puna/base/error.h"

namespace puna::train {
namespace {

bool has(const std::optional<std::string>& text, std::string_view what) {
  return text && text->find(what) != std::string::npos;
}

// Two messages whose second calls a tool.
std::string call(std::string_view content, std::string_view arguments) {
  return R"([{"role":"user","content":"Hi"},{"role":"assistant","content":)" + std::string(content) +
         R"(,"tool_calls":[{"type":"function","id":"abcdefghi","function":{"name":"look","arguments":)" +
         std::string(arguments) + "}}]}]";
}

}  // namespace

bool ChatText::reads(std::string_view variable) const {
  return codec_.chat_reads ? codec_.chat_reads(variable) : variable == "tools" || variable == "documents";
}

RenderedChat ChatText::render(const Place& place, const std::string& variables, const std::string& date) const {
  if (!exists()) fail(Status::unsupported, "%s: chats need a model with a chat template", place.text().c_str());
  try {
    return codec_.render_chat(variables, date.empty() ? options_.date : date);
  } catch (const Error& e) {
    if (e.status() == Status::out_of_memory || e.status() == Status::cancelled) throw;
    fail(e.status(), "%s: %s", place.text().c_str(), e.what());
  }
}

std::optional<std::string> ChatText::attempt(const std::string& messages) const {
  try {
    return codec_
        .render_chat("{\"messages\":" + messages + R"(,"tools":null,"documents":null,"add_generation_prompt":false})",
                     options_.date)
        .text;
  } catch (const Error& e) {
    if (e.status() == Status::out_of_memory || e.status() == Status::cancelled) throw;
    return {};
  }
}

bool ChatText::takes_null_content() {
  if (!null_content_) {
    const std::optional<std::string> text = attempt(call("null", "{}"));
    null_content_ = text && !has(text, "None");
  }
  return *null_content_;
}

bool ChatText::takes_parts() {
  if (!parts_) {
    const std::optional<std::string> text = attempt(R"([{"role":"user","content":[{"type":"text","text":"needle"}]}])");
    parts_ = text && !has(text, "'type'") && !has(text, "\"type\"");
  }
  return *parts_;
}

bool ChatText::wants_argument_objects() {
  if (!objects_) {
    const auto written = [&](std::string_view arguments) { return attempt(call("\"\"", arguments)); };
    const std::optional<std::string> object = written(R"({"needle":"x"})"), text = written(R"("{\"needle\": \"x\"}")");
    const bool quoted_twice = !text || has(text, "\\\"needle\\\"");
    objects_ = has(object, "needle") && quoted_twice;
  }
  return *objects_;
}

RenderedChat part_of(const RenderedChat& chat, size_t begin, size_t end) {
  RenderedChat part{chat.text.substr(begin, end - begin), {}};
  for (const TextSpan& s : chat.content)
    if (s.end > begin && s.begin < end)
      part.content.push_back({std::max(s.begin, begin) - begin, std::min(s.end, end) - begin});
  return part;
}

}  // namespace puna::train
