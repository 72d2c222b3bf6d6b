// answer_events.h -- what a reader of answers tells its sink: text and thoughts, of which pieces that follow each other
// come as one event, and calls with their numbers.
#pragma once
#include <string>
#include <string_view>

#include "puna/chat/tool_parser.h"

namespace puna::tools {

class AnswerEvents {
 public:
  using Sink = ToolCallParser::Sink;
  void to(const Sink* sink) noexcept { sink_ = sink; }  // NULL between calls of the reader
  size_t calls() const noexcept { return calls_; }
  void restart_calls() noexcept { calls_ = 0; }

  // `from`: where the text stands in the answer. Kept until the next event, or tell_said().
  void say(std::string_view text, uint64_t from, ToolEvent::Kind kind) {
    if (kind != said_kind_ || said_from_ + said_.size() != from) tell_said();
    if (said_.empty()) said_from_ = from;
    said_kind_ = kind;
    said_ += text;
  }

  void tell_said() {
    if (said_.empty()) return;
    ToolEvent e;
    e.kind = said_kind_;
    e.text = said_;
    e.begin = said_from_;
    e.end = said_from_ + said_.size();
    (*sink_)(e);
    said_.clear();
  }

  void call_begins(std::string_view name) { tell(ToolEvent::Kind::call_begin, name); }
  void arguments(std::string_view json) {
    if (!json.empty()) tell(ToolEvent::Kind::arguments, json);
  }
  void call_ends(bool complete, uint64_t begin, uint64_t behind) {
    ToolEvent e;
    e.kind = ToolEvent::Kind::call_end;
    e.call = calls_++;
    e.begin = begin;
    e.end = behind;
    e.complete = complete;
    (*sink_)(e);
  }

 private:
  void tell(ToolEvent::Kind kind, std::string_view text) {
    ToolEvent e;
    e.kind = kind;
    e.call = calls_;
    e.text = text;
    (*sink_)(e);
  }

  std::string said_;  // that no event has told yet
  uint64_t said_from_ = 0;
  ToolEvent::Kind said_kind_ = ToolEvent::Kind::text;
  size_t calls_ = 0;
  const Sink* sink_ = nullptr;
};

}  // namespace puna::tools
