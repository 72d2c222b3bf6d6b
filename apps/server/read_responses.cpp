// read_responses.cpp -- OpenAI's responses, without state: the input's items become a chat request's messages, which
// read_chat() checks. What would need state is refused.
#include "convert.h"
#include "json_out.h"

namespace puna::serve {
namespace {

OrderedJson content_of(const OrderedJson& content, const std::string& path) {
  if (content.is_string()) return content;
  if (!content.is_array()) refuse(path, "'" + path + "' is neither a text nor a list of parts");
  OrderedJson parts = OrderedJson::array();
  for (size_t i = 0; i < content.size(); ++i) {
    Fields part(content[i], at(path, i));
    const std::string type = part.require_text("type");
    if (type == "input_text" || type == "output_text" || type == "text") {
      parts.push_back({{"type", "text"}, {"text", part.require_text("text")}});
    } else if (type == "refusal") {
      parts.push_back({{"type", "text"}, {"text", part.require_text("refusal")}});
    } else if (type == "input_image") {
      part.choice("detail", {"low", "high", "auto", "original"});
      part.refuse_unless("file_id", {}, "this server keeps no files");
      parts.push_back({{"type", "image_url"}, {"image_url", {{"url", part.require_text("image_url")}}}});
    } else {
      refuse(part.path("type"), "'" + part.path("type") + "' is " + json_string(type.substr(0, 40)) +
                                    ", expected 'input_text' or 'input_image'");
    }
    part.ignore({"annotations", "logprobs", "prompt_cache_breakpoint"});
    part.done();
  }
  return parts;
}

void add_item(const OrderedJson& json, const std::string& path, OrderedJson& messages) {
  Fields item(json, path);
  const std::string type = item.text("type", "message");
  item.ignore({"id", "status", "phase", "caller", "namespace"});
  if (type == "message") {
    const std::string role = item.choice("role", {"user", "assistant", "system", "developer"});
    if (role.empty()) refuse(item.path("role"), "'" + item.path("role") + "' is missing");
    messages.push_back({{"role", role}, {"content", content_of(item.require("content"), item.path("content"))}});
  } else if (type == "function_call") {
    const OrderedJson call = {
        {"id", item.require_text("call_id")},
        {"type", "function"},
        {"function", {{"name", item.require_text("name")}, {"arguments", item.require_text("arguments")}}}};
    // Calls that follow each other, or a message of the assistant, are one turn.
    if (messages.empty() || messages.back()["role"] != "assistant")
      messages.push_back({{"role", "assistant"}, {"content", nullptr}});
    if (!messages.back().contains("tool_calls")) messages.back()["tool_calls"] = OrderedJson::array();
    messages.back()["tool_calls"].push_back(call);
  } else if (type == "function_call_output") {
    item.ignore({"name"});
    messages.push_back({{"role", "tool"},
                        {"tool_call_id", item.require_text("call_id")},
                        {"content", content_of(item.require("output"), item.path("output"))}});
  } else if (type == "reasoning") {
    item.ignore({"summary", "content", "encrypted_content"});  // of another model
  } else {
    refuse(item.path("type"), "'" + item.path("type") + "' is " + json_string(type.substr(0, 40)) +
                                  ", expected 'message', 'function_call' or 'function_call_output'");
  }
  item.done();
}

void convert_response_tools(Fields& f, const RequestLimits& limits, OrderedJson& chat) {
  if (const OrderedJson* tools = f.list("tools", limits.tools)) {
    OrderedJson list = OrderedJson::array();
    for (size_t i = 0; i < tools->size(); ++i) {
      Fields tool((*tools)[i], at("tools", i));
      const std::string type = tool.require_text("type");
      if (type != "function")
        refuse(tool.path("type"), "'" + tool.path("type") + "' is " + json_string(type.substr(0, 40)) +
                                      ", expected 'function': this server runs no tools of its own");
      OrderedJson function = {{"name", tool.require_text("name")}};
      for (const char* name : {"description", "parameters", "strict"})
        if (const OrderedJson* value = tool.get(name)) function[name] = *value;
      tool.done();
      list.push_back({{"type", "function"}, {"function", function}});
    }
    chat["tools"] = list;
  }
  const OrderedJson* choice = f.get("tool_choice");
  if (!choice) return;
  if (choice->is_string()) {
    chat["tool_choice"] = *choice;
    return;
  }
  Fields c(*choice, "tool_choice");
  const std::string type = c.choice("type", {"function", "allowed_tools"});
  const auto named = [](const std::string& name) {
    return OrderedJson{{"type", "function"}, {"function", {{"name", name}}}};
  };
  if (type == "function") {
    chat["tool_choice"] = named(c.require_text("name"));
  } else {
    OrderedJson list = OrderedJson::array();
    c.require("tools");
    const OrderedJson& tools = *c.list("tools", limits.tools);
    for (size_t i = 0; i < tools.size(); ++i) {
      Fields tool(tools[i], at("tool_choice.tools", i));
      tool.choice("type", {"function"});
      list.push_back(named(tool.require_text("name")));
    }
    chat["tool_choice"] = {{"type", "allowed_tools"},
                           {"allowed_tools", {{"mode", c.require_text("mode")}, {"tools", list}}}};
  }
  c.done();
}

}  // namespace

ResponsesRequest read_responses(const OrderedJson& body, const RequestLimits& limits) {
  Fields f(body, "");
  OrderedJson chat = OrderedJson::object();
  chat["model"] = f.text("model");
  OrderedJson messages = OrderedJson::array();
  if (const std::string text = f.text("instructions"); !text.empty())
    messages.push_back({{"role", "system"}, {"content", text}});
  const OrderedJson& input = f.require("input");
  if (input.is_string()) {
    messages.push_back({{"role", "user"}, {"content", input}});
  } else {
    const OrderedJson& list = *f.list("input", limits.messages);
    for (size_t i = 0; i < list.size(); ++i) add_item(list[i], at("input", i), messages);
  }
  chat["messages"] = messages;
  chat["stream"] = f.flag("stream");
  if (f.has("max_output_tokens"))
    chat["max_completion_tokens"] = f.integer("max_output_tokens", 0, 1, limits.max_tokens);
  convert_response_tools(f, limits, chat);
  if (const OrderedJson* parallel = f.get("parallel_tool_calls")) chat["parallel_tool_calls"] = *parallel;
  for (const char* name : {"temperature", "top_p", "top_k", "min_p", "seed", "regex", "grammar", "choices", "stop"})
    if (const OrderedJson* value = f.get(name)) chat[name] = *value;
  const int64_t top = f.integer("top_logprobs", 0, 0, 20);
  if (const OrderedJson* include = f.list("include", 16))
    for (const OrderedJson& word : *include) {
      if (is_text(word, "message.output_text.logprobs")) {
        chat["logprobs"] = true;
        chat["top_logprobs"] = top;
      } else if (!is_text(word, "reasoning.encrypted_content")) {
        refuse("include", "'include' has " + json_string(word.dump().substr(0, 60)) + ", which is not here");
      }
    }
  Constraint format;
  OrderedJson text_config = {{"format", {{"type", "text"}}}};
  if (const OrderedJson* text = f.object("text")) {
    Fields t(*text, "text");
    read_format(t, "format", false, limits, format);
    t.ignore({"verbosity"});
    t.done();
    if (text->contains("format") && (*text)["format"].is_object()) text_config["format"] = (*text)["format"];
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
  try {
    r.chat = read_chat(chat, limits);
  } catch (ApiError& e) {  // as it is called here
    if (e.param.rfind("messages", 0) == 0) e.param.replace(0, 8, "input");
    if (e.param == "max_completion_tokens") e.param = "max_output_tokens";
    throw;
  }
  if (format.kind != Constraint::Kind::none) r.chat.format = std::move(format);
  require_tools_and_format(r.chat);

  const auto member = [&](const char* name, const OrderedJson& otherwise) {
    const auto found = body.find(name);
    return '"' + std::string(name) + "\":" + json_text(found == body.end() || found->is_null() ? otherwise : *found);
  };
  OrderedJson tools = OrderedJson::array();
  if (const OrderedJson* given = f.get("tools"))
    for (OrderedJson tool : *given) {
      for (const char* name : {"parameters", "strict"})
        if (!tool.contains(name)) tool[name] = nullptr;
      tools.push_back(std::move(tool));
    }
  r.repeated =
      member("instructions", nullptr) + "," + member("metadata", OrderedJson::object()) + "," +
      member("parallel_tool_calls", true) + "," + member("temperature", 1.0) + "," + member("tool_choice", "auto") +
      R"(,"tools":)" + json_text(tools) + "," + member("top_p", 1.0) + "," + member("max_output_tokens", nullptr) +
      R"(,"previous_response_id":null,"truncation":"disabled","text":)" + json_text(text_config) + R"(,"store":false)";
  return r;
}

}  // namespace puna::serve
