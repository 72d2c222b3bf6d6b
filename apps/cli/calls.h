// calls.h -- an answer that may think and call tools: all of it printed as it comes.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "output.h"
#include "puna/base/error.h"
#include "puna/chat/tool_parser.h"
#include "puna/runtime/generate.h"
#include "puna/runtime/model.h"

namespace puna::cli {

class AnswerWithCalls {
 public:
  // Without tools nothing is a call.
  AnswerWithCalls(const Model& model, const Tools& tools) : model_(model), tools_(tools), parser_(make_parser(false)) {}

  // The prompt ended with the mark behind which a model thinks.
  void begin_in_thought() { parser_ = make_parser(true); }

  void hear(const GeneratedToken& token) {
    const auto sink = [&](const ToolEvent& e) { told(e); };
    const Tokenizer& tokenizer = model_.require_tokenizer();
    parser_.push(token.text, sink);
    if (token.id < tokenizer.size() && tokenizer.is_special(token.id))
      parser_.push_special(tokenizer.bytes(token.id), sink);
  }
  void end() {
    parser_.finish([&](const ToolEvent& e) { told(e); });
    end_thought();
  }

  bool empty() const { return said_.empty() && thought_.empty() && calls_.empty(); }
  // As templates take it: {"role": "assistant", "content", "reasoning_content", "tool_calls"}.
  OrderedJson message() const {
    OrderedJson message = {{"role", "assistant"}, {"content", said_}};
    if (!thought_.empty()) message["reasoning_content"] = thought_;
    if (!calls_.empty()) message["tool_calls"] = calls_;
    return message;
  }
  const std::vector<OrderedJson>& calls() const { return calls_; }

 private:
  ToolCallParser make_parser(bool in_thought) const {
    ToolCallParser::Options options;
    options.thoughts = true;
    options.begins_in_thought = in_thought;
    return ToolCallParser(tools_, model_.tool_format(), options);
  }

  // A thought stands in parentheses.
  void think(std::string_view text) {
    print((thought_.empty() ? "(" : "") + std::string(text));
    thought_ += text;
    thinking_ = true;
  }
  void end_thought() {
    if (std::exchange(thinking_, false)) print(")\n\n");
  }

  void told(const ToolEvent& e) {
    if (e.kind == ToolEvent::Kind::thought) return think(e.text);
    end_thought();
    switch (e.kind) {
      case ToolEvent::Kind::thought: return;
      case ToolEvent::Kind::text: said_ += e.text; return print(e.text);
      case ToolEvent::Kind::call_begin:
        name_ = e.text;
        arguments_.clear();
        return;
      case ToolEvent::Kind::arguments: arguments_ += e.text; return;
      case ToolEvent::Kind::call_end: break;
    }
    print((calls_.empty() && said_.empty() ? "" : "\n") + name_ + " " + arguments_);
    OrderedJson arguments = arguments_;  // as a text where a key appears twice
    try {
      arguments = parse_ordered_json(arguments_, "arguments");
    } catch (const Error&) {}
    // Nine characters: Mistral's templates want them.
    const std::string id = std::to_string(100000000 + calls_.size());
    calls_.push_back({{"id", id}, {"type", "function"}, {"function", {{"name", name_}, {"arguments", arguments}}}});
  }

  const Model& model_;
  const Tools tools_;
  ToolCallParser parser_;
  std::string said_, thought_, name_, arguments_;
  bool thinking_ = false;
  std::vector<OrderedJson> calls_;
};

}  // namespace puna::cli
