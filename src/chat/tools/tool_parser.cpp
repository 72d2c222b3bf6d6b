#include "puna/chat/tool_parser.h"

#include <algorithm>

#include "chat/tools/answer_reader.h"
#include "chat/tools/json_scan.h"
#include "chat/tools/thoughts.h"

namespace puna {

ToolCallParser::ToolCallParser(const Tools& tools, const ToolFormat& format, const Options& options)
    : reader_(format.messages ? tools::harmony_reader(tools, options) : tools::call_reader(tools, format, options)) {}
ToolCallParser::~ToolCallParser() = default;
ToolCallParser::ToolCallParser(ToolCallParser&&) noexcept = default;
ToolCallParser& ToolCallParser::operator=(ToolCallParser&&) noexcept = default;

void ToolCallParser::push(std::string_view text, Sink on_event) { reader_->push(text, on_event); }
void ToolCallParser::push_special(std::string_view name, Sink on_event) { reader_->push_special(name, on_event); }
void ToolCallParser::finish(Sink on_event) { reader_->finish(on_event); }
size_t ToolCallParser::calls() const noexcept { return reader_->calls(); }

bool ends_in_thought(std::string_view prompt) noexcept {
  while (!prompt.empty() && tools::is_json_blank(prompt.back())) prompt.remove_suffix(1);
  return std::any_of(std::begin(tools::kThoughts), std::end(tools::kThoughts), [&](const tools::ThoughtMarks& t) {
    std::string_view open = t.open;
    while (tools::is_json_blank(open.back())) open.remove_suffix(1);
    return prompt.ends_with(open);
  });
}

}  // namespace puna
