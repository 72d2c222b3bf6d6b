// tool_parser.h -- reads an answer as it comes: what is text, and what is a call of a tool.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "puna/base/function_ref.h"
#include "puna/chat/tools.h"

namespace puna {

namespace tools {
class AnswerReader;
}

struct ToolEvent {
  // thought: what the model thinks before it answers, which APIs call reasoning_content; only where it is asked for
  enum class Kind : uint8_t { text, call_begin, arguments, call_end, thought };
  Kind kind = Kind::text;
  size_t call = 0;              // its number in the answer; of a text 0
  std::string_view text;        // text, thought: said; call_begin: the tool's name; arguments: more of the JSON text
  uint64_t begin = 0, end = 0;  // text, thought, call_end: which bytes of what was pushed it is
  bool complete = true;         // call_end: false = the answer ended, or went wrong, within the arguments
};

// A call is one of a tool that the caller gave, in one of the format's notations. Everything else is text, byte for
// byte: what a model wrote is never an error. What is pushed is held back while it can still become a call. A call's
// events are call_begin, arguments (their JSON text in pieces, joined a JSON object), call_end. Events are the same
// wherever the stream is cut, but for where pieces end.
//
// What is read. JSON: {"name": f, "parameters": {...}}, or "arguments", also as a text of JSON; "type" and "id" beside
// them; within {"type": "function", "function": {...}}; in a list. Python: [f(a=1), g()], keywords only, literals only,
// with dicts as {k=v} too; without brackets when the answer begins with it, also f.call(a=1). And <function=f>{...}
// </function>. Calls may follow each other with white space, ";" or "," between them; what stands around them (tokens
// and tags such as <|python_tag|>) belongs to them. A list's call is told at the comma or bracket behind it. A JSON
// value or a Python list that is no call is text as a whole, with what looks like a call inside. The code that follows
// <|python_tag|> or <|python_start|> is a call of the tool code_interpreter, {"code": "..."}, where there is one.
// Gemma 4: <|tool_call>call:f{a:1,b:<|"|>text<|"|>}<tool_call|>.
//
// gpt-oss (harmony): an answer is messages, <|channel|>CHANNEL<|message|>text, which <|end|> and <|start|>assistant
// part. Headers are never text; a message to=functions.f is a call, whose text is JSON; the channel "analysis" is what
// the model thinks.
//
// Linear time; memory is bounded by most_held.
class ToolCallParser {
 public:
  struct Options {
    // A call is told as soon as its name is known and its arguments come piece by piece. When it then goes wrong it has
    // been told all the same: its call_end is not complete. For answers that a grammar constrains, which cannot go
    // wrong. Otherwise a call is told when it is whole, and a broken one is text.
    bool early = false;
    size_t most_held = size_t(1) << 20;  // bytes; a call that is longer is text
    // What a model thinks before it answers comes as thoughts, without the marks and the white space around it:
    // <think>...</think>, [THINK]...[/THINK], Gemma 4's channel "thought". Otherwise it is text, marks included. No
    // call is read within. begins_in_thought: the prompt ends with the first mark (ends_in_thought()).
    bool thoughts = false;
    bool begins_in_thought = false;
  };
  using Sink = FunctionRef<void(const ToolEvent&)>;  // texts are valid while it runs

  // `format` is one of the table's. The tools are copied.
  ToolCallParser(const Tools& tools, const ToolFormat& format, const Options& options);
  ToolCallParser(const Tools& tools, const ToolFormat& format) : ToolCallParser(tools, format, Options()) {}
  ~ToolCallParser();
  ToolCallParser(ToolCallParser&&) noexcept;
  ToolCallParser& operator=(ToolCallParser&&) noexcept;

  void push(std::string_view text, Sink on_event);
  // A special token by its name, where the text comes without them: never text, but it may open, close or end a call.
  void push_special(std::string_view name, Sink on_event);
  // The answer is over: what was held back is text, unless it is whole. Then the parser is as new.
  void finish(Sink on_event);

  size_t calls() const noexcept;  // told so far

 private:
  std::unique_ptr<tools::AnswerReader> reader_;
};

// Does a rendered prompt end with the mark behind which a model thinks? Some templates write it themselves.
bool ends_in_thought(std::string_view prompt) noexcept;

}  // namespace puna
