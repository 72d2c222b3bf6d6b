// tools.h -- tools that a model may call: their list, the formats in which model families write calls, and calls as
// text. tool_parser.h reads calls out of an answer, tool_constraint.h says what an answer must look like.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "puna/base/function_ref.h"
#include "puna/chat/llama4_chat.h"

namespace puna {

struct Tool {
  std::string name;         // [a-zA-Z0-9_.-]{1,64}
  std::string description;  // "" = none
  std::string parameters;   // JSON Schema of the arguments, an object's; "" = none given
  bool strict = false;      // OpenAI's: the arguments must keep to the schema
  std::string json;         // {"type": "function", "function": {...}}, with every field it came with
};

class Tools {
 public:
  // A JSON list of {"type": "function", "function": {"name", "description", "parameters", "strict"}}, or of what stands
  // inside: {"name", ...}. At most 1,024 tools. Throws Error{invalid_argument} that names the tool and the place:
  // "tools: /2/function/name: ...".
  static Tools parse(std::string_view json);
  Tools() = default;

  const std::vector<Tool>& all() const noexcept { return all_; }
  bool empty() const noexcept { return all_.empty(); }
  const Tool* find(std::string_view name) const noexcept;
  // For a chat template's `tools`: every one in OpenAI's form, fields in their order.
  std::string json() const;

 private:
  std::vector<Tool> all_;
};

// What a system message tells of them to a model whose chat template writes nothing of tools.
std::string told_of_tools(const Tools& tools);

// How a family writes calls, one entry of a table: llama3_json, llama4_json, pythonic, function_tag, hermes (Qwen too),
// mistral, mistral_args, granite, harmony (gpt-oss), gemma (Gemma 4), tool_code (Gemma 3), phi (Phi-4-mini). Llama's
// are all read alike, since its models answer in any of them.
struct ToolFormat;

const ToolFormat& tool_format(std::string_view name);  // Error{invalid_argument} when there is none
std::string_view tool_format_name(const ToolFormat& format);
std::vector<std::string_view> tool_format_names();
// By what the model's chat template writes: "<|channel|>" with "<|message|>" is harmony's, "<|tool_call>call:" Gemma
// 4's, "<start_of_turn>" that of Gemma 2 and 3, "<|/tool|>" Phi's, "[TOOL_CALLS]" Mistral's (with "[ARGS]" the newer
// one), "<|tool_call|>" Granite's, "<tool_call>" with "arguments" Hermes' (Qwen), "<function=" a tag's, "func_name1("
// asks for Python, "<|header_start|>" is Llama 4; everything else llama3_json. Without a template ("") by the special
// tokens that the tokenizer has.
const ToolFormat& find_tool_format(std::string_view chat_template, FunctionRef<bool(std::string_view)> has_token);

struct WrittenCall {
  std::string name;
  std::string arguments;  // a JSON object
};

// The calls as a model of this format writes them, to be encoded segment by segment (llama4_chat.h). A parser of the
// same format reads them back: the same names, the same JSON values. Throws Error{invalid_argument} when the arguments
// are no JSON object, or when the format cannot carry them: a keyword with a space in it.
std::vector<ChatSegment> write_tool_calls(const ToolFormat& format, const std::vector<WrittenCall>& calls);

}  // namespace puna
