// read_responses.cpp -- OpenAI's responses, without state: the input's items become the text of a chat request, which
// read_chat() checks. What would need state is refused.
#include <optional>

#include "convert.h"
#include "json_out.h"

namespace puna::serve {
namespace {

std::string content_of(const OrderedJson& content, const std::string& path) {
  if (content.is_string()) return json_text(content);
  if (!content.is_array()) refuse(path, "'" + path + "' is neither a text nor a list of parts");
  JsonList parts;
  for (size_t i = 0; i < content.size(); ++i) {
    Fields part(content[i], at(path, i));
    const std::string type = part.require_text("type");
    if (type == "input_text" || type == "output_text" || type == "text") {
      parts.add(text_part(part.require_text("text")));
    } else if (type == "refusal") {
      parts.add(text_part(part.require_text("refusal")));
    } else if (type == "input_image") {
      part.choice("detail", {"low", "high", "auto", "original"});
      part.refuse_unless("file_id", {}, "this server keeps no files");
      parts.add(image_url_part(part.require_text("image_url")));
    } else {
      refuse(part.path("type"), "'" + part.path("type") + "' is " + json_string(type.substr(0, 40)) +
                                    ", expected 'input_text' or 'input_image'");
    }
    part.ignore({"annotations", "logprobs", "prompt_cache_breakpoint"});
    part.done();
  }
  return parts.str();
}

// The messages so far. Calls that follow each other, or a message of the assistant, are one turn.
class Messages {
 public:
  // `path`: of the item that it is made of.
  void add(const std::string& role, const std::string& content, const std::string& path) {
    end_turn();
    names.add(at("messages", count_), path);
    if (role == "assistant")
      turn_.emplace(Turn{content, {}, 0});
    else
      put(JsonObject().text("role", role).json("content", content).str());
  }
  void add_call(const std::string& call, const std::string& path) {
    if (!turn_) {
      names.add(at("messages", count_), path);
      turn_.emplace(Turn{"null", {}, 0});
    }
    names.add(at(at("messages", count_) + ".tool_calls", turn_->count++), path);
    turn_->calls.add(call);
  }
  void add_result(const std::string& call, const std::string& content, const std::string& path) {
    end_turn();
    names.add(at("messages", count_), path);
    names.add(at("messages", count_) + ".tool_call_id", path + ".call_id");
    names.add(at("messages", count_) + ".content", path + ".output");
    put(JsonObject().text("role", "tool").text("tool_call_id", call).json("content", content).str());
  }
  std::string str() {
    end_turn();
    return all_.str();
  }
  OwnNames names;

