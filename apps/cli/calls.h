// calls.h -- an answer that may call tools: its text and its calls, printed as they come.
#pragma once
#include <string>
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
  // Without tools everything is text.
  AnswerWithCalls(const Model& model, const Tools& tools) : model_(model), parser_(tools, model.tool_format()) {}

  void hear(const GeneratedToken& token) {
    const auto sink = [&](const ToolEvent& e) { told(e); };
    const Tokenizer& tokenizer = model_.require_tokenizer();
    parser_.push(token.text, sink);
    if (token.id < tokenizer.size() && tokenizer.is_special(token.id))
      parser_.push_special(tokenizer.bytes(token.id), sink);
  }
  void end() {
    parser_.finish([&](const ToolEvent& e) { told(e); });
  }

  bool empty() const { return said_.empty() && calls_.empty(); }
  // As templates take it: {"role": "assistant", "content", "tool_calls"}.
  OrderedJson message() const {
    OrderedJson message = {{"role", "assistant"}, {"content", said_}};
    if (!calls_.empty()) message["tool_calls"] = calls_;
    return message;
  }
  const std::vector<OrderedJson>& calls() const { return calls_; }

 private:
  void told(const ToolEvent& e) {
    switch (e.kind) {
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
  ToolCallParser parser_;
  std::string said_, name_, arguments_;
  std::vector<OrderedJson> calls_;
};

}  // namespace puna::cli
