// read_messages.cpp -- Anthropic's messages become the text of a chat request: its blocks are turned into OpenAI's
// messages, which read_chat() checks. Errors name the fields of the original.
#include "convert.h"
#include "json_out.h"

namespace puna::serve {
namespace {

std::string block_text(Fields& block) { return block.require_text("text"); }

std::string image_part(Fields& block) {
  Fields source(block.require("source"), block.path("source"));
  const std::string type = source.require_text("type");
  if (type != "base64")
    refuse(source.path("type"), "'" + source.path("type") + "' is " + json_string(type.substr(0, 40)) +
                                    ", expected 'base64': this server fetches nothing");
  const std::string media = source.require_text("media_type"), data = source.require_text("data");
  source.done();
  return image_url_part("data:" + media + ";base64," + data);
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
      add_turn(JsonObject().text("role", role).json("content", json_text(content)).str(), role, path);
      return;
    }
    if (!content.is_array()) refuse(m.path("content"), "'" + m.path("content") + "' is neither a text nor blocks");
    JsonList parts, calls;
    std::vector<std::string> part_paths, call_paths;
    for (size_t i = 0; i < content.size(); ++i) {
      Fields block(content[i], at(m.path("content"), i));
      const std::string type = block.require_text("type");
      if (type == "text") {
        parts.add(text_part(block_text(block)));
        part_paths.push_back(block.path());
      } else if (type == "image" && role == "user") {
        parts.add(image_part(block));
        part_paths.push_back(block.path());
      } else if (type == "tool_use" && role == "assistant") {
        const std::string id = block.require_text("id"), name = block.require_text("name");
        block.require("input");
        calls.add(function_call(id, name, json_text(*block.object("input"))));
        call_paths.push_back(block.path());
      } else if (type == "tool_result" && role == "user") {
        const OrderedJson* said = block.get("content");
        block.flag("is_error");
        names.add(turn() + ".tool_call_id", block.path("tool_use_id"));
        add_turn(JsonObject()
                     .text("role", "tool")
                     .text("tool_call_id", block.require_text("tool_use_id"))
                     .text("content", said ? joined_text(*said, block.path("content")) : "")
                     .str(),
                 "tool", block.path());
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
    for (size_t i = 0; i < part_paths.size(); ++i) names.add(at(turn() + ".content", i), part_paths[i]);
    for (size_t i = 0; i < call_paths.size(); ++i) names.add(at(turn() + ".tool_calls", i), call_paths[i]);
    JsonObject json;
    json.text("role", role).json("content", parts.empty() ? "null" : parts.str());
    if (!calls.empty()) json.json("tool_calls", calls.str());
    add_turn(json.str(), role, path);
  }
  void add_turn(const std::string& json, const std::string& role, const std::string& path) {
    names.add(turn(), path);
    out.add(json);
    ++count;
    last = role;
  }

  JsonList out;
  std::string last;  // the role of the last one
  OwnNames names;

 private:
  std::string turn() const { return at("messages", count); }  // of the chat request that is next
  size_t count = 0;
};

void convert_tools(Fields& f, const RequestLimits& limits, JsonObject& chat) {
  if (const OrderedJson* tools = f.list("tools", limits.tools)) {
    JsonList list;
    for (size_t i = 0; i < tools->size(); ++i) {
      Fields tool((*tools)[i], at("tools", i));
      const std::string type = tool.text("type", "custom");
      if (type != "custom")
        refuse(tool.path("type"), "'" + tool.path("type") + "' is " + json_string(type.substr(0, 40)) +
                                      ": this server runs no tools of its own");
      JsonObject function;
      function.text("name", tool.require_text("name"));
      if (tool.has("description")) function.text("description", tool.text("description"));
      function.json("parameters", json_text(tool.require("input_schema")));
      tool.ignore({"cache_control"});
      tool.done();
      list.add(JsonObject().text("type", "function").json("function", function.str()).str());
    }
    chat.json("tools", list.str());
  }
  const OrderedJson* choice = f.object("tool_choice");
  if (!choice) return;
  Fields c(*choice, "tool_choice");
  const std::string type = c.choice("type", {"auto", "any", "tool", "none"});
  if (type == "auto" || type == "none") chat.text("tool_choice", type);
  if (type == "any") chat.text("tool_choice", "required");
  if (type == "tool") chat.json("tool_choice", named_function(c.require_text("name")));
  if (c.flag("disable_parallel_tool_use")) chat.json("parallel_tool_calls", "false");
  c.done();
}

}  // namespace

ChatRequest read_messages(const OrderedJson& body, const RequestLimits& limits, bool counting) {
  Fields f(body, "");
  JsonObject chat;
  chat.text("model", f.text("model"));
  Turns turns;
  if (const OrderedJson* system = f.get("system"))
    turns.add_turn(JsonObject().text("role", "system").text("content", joined_text(*system, "system")).str(), "",
                   "system");
  f.require("messages");
  const OrderedJson& list = *f.list("messages", limits.messages);
  if (list.empty()) refuse("messages", "'messages' is empty");
  for (size_t i = 0; i < list.size(); ++i) turns.add(list[i], at("messages", i));
  if (turns.last.empty()) refuse("messages", "'messages' say nothing");
  if (turns.last == "assistant")
    refuse("messages", "the last message is the assistant's: an answer cannot be begun for it here");
  chat.json("messages", turns.out.str());
  convert_tools(f, limits, chat);
  if (!counting) {
    f.require("max_tokens");
    chat.json("max_completion_tokens", std::to_string(f.integer("max_tokens", 0, 1, limits.max_tokens)));
    chat.json("temperature", json_number(f.number("temperature", 1, 0, 1)));
    chat.json("top_p", json_number(f.number("top_p", 1, 0, 1)));
    chat.json("top_k", std::to_string(f.integer("top_k", 0, 0, 1 << 20)));
    chat.json("stream", f.flag("stream") ? "true" : "false");
  }
  Sampling stops;
  read_stop(f, "stop_sequences", limits, stops);
  // Our extensions, under the names that they have elsewhere.
  for (const char* name : {"seed", "min_p", "regex", "grammar", "choices", "response_format"})
    if (const OrderedJson* value = f.get(name)) chat.json(name, json_text(*value));
  f.refuse_unless("mcp_servers", {"[]"}, "this server fetches nothing");
  f.refuse_unless("container", {}, "this server runs nothing");
  if (const OrderedJson* thinking = f.object("thinking")) {
    Fields t(*thinking, "thinking");
    if (t.choice("type", {"enabled", "disabled", "adaptive"}) == "enabled")
      refuse("thinking", "'thinking' is not supported: the models here have no budget for it");
  }
  f.ignore({"metadata", "service_tier", "context_management", "output_config", "cache_control", "inference_geo"});
  f.done();
  turns.names.add("messages", "messages");
  turns.names.add("tools", "tools");
  turns.names.add("max_completion_tokens", "max_tokens");
  turns.names.add("parallel_tool_calls", "tool_choice.disable_parallel_tool_use");
  turns.names.add_ending(".image_url.url", ".source.data");
  turns.names.add_ending(".function.name", ".name");
  turns.names.add_ending(".function.parameters", ".input_schema");
  ChatRequest r = read_chat_text(chat.str(), limits, std::move(turns.names));
  r.sampling.stop = std::move(stops.stop);
  return r;
}

}  // namespace puna::serve
