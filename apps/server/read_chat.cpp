// read_chat.cpp -- OpenAI's chat completions: every field is used, ignored by name, or refused.
#include <algorithm>
#include <map>

#include "json_out.h"
#include "requests.h"

namespace puna::serve {
namespace {

// Reads the parts of a message. Texts alone are joined to one, since many templates take nothing else.
class Content {
 public:
  Content(ChatRequest& r, const RequestLimits& limits) : r_(r), limits_(limits) {}

  void read(const OrderedJson& content, const std::string& path, bool images, ChatMessage& into) {
    if (content.is_string()) return set_text(into, content.get<std::string>());
    if (!content.is_array()) refuse(path, "'" + path + "' is neither a text nor a list of parts");
    if (content.size() > limits_.messages) refuse(path, "'" + path + "' has too many parts");
    std::string parts;
    bool only_text = true;
    std::string joined;
    for (size_t i = 0; i < content.size(); ++i) {
      Fields part(content[i], at(path, i));
      const std::string type = part.require_text("type");
      if (type == "text" || type == "refusal") {
        const std::string text = part.require_text(type == "text" ? "text" : "refusal");
        if (!joined.empty()) joined += '\n';
        joined += text;
        parts += (parts.empty() ? "" : ",") + (R"({"type":"text","text":)" + json_string(text)) + "}";
      } else if (type == "image_url" && images) {
        Fields url(part.require("image_url"), part.path("image_url"));
        const std::string data = read_data_url(url.require_text("url"), url.path("url"));
        url.choice("detail", {"auto", "low", "high"});
        url.done();
        add_image(data, part.path());
        parts += (parts.empty() ? "" : ",") + std::string(R"({"type":"image"})");
        only_text = false;
      } else {
        refuse(part.path("type"), "'" + part.path("type") + "' is " + json_string(type.substr(0, 40)) +
                                      ", expected 'text'" + (images ? " or 'image_url'" : ""));
      }
      part.ignore({"prompt_cache_breakpoint"});
      part.done();
    }
    if (only_text) return set_text(into, std::move(joined));
    into.content = "[" + parts + "]";
  }
  static void set_text(ChatMessage& into, std::string text) {
    into.content = json_string(text);
    into.text = std::move(text);
  }

