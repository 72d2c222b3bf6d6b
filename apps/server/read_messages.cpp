// read_messages.cpp -- Anthropic's messages become a chat request: its blocks are turned into OpenAI's messages, which
// read_chat() checks. Errors name the fields of the original.
#include "convert.h"
#include "json_out.h"

namespace puna::serve {
namespace {

std::string block_text(Fields& block) { return block.require_text("text"); }

OrderedJson image_part(Fields& block) {
  Fields source(block.require("source"), block.path("source"));
  const std::string type = source.require_text("type");
  if (type != "base64")
    refuse(source.path("type"), "'" + source.path("type") + "' is " + json_string(type.substr(0, 40)) +
                                    ", expected 'base64': this server fetches nothing");
  const std::string media = source.require_text("media_type"), data = source.require_text("data");
  source.done();
  return {{"type", "image_url"}, {"image_url", {{"url", "data:" + media + ";base64," + data}}}};
}

// A text, or blocks of text.
std::string joined_text(const OrderedJson& content, const std::string& path) {
  if (content.is_string()) return content.get<std::string>();
  if (!content.is_array()) refuse(path, "'" + path + "' is neither a text nor a list of blocks");
  std::string all;
  for (size_t i = 0; i < content.size(); ++i) {
    Fields block(content[i], at(path, i));
    block.choice("type", {"text"});
    if (!all.empty()) all += '\n';
    all += block_text(block);
    block.ignore({"cache_control", "citations"});
    block.done();
  }
  return all;
}

class Turns {
 public:
  void add(const OrderedJson& message, const std::string& path) {
    Fields m(message, path);
    const std::string role = m.choice("role", {"user", "assistant"});
    if (role.empty()) refuse(m.path("role"), "'" + m.path("role") + "' is missing");
    const OrderedJson& content = m.require("content");
    m.done();
    if (content.is_string()) {
      out.push_back({{"role", role}, {"content", content}});
      return;
    }
    if (!content.is_array()) refuse(m.path("content"), "'" + m.path("content") + "' is neither a text nor blocks");
    OrderedJson parts = OrderedJson::array(), calls = OrderedJson::array();
    for (size_t i = 0; i < content.size(); ++i) {
      Fields block(content[i], at(m.path("content"), i));
      const std::string type = block.require_text("type");
      if (type == "text") {
        parts.push_back({{"type", "text"}, {"text", block_text(block)}});
      } else if (type == "image" && role == "user") {
        parts.push_back(image_part(block));
      } else if (type == "tool_use" && role == "assistant") {
        calls.push_back(
            {{"id", block.require_text("id")},
             {"type", "function"},
             {"function", {{"name", block.require_text("name")}, {"arguments", block.require("input").dump()}}}});
      } else if (type == "tool_result" && role == "user") {
        const OrderedJson* said = block.get("content");
        block.flag("is_error");
        out.push_back({{"role", "tool"},
                       {"tool_call_id", block.require_text("tool_use_id")},
                       {"content", said ? joined_text(*said, block.path("content")) : ""}});
      } else if (type == "thinking" || type == "redacted_thinking") {
        block.ignore({"thinking", "signature", "data"});  // of another model
      } else {
        refuse(block.path("type"), "'" + block.path("type") + "' is " + json_string(type.substr(0, 40)) +
                                       ", which is not supported in a message of '" + role + "'");
      }
      block.ignore({"cache_control", "citations"});
      block.done();
    }
    if (parts.empty() && calls.empty()) return;
    OrderedJson turn = {{"role", role}, {"content", parts}};
    if (parts.empty()) turn["content"] = nullptr;
    if (!calls.empty()) turn["tool_calls"] = calls;
    out.push_back(std::move(turn));
  }
  OrderedJson out = OrderedJson::array();
};

void convert_tools(Fields& f, const RequestLimits& limits, OrderedJson& chat) {
  if (const OrderedJson* tools = f.list("tools", limits.tools)) {
    OrderedJson list = OrderedJson::array();
    for (size_t i = 0; i < tools->size(); ++i) {
      Fields tool((*tools)[i], at("tools", i));
      const std::string type = tool.text("type", "custom");
      if (type != "custom")
        refuse(tool.path("type"), "'" + tool.path("type") + "' is " + json_string(type.substr(0, 40)) +
                                      ": this server runs no tools of its own");
      OrderedJson function = {{"name", tool.require_text("name")}};
      if (tool.has("description")) function["description"] = tool.text("description");
      function["parameters"] = tool.require("input_schema");
      tool.ignore({"cache_control"});
      tool.done();
      list.push_back({{"type", "function"}, {"function", function}});
    }
    chat["tools"] = list;
  }
  const OrderedJson* choice = f.object("tool_choice");
  if (!choice) return;
  Fields c(*choice, "tool_choice");
  const std::string type = c.choice("type", {"auto", "any", "tool", "none"});
  if (type == "auto" || type == "none") chat["tool_choice"] = type;
  if (type == "any") chat["tool_choice"] = "required";
  if (type == "tool") chat["tool_choice"] = {{"type", "function"}, {"function", {{"name", c.require_text("name")}}}};
  if (c.flag("disable_parallel_tool_use")) chat["parallel_tool_calls"] = false;
  c.done();
}

}  // namespace

ChatRequest read_messages(const OrderedJson& body, const RequestLimits& limits, bool counting) {
  Fields f(body, "");
  OrderedJson chat = OrderedJson::object();
  chat["model"] = f.text("model");
  Turns turns;
  if (const OrderedJson* system = f.get("system"))
    turns.out.push_back({{"role", "system"}, {"content", joined_text(*system, "system")}});
  f.require("messages");
  const OrderedJson& list = *f.list("messages", limits.messages);
  if (list.empty()) refuse("messages", "'messages' is empty");
  for (size_t i = 0; i < list.size(); ++i) turns.add(list[i], at("messages", i));
  if (turns.out.empty() || turns.out.back()["role"] == "system") refuse("messages", "'messages' say nothing");
  if (turns.out.back()["role"] == "assistant")
    refuse("messages", "the last message is the assistant's: an answer cannot be begun for it here");
  chat["messages"] = std::move(turns.out);
  convert_tools(f, limits, chat);
  if (!counting) {
    f.require("max_tokens");
    chat["max_completion_tokens"] = f.integer("max_tokens", 0, 1, limits.max_tokens);
    chat["temperature"] = f.number("temperature", 1, 0, 1);
    chat["top_p"] = f.number("top_p", 1, 0, 1);
    chat["top_k"] = f.integer("top_k", 0, 0, 1 << 20);
    chat["stream"] = f.flag("stream");
  }
  Sampling stops;
  read_stop(f, "stop_sequences", limits, stops);
  // Our extensions, under the names that they have elsewhere.
  for (const char* name : {"seed", "min_p", "regex", "grammar", "choices", "response_format"})
    if (const OrderedJson* value = f.get(name)) chat[name] = *value;
  f.refuse_unless("mcp_servers", {"[]"}, "this server fetches nothing");
  f.refuse_unless("container", {}, "this server runs nothing");
  if (const OrderedJson* thinking = f.object("thinking")) {
    Fields t(*thinking, "thinking");
    if (t.choice("type", {"enabled", "disabled", "adaptive"}) == "enabled")
      refuse("thinking", "'thinking' is not supported: the models here have no budget for it");
  }
  f.ignore({"metadata", "service_tier", "context_management", "output_config", "cache_control", "inference_geo"});
  f.done();
  ChatRequest r = read_chat(chat, limits);
  r.sampling.stop = std::move(stops.stop);
  return r;
}

}  // namespace puna::serve
