#include "train/chat_row.h"

#include <algorithm>
#include <array>

#include "base/json.h"
#include "base/nearest.h"
#include "io/json_parts.h"

namespace puna::train {

using namespace io;  // rows of JSON and their parts
namespace {

using Names = std::initializer_list<std::string_view>;
bool is_one_of(std::string_view name, Names names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// What other trainers call "learn this, not that". Not understood, they would be learned or left out against what they
// say.
constexpr std::string_view kMarks[] = {"train",       "training",   "train_on", "train_detail", "loss",  "loss_mask",
                                       "loss_weight", "loss_scale", "mask",     "masked",       "ignore"};

// ShareGPT's names of the speakers.
constexpr std::array<std::pair<std::string_view, std::string_view>, 16> kSpeakers = {{{"human", "user"},
                                                                                      {"user", "user"},
                                                                                      {"gpt", "assistant"},
                                                                                      {"assistant", "assistant"},
                                                                                      {"chatgpt", "assistant"},
                                                                                      {"bing", "assistant"},
                                                                                      {"bard", "assistant"},
                                                                                      {"model", "assistant"},
                                                                                      {"bot", "assistant"},
                                                                                      {"system", "system"},
                                                                                      {"function_call", "call"},
                                                                                      {"tool_call", "call"},
                                                                                      {"observation", "tool"},
                                                                                      {"tool", "tool"},
                                                                                      {"tool_response", "tool"},
                                                                                      {"function_response", "tool"}}};
constexpr std::array<const char*, 7> kRoles = {"system", "developer", "user",   "assistant",
                                               "tool",   "function",  "ipython"};

class Reader {
 public:
  Reader(Chat& chat, bool learn, ChatText& text, const Place& place, const Notes& notes, const Watch& watch)
      : chat_(chat), learn_(learn), text_(text), place_(place), notes_(notes), watch_(watch) {}

  void read(std::string_view message, const std::string& name) {
    name_ = name;
    watch_.tick();
    if (!is_object(message))
      place_.refuse("%s is %s, expected a message {\"role\", \"content\"}", name.c_str(), kind_of(message));
    members_.clear();
    each_member(message, watch_,
                [&](const std::string& key, std::string_view value) { members_.emplace_back(key, value); });
    for (const auto& [key, value] : members_)
      if (std::find(std::begin(kMarks), std::end(kMarks), key) != std::end(kMarks) && !is_null(value))
        place_.refuse(
            "%s: '%s' says what is to be learned in a way that is not read; \"weight\": 0 or 1 of an assistant's "
            "message is",
            name.c_str(), key.c_str());
    if (!find("role").empty()) return spoken(message);
    if (!find("from").empty()) return sharegpt();
    if (!find("input").empty() && !find("output").empty()) return turn();
    std::vector<std::string> keys{"role", "from"};
    for (const auto& [key, value] : members_)
      if (const std::string near = did_you_mean(key, keys); !near.empty())
        place_.refuse("%s: unknown key '%.64s'%s", name.c_str(), key.c_str(), near.c_str());
    place_.refuse("%s has no 'role' (of a message {\"role\", \"content\"} or {\"from\", \"value\"})", name.c_str());
  }

 private:
  std::string_view find(std::string_view key) const {
    for (const auto& [k, value] : members_)
      if (k == key && !is_null(value)) return value;
    return {};
  }
  std::string text(std::string_view key) const {
    const std::string_view value = find(key);
    if (value.empty() || !is_string(value))
      place_.refuse("%s: '%s' is %s, expected a text", name_.c_str(), std::string(key).c_str(),
                    value.empty() ? "missing" : kind_of(value));
    return text_of(value, watch_);
  }
  // OpenAI's mark of an answer that is not to be learned.
  bool weighs(bool answers) const {
    const std::string_view weight = find("weight");
    if (weight.empty()) return true;
    if (weight != "0" && weight != "1" && weight != "0.0" && weight != "1.0")
      place_.refuse("%s: 'weight' is %.20s, expected 0 or 1", name_.c_str(), std::string(weight).c_str());
    if (!answers && weight[0] == '1')
      place_.refuse("%s: 'weight' is 1, but only what the assistant says is learned", name_.c_str());
    return weight[0] == '1';
  }

  // {"role", "content", ...}: the message as it is, unless something in it has to be said otherwise.
  void spoken(std::string_view message) {
    const std::string role = text("role");
    check_role(role);
    const bool answers = role == "assistant", calls = !find("tool_calls").empty();
    if (!find("function_call").empty())
      place_.refuse("%s: 'function_call' is OpenAI's old form: use 'tool_calls'", name_.c_str());
    const bool learn = weighs(answers);
    std::string content;  // JSON; empty: as it is
    if (find("content").empty())
      content = missing_content(calls);
    else if (is_array(find("content")) && text_.exists())
      content = content_of_parts();
    else if (!is_string(find("content")) && !is_array(find("content")))
      place_.refuse("%s: 'content' is %s, expected a text", name_.c_str(), kind_of(find("content")));
    if (answers && learn && learn_ && !calls && find("content") == "\"\"")
      notes_.add("an answer is empty: to say nothing is learned");
    std::string arguments = calls ? tool_calls() : std::string();
    const bool weight =
        std::any_of(members_.begin(), members_.end(), [](const auto& m) { return m.first == "weight"; });
    if (content.empty() && arguments.empty() && !weight) {
      chat_.messages.push_back({message, answers, answers && learn && learn_});
      return;
    }
    std::string json;
    bool has_content = false;
    for (const auto& [key, value] : members_) {
      if (key == "weight") continue;
      has_content |= key == "content";
      const std::string_view now = key == "content" && !content.empty()        ? content
                                   : key == "tool_calls" && !arguments.empty() ? arguments
                                                                               : value;
      json += (json.empty() ? "{" : ",") + puna::quoted(key) + ":" + std::string(now);
    }
    if (!has_content && !content.empty()) json += ",\"content\":" + content;
    chat_.add(json + "}", answers, learn && learn_);
  }

  void check_role(const std::string& role) const {
    if (std::find(kRoles.begin(), kRoles.end(), role) != kRoles.end()) return;
    for (const auto& [speaker, means] : kSpeakers)
      if (role == speaker)
        place_.refuse("%s: the role is '%s': write '%s'", name_.c_str(), role.c_str(),
                      means == "call" ? "assistant" : std::string(means).c_str());
    if (const std::string near = did_you_mean(role, kRoles); !near.empty())
      place_.refuse("%s: unknown role '%.40s'%s", name_.c_str(), role.c_str(), near.c_str());
    notes_.add("there is a role '" + role.substr(0, 40) + "', which few chat templates know");
  }

  std::string missing_content(bool calls) const {
    if (!calls) {
      std::vector<std::string> keys{"content"};
      for (const auto& [key, value] : members_)
        if (const std::string near = did_you_mean(key, keys); key != "content" && !near.empty())
          place_.refuse("%s: unknown key '%.64s'%s", name_.c_str(), key.c_str(), near.c_str());
      place_.refuse("%s: 'content' is missing or null", name_.c_str());
    }
    return text_.exists() && !text_.takes_null_content() ? "\"\"" : "";
  }

  // Lists of parts are given to a template that goes through them; others get the texts, a line each.
  std::string content_of_parts() const {
    std::string all;
    each_element(find("content"), watch_, [&](std::string_view part) {
      const std::string_view type = is_object(part) ? member(part, "type", watch_) : std::string_view();
      const std::string kind = is_string(type) ? text_of(type, watch_) : "text";
      const std::string_view said = is_string(part)   ? part
                                    : is_object(part) ? member(part, "text", watch_)
                                                      : std::string_view();
      if (kind != "text" || !is_string(said))
        place_.refuse("%s: a part of its content is '%.40s': only texts are learned, no images or sounds",
                      name_.c_str(), kind.c_str());
      all += (all.empty() ? "" : "\n") + text_of(said, watch_);
    });
    return text_.takes_parts() ? std::string() : puna::quoted(all);
  }

  // OpenAI writes arguments as a text that holds JSON; templates print objects. Empty: nothing to change.
  std::string tool_calls() {
    const std::string_view list = find("tool_calls");
    if (!is_array(list)) place_.refuse("%s: 'tool_calls' is %s, expected a list", name_.c_str(), kind_of(list));
    bool changed = false;
    const std::string out = list_of(list, [&](std::string_view item) {
      if (!is_object(item))
        place_.refuse("%s: one of 'tool_calls' is %s, expected an object", name_.c_str(), kind_of(item));
      return object_of(item, [&](const std::string& key, std::string_view value) {
        if (key == "arguments") return arguments_of(value, changed);
        if (key != "function" || !is_object(value)) return std::string(value);
        return object_of(value, [&](const std::string& k, std::string_view v) {
          return k == "arguments" ? arguments_of(v, changed) : std::string(v);
        });
      });
    });
    if (changed)
      notes_.add("tool arguments that are texts were given to the chat template as the JSON objects that they hold");
    return changed ? out : std::string();
  }
  std::string arguments_of(std::string_view value, bool& changed) {
    if (!is_string(value) || !text_.exists() || !text_.wants_argument_objects()) return std::string(value);
    const std::string held = text_of(value, watch_);
    if (!holds_object(held)) return std::string(value);
    changed = true;
    return held;
  }
  bool holds_object(const std::string& text) const {
    try {
      Json json = parse_json(text, "arguments", watch_);
      const JsonGuard guard(json);
      return json.is_object();
    } catch (const Error& e) {
      if (e.status() != Status::bad_file) throw;
      return false;
    }
  }
  std::string object_of(std::string_view object,
                        FunctionRef<std::string(const std::string&, std::string_view)> value_of) const {
    std::string out = "{";
    each_member(object, watch_, [&](const std::string& key, std::string_view value) {
      out += (out.size() > 1 ? "," : "") + puna::quoted(key) + ":" + value_of(key, value);
    });
    return out + "}";
  }
  std::string list_of(std::string_view list, FunctionRef<std::string(std::string_view)> item_of) const {
    std::string out = "[";
    each_element(list, watch_, [&](std::string_view item) { out += (out.size() > 1 ? "," : "") + item_of(item); });
    return out + "]";
  }

  // {"from", "value"}
  void sharegpt() {
    const std::string from = text("from");
    const auto speaker =
        std::find_if(kSpeakers.begin(), kSpeakers.end(), [&](const auto& s) { return s.first == from; });
    if (speaker == kSpeakers.end()) {
      std::vector<std::string_view> names;
      for (const auto& s : kSpeakers) names.push_back(s.first);
      place_.refuse("%s: 'from' is '%.40s', expected human, gpt, system, function_call, observation or tool%s",
                    name_.c_str(), from.c_str(), did_you_mean(from, names).c_str());
    }
    for (const auto& [key, value] : members_)
      if (!is_one_of(key, {"from", "value", "weight"}))
        notes_.add("'" + key.substr(0, 64) + "' of messages {\"from\", \"value\"} is not used");
    const std::string said = text("value");
    const bool answers = speaker->second == "assistant" || speaker->second == "call", learn = weighs(answers) && learn_;
    if (speaker->second == "call")
      chat_.add(call_message(said), true, learn);
    else
      chat_.say(speaker->second, said, learn);
  }

  // {"name", "arguments"} as a text, or a list of such.
  std::string call_message(const std::string& said) const {
    Json json;
    const JsonGuard guard(json);
    try {
      json = parse_json(said, "value", watch_);
    } catch (const Error& e) {
      if (e.status() != Status::bad_file) throw;
      place_.refuse("%s: a function_call's 'value' is no JSON {\"name\", \"arguments\"}", name_.c_str());
    }
    const size_t at = said.find_first_not_of(" \t\r\n");
    const std::string_view value = std::string_view(said).substr(at, end_of_value(said, at, watch_) - at);
    std::string calls;
    const auto add = [&](std::string_view call) {
      const std::string_view name = is_object(call) ? member(call, "name", watch_) : std::string_view(),
                             arguments = name.empty() ? name : member(call, "arguments", watch_);
      if (!is_string(name))
        place_.refuse("%s: a function_call's 'value' is no JSON {\"name\", \"arguments\"}", name_.c_str());
      calls += (calls.empty() ? "" : ",") + std::string("{\"type\":\"function\",\"function\":{\"name\":") +
               std::string(name) + ",\"arguments\":" + (arguments.empty() ? "{}" : std::string(arguments)) + "}}";
    };
    if (is_array(value))
      each_element(value, watch_, add);
    else
      add(value);
    return "{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":[" + calls + "]}";
  }

  // {"input", "output"}: a question and its answer.
  void turn() {
    chat_.say("user", text("input"), false);
    chat_.say("assistant", text("output"), learn_);
  }

  Chat& chat_;
  const bool learn_;
  ChatText& text_;
  const Place& place_;
  const Notes& notes_;
  const Watch& watch_;
  std::string name_;
  std::vector<std::pair<std::string, std::string_view>> members_;
};

}  // namespace

void Chat::say(std::string_view role, const std::string& text, bool learn) {
  add("{\"role\":\"" + std::string(role) + "\",\"content\":" + puna::quoted(text) + "}", role == "assistant", learn);
}

std::string Chat::json(size_t count, bool ask) const {
  std::string all = "{\"messages\":[";
  for (size_t i = 0; i < count; ++i) (all += i == 0 ? "" : ",").append(messages[i].json);
  return all + "]" + variables + (ask ? ",\"add_generation_prompt\":true}" : ",\"add_generation_prompt\":false}");
}

void read_messages(Chat& chat, std::string_view list, const std::string& column, bool learn, ChatText& text,
                   const Place& place, const Notes& notes, const Watch& watch) {
  if (!is_array(list)) place.refuse("'%s' is %s, expected a list of messages", column.c_str(), kind_of(list));
  Reader reader(chat, learn, text, place, notes, watch);
  size_t number = 0;
  each_element(list, watch, [&](std::string_view message) {
    reader.read(message, "'" + column + "', message " + std::to_string(++number));
  });
  if (number == 0) place.refuse("'%s' has no message", column.c_str());
}

void read_message(Chat& chat, std::string_view message, const std::string& name, bool learn, ChatText& text,
                  const Place& place, const Notes& notes, const Watch& watch) {
  Reader(chat, learn, text, place, notes, watch).read(message, name);
}

}  // namespace puna::train