 private:
  struct Turn {
    std::string content;
    JsonList calls;
    size_t count;  // of the calls
  };
  void put(const std::string& message) {
    all_.add(message);
    ++count_;
  }
  void end_turn() {
    if (!turn_) return;
    JsonObject turn;
    turn.text("role", "assistant").json("content", turn_->content);
    if (!turn_->calls.empty()) turn.json("tool_calls", turn_->calls.str());
    put(turn.str());
    turn_.reset();
  }
  JsonList all_;
  size_t count_ = 0;
  std::optional<Turn> turn_;  // the assistant's, which may grow
};

void add_item(const OrderedJson& json, const std::string& path, Messages& messages) {
  Fields item(json, path);
  const std::string type = item.text("type", "message");
  item.ignore({"id", "status", "phase", "caller", "namespace"});
  if (type == "message") {
    const std::string role = item.choice("role", {"user", "assistant", "system", "developer"});
    if (role.empty()) refuse(item.path("role"), "'" + item.path("role") + "' is missing");
    messages.add(role, content_of(item.require("content"), item.path("content")), path);
  } else if (type == "function_call") {
    const std::string id = item.require_text("call_id"), name = item.require_text("name");
    messages.add_call(function_call(id, name, item.require_text("arguments")), path);
  } else if (type == "function_call_output") {
    item.ignore({"name"});
    const std::string call = item.require_text("call_id");
    messages.add_result(call, content_of(item.require("output"), item.path("output")), path);
  } else if (type == "reasoning") {
    item.ignore({"summary", "content", "encrypted_content"});  // of another model
  } else {
    refuse(item.path("type"), "'" + item.path("type") + "' is " + json_string(type.substr(0, 40)) +
                                  ", expected 'message', 'function_call' or 'function_call_output'");
  }
  item.done();
}

void convert_response_tools(Fields& f, const RequestLimits& limits, JsonObject& chat) {
  if (const OrderedJson* tools = f.list("tools", limits.tools)) {
    JsonList list;
    for (size_t i = 0; i < tools->size(); ++i) {
      Fields tool((*tools)[i], at("tools", i));
      const std::string type = tool.require_text("type");
      if (type != "function")
        refuse(tool.path("type"), "'" + tool.path("type") + "' is " + json_string(type.substr(0, 40)) +
                                      ", expected 'function': this server runs no tools of its own");
      JsonObject function;
      function.text("name", tool.require_text("name"));
      for (const char* name : {"description", "parameters", "strict"})
        if (const OrderedJson* value = tool.get(name)) function.json(name, json_text(*value));
      tool.done();
      list.add(JsonObject().text("type", "function").json("function", function.str()).str());
    }
    chat.json("tools", list.str());
  }
  const OrderedJson* choice = f.get("tool_choice");
  if (!choice) return;
  if (choice->is_string()) {
    chat.json("tool_choice", json_text(*choice));
    return;
  }
  Fields c(*choice, "tool_choice");
  const std::string type = c.choice("type", {"function", "allowed_tools"});
  if (type == "function") {
    chat.json("tool_choice", named_function(c.require_text("name")));
  } else {
    JsonList list;
    c.require("tools");
    const OrderedJson& tools = *c.list("tools", limits.tools);
    for (size_t i = 0; i < tools.size(); ++i) {
      Fields tool(tools[i], at("tool_choice.tools", i));
      tool.choice("type", {"function"});
      list.add(named_function(tool.require_text("name")));
    }
    const std::string allowed = JsonObject().text("mode", c.require_text("mode")).json("tools", list.str()).str();
    chat.json("tool_choice", JsonObject().text("type", "allowed_tools").json("allowed_tools", allowed).str());
  }
  c.done();
}

}  // namespace

ResponsesRequest read_responses(const OrderedJson& body, const RequestLimits& limits) {
  Fields f(body, "");
  JsonObject chat;
  chat.text("model", f.text("model"));
  Messages messages;
  if (const std::string text = f.text("instructions"); !text.empty())
    messages.add("system", json_string(text), "instructions");
  const OrderedJson& input = f.require("input");
  if (input.is_string()) {
    messages.add("user", json_text(input), "input");
  } else {
    const OrderedJson& list = *f.list("input", limits.messages);
    for (size_t i = 0; i < list.size(); ++i) add_item(list[i], at("input", i), messages);
  }
  chat.json("messages", messages.str()).json("stream", f.flag("stream") ? "true" : "false");
  if (f.has("max_output_tokens"))
    chat.json("max_completion_tokens", std::to_string(f.integer("max_output_tokens", 0, 1, limits.max_tokens)));
  convert_response_tools(f, limits, chat);
  for (const char* name :
       {"parallel_tool_calls", "temperature", "top_p", "top_k", "min_p", "seed", "regex", "grammar", "choices", "stop"})
    if (const OrderedJson* value = f.get(name)) chat.json(name, json_text(*value));
  const int64_t top = f.integer("top_logprobs", 0, 0, 20);
  bool log_probabilities = false;
  if (const OrderedJson* include = f.list("include", 16))
    for (const OrderedJson& word : *include) {
      if (is_text(word, "message.output_text.logprobs")) {
        log_probabilities = true;
      } else if (!is_text(word, "reasoning.encrypted_content")) {
        refuse("include", "'include' has " + json_string(word.dump().substr(0, 60)) + ", which is not here");
      }
    }
  if (log_probabilities) chat.json("logprobs", "true").json("top_logprobs", std::to_string(top));
  Constraint format;
  std::string text_config = R"({"format":{"type":"text"}})";
  if (const OrderedJson* text = f.object("text")) {
    Fields t(*text, "text");
    read_format(t, "format", false, limits, format);
    t.ignore({"verbosity"});
    t.done();
    if (text->contains("format") && (*text)["format"].is_object())
      text_config = JsonObject().json("format", json_text((*text)["format"])).str();
  }
  const std::string none = "this server keeps no state: send all messages in 'input'";
  f.refuse_unless("previous_response_id", {}, none);
  f.refuse_unless("conversation", {}, none);
  f.refuse_unless("prompt", {}, "this server keeps no prompts");
  f.refuse_unless("background", {"false"}, none);
  f.refuse_unless("truncation", {R"("disabled")"}, "nothing of a prompt is ever left out");
  f.refuse_unless("moderation", {}, "this server has no moderation");
  f.ignore({"metadata", "user", "safety_identifier", "prompt_cache_key", "prompt_cache_retention",
            "prompt_cache_options", "service_tier", "store", "reasoning", "max_tool_calls", "stream_options",
            "context_management"});
  f.done();

  ResponsesRequest r;
  messages.names.add("messages", "input");
  messages.names.add("tools", "tools");
  messages.names.add("max_completion_tokens", "max_output_tokens");
  messages.names.add_ending(".image_url.url", ".image_url");
  messages.names.add_ending(".function.name", ".name");
  messages.names.add_ending(".function.parameters", ".parameters");
  r.chat = read_chat_text(chat.str(), limits, std::move(messages.names));
  if (format.kind != Constraint::Kind::none) r.chat.format = std::move(format);
  require_tools_and_format(r.chat);

  const auto member = [&](const char* name, std::string_view otherwise) {
    const auto found = body.find(name);
    const bool is_given = found != body.end() && !found->is_null();
    return '"' + std::string(name) + "\":" + (is_given ? json_text(*found) : std::string(otherwise));
  };
  JsonList tools;
  if (const OrderedJson* given = f.get("tools"))
    for (const OrderedJson& tool : *given) {
      JsonObject again;
      for (const auto& [name, value] : tool.items()) again.json(name, json_text(value));
      for (const char* name : {"parameters", "strict"})
        if (!tool.contains(name)) again.json(name, "null");
      tools.add(again.str());
    }
  r.repeated = member("instructions", "null") + "," + member("metadata", "{}") + "," +
               member("parallel_tool_calls", "true") + "," + member("temperature", "1.0") + "," +
               member("tool_choice", R"("auto")") + R"(,"tools":)" + tools.str() + "," + member("top_p", "1.0") + "," +
               member("max_output_tokens", "null") + R"(,"previous_response_id":null,"truncation":"disabled","text":)" +
               text_config + R"(,"store":false)";
  return r;
}

}  // namespace puna::serve