 private:
  void add_image(const std::string& data, const std::string& path) {
    if (r_.images.size() == limits_.images) refuse(path, "more than " + std::to_string(limits_.images) + " images");
    r_.images.push_back(data);
  }
  ChatRequest& r_;
  const RequestLimits& limits_;
};

// As templates take them: arguments as an object, an empty one where there are none. What is no JSON object stays a
// text: a client sends back what a model wrote, and that is never an error.
void read_calls(const OrderedJson& list, const std::string& path, std::map<std::string, std::string>& names,
                ChatMessage& into) {
  std::string calls;
  for (size_t i = 0; i < list.size(); ++i) {
    Fields call(list[i], at(path, i));
    const std::string id = call.require_text("id");
    call.choice("type", {"function"});
    call.ignore({"index"});
    Fields function(call.require("function"), call.path("function"));
    const std::string name = function.require_text("name");
    std::string arguments = function.text("arguments");
    if (arguments.empty()) arguments = "{}";
    bool object = false;
    try {
      OrderedJson value = parse_json_argument(arguments, "arguments");
      const JsonGuard guard(value);
      object = value.is_object();
    } catch (const Error& e) {
      if (e.status() == Status::out_of_memory) throw;
    }
    if (!object) arguments = json_string(arguments);
    function.done();
    call.done();
    names[id] = name;
    calls += (calls.empty() ? "" : ",") + (R"({"id":)" + json_string(id)) +
             R"(,"type":"function","function":{"name":)" + json_string(name) + R"(,"arguments":)" + arguments + "}}";
    into.told_calls += (into.told_calls.empty() ? "" : "\n") + (R"({"name": )" + json_string(name)) +
                       R"(, "parameters": )" + arguments + "}";
  }
  into.tool_calls = "[" + calls + "]";
}

void read_messages(Fields& f, const RequestLimits& limits, ChatRequest& r) {
  f.require("messages");
  const OrderedJson& list = *f.list("messages", limits.messages);
  if (list.empty()) refuse("messages", "'messages' is empty");
  Content content(r, limits);
  std::map<std::string, std::string> names;  // of the calls, by their ids
  for (size_t i = 0; i < list.size(); ++i) {
    Fields m(list[i], at("messages", i));
    const std::string role = m.choice("role", {"developer", "system", "user", "assistant", "tool"});
    if (role.empty()) refuse(m.path("role"), "'" + m.path("role") + "' is missing");
    ChatMessage out;
    out.role = role == "developer" ? "system" : role;
    const auto add = [&](const char* name, const std::string& json) {
      out.more += (std::string(",\"") + name) + "\":" + json;
    };
    const OrderedJson* said = m.get("content");
    if (!said && role != "assistant") refuse(m.path("content"), "'" + m.path("content") + "' is missing");
    if (said)
      content.read(*said, m.path("content"), role == "user", out);
    else
      Content::set_text(out, "");
    std::string name = m.text("name");
    if (role == "assistant") {
      if (const OrderedJson* calls = m.list("tool_calls", limits.tools); calls && !calls->empty())
        read_calls(*calls, m.path("tool_calls"), names, out);
      if (const std::string text = m.text("reasoning_content"); !text.empty())
        add("reasoning_content", json_string(text));
      m.refuse_unless("function_call", {}, "use tool_calls");
      m.refuse_unless("audio", {}, "this server has no audio");
      if (const std::string refusal = m.text("refusal"); !said && !refusal.empty()) Content::set_text(out, refusal);
      m.ignore({"annotations"});
    }
    if (role == "tool") {
      const std::string id = m.require_text("tool_call_id");
      add("tool_call_id", json_string(id));
      const auto call = names.find(id);
      if (call == names.end())
        refuse(m.path("tool_call_id"), "'" + m.path("tool_call_id") + "' is " + json_string(id.substr(0, 80)) +
                                           ", and no call before it has this id");
      if (name.empty()) name = call->second;
    }
    if (!name.empty()) add("name", json_string(name));
    m.done();
    r.messages.push_back(std::move(out));
  }
}

void read_choice(Fields& f, const RequestLimits& limits, ChatRequest& r) {
  const OrderedJson* choice = f.get("tool_choice");
  if (!choice) {
    r.choice.kind = r.tools.empty() ? ToolChoice::Kind::none : ToolChoice::Kind::automatic;
    return;
  }
  const auto mode = [&](const std::string& word) {
    if (word == "none") r.choice.kind = ToolChoice::Kind::none;
    if (word == "auto") r.choice.kind = ToolChoice::Kind::automatic;
    if (word == "required") r.choice.kind = ToolChoice::Kind::required;
  };
  const auto require_tool = [&](const std::string& name) {
    if (!r.tools.find(name)) refuse("tool_choice", "'tool_choice' names " + json_string(name) + ", no tool of 'tools'");
  };
  if (choice->is_string()) {
    mode(f.choice("tool_choice", {"none", "auto", "required"}));
  } else {
    Fields c(*choice, "tool_choice");
    const std::string type = c.choice("type", {"function", "allowed_tools"});
    if (type == "function") {
      Fields function(c.require("function"), "tool_choice.function");
      r.choice.kind = ToolChoice::Kind::named;
      r.choice.name = function.require_text("name");
      function.done();
      require_tool(r.choice.name);
    } else {
      Fields allowed(c.require("allowed_tools"), "tool_choice.allowed_tools");
      mode(allowed.choice("mode", {"auto", "required"}));
      const OrderedJson* list = allowed.list("tools", limits.tools);
      for (size_t i = 0; list && i < list->size(); ++i) {
        Fields tool((*list)[i], at("tool_choice.allowed_tools.tools", i));
        tool.choice("type", {"function"});
        Fields function(tool.require("function"), tool.path("function"));
        r.allowed.push_back(function.require_text("name"));
        require_tool(r.allowed.back());
      }
      if (r.allowed.empty()) r.choice.kind = ToolChoice::Kind::none;
      allowed.done();
    }
    c.done();
  }
  if (r.choice.kind == ToolChoice::Kind::required && r.tools.empty())
    refuse("tool_choice", "'tool_choice' is 'required', and there are no tools");
}

}  // namespace

std::string ChatMessage::json() const {
  const std::string calls = tool_calls.empty() ? "" : R"(,"tool_calls":)" + tool_calls;
  return R"({"role":)" + json_string(role) + R"(,"content":)" + content + calls + more + "}";
}

void require_tools_and_format(const ChatRequest& r) {
  const bool json = r.format.kind == Constraint::Kind::json_schema || r.format.kind == Constraint::Kind::any_object;
  if (r.format.kind != Constraint::Kind::none && !json && r.choice.kind != ToolChoice::Kind::none)
    refuse(r.format.param, "'" + r.format.param +
                               "' and tools that may be called cannot hold together: say tool_choice 'none' for an "
                               "answer of that form, or a JSON Schema, which can");
}

void read_tools(Fields& f, const RequestLimits& limits, ChatRequest& r) {
  if (const OrderedJson* tools = f.list("tools", limits.tools); tools && !tools->empty()) {
    for (size_t i = 0; i < tools->size(); ++i) {
      Fields tool((*tools)[i], at("tools", i));
      const std::string type = tool.require_text("type");
      if (type != "function")
        refuse(tool.path("type"),
               "'" + tool.path("type") + "' is " + json_string(type.substr(0, 40)) + ", expected 'function'");
      Fields function(tool.require("function"), tool.path("function"));
      require_name(function.require_text("name"), function.path("name"));
      function.flag("strict");
    }
    const std::string json = tools->dump();
    if (json.size() > limits.grammar_bytes) refuse("tools", "'tools' has " + std::to_string(json.size()) + " bytes");
    try {
      r.tools = Tools::parse(json);
    } catch (const Error& e) {
      throw api_error(e, "tools");
    }
  }
  read_choice(f, limits, r);
  r.choice.parallel = f.flag("parallel_tool_calls", true) && r.choice.kind != ToolChoice::Kind::named;
}

ChatRequest read_chat(const OrderedJson& body, const RequestLimits& limits) {
  Fields f(body, "");
  ChatRequest r;
  r.model = f.text("model");
  read_messages(f, limits, r);
  read_sampler(f, limits, r.sampling);
  read_stop(f, "stop", limits, r.sampling);
  const int64_t old_name = f.integer("max_tokens", 0, 1, limits.max_tokens);
  r.sampling.max_tokens = f.integer("max_completion_tokens", old_name, 1, limits.max_tokens);
  r.sampling.n = int(f.integer("n", 1, 1, int64_t(limits.answers)));
  const bool logprobs = f.flag("logprobs");
  if (f.has("top_logprobs") && !logprobs) refuse("top_logprobs", "'top_logprobs' needs 'logprobs': true");
  if (logprobs) r.sampling.top_logprobs = int(f.integer("top_logprobs", 0, 0, 20));
  read_stream(f, r.stream, r.include_usage);
  read_tools(f, limits, r);
  read_format(f, "response_format", true, limits, r.format);
  read_extensions(f, limits, r.format);
  require_tools_and_format(r);
  if (const OrderedJson* more = f.object("chat_template_kwargs")) {
    for (const auto& [key, value] : more->items())
      if (key == "messages" || key == "tools" || key == "add_generation_prompt")
        refuse("chat_template_kwargs", "'chat_template_kwargs." + key + "' is a field of the request");
    for (const auto& [key, value] : more->items()) r.template_variables += json_string(key) + ":" + value.dump() + ",";
  }
  f.refuse_unless("modalities", {R"(["text"])"}, "answers are text");
  f.refuse_unless("audio", {}, "answers are text");
  f.refuse_unless("functions", {"[]"}, "use 'tools'");
  f.refuse_unless("function_call", {R"("none")", R"("auto")"}, "use 'tool_choice'");
  f.refuse_unless("web_search_options", {}, "this server fetches nothing");
  f.refuse_unless("moderation", {}, "this server has no moderation");
  f.ignore({"metadata", "user", "safety_identifier", "prompt_cache_key", "prompt_cache_retention",
            "prompt_cache_options", "service_tier", "store", "verbosity", "reasoning_effort", "prediction"});
  f.done();
  return r;
}

}  // namespace puna::serve
