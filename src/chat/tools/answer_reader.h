// answer_reader.h -- what is behind a ToolCallParser: a reader of answers in which calls follow openers, or are bare,
// and one of answers that are messages with headers (harmony).
#pragma once
#include <memory>

#include "chat/tools/format.h"
#include "puna/chat/tool_parser.h"

namespace puna::tools {

class AnswerReader {
 public:
  using Sink = ToolCallParser::Sink;
  virtual ~AnswerReader() = default;
  virtual void push(std::string_view text, Sink sink) = 0;
  virtual void push_special(std::string_view name, Sink sink) = 0;
  virtual void finish(Sink sink) = 0;
  virtual size_t calls() const noexcept = 0;
};

std::unique_ptr<AnswerReader> call_reader(const Tools& tools, const ToolFormat& format,
                                          const ToolCallParser::Options& options);
std::unique_ptr<AnswerReader> harmony_reader(const Tools& tools, const ToolCallParser::Options& options);

}  // namespace puna::tools
