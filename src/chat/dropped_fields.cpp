#include "puna/chat/dropped_fields.h"

#include <algorithm>
#include <cstdint>

#include "base/json.h"

namespace puna {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? char(c - 'A' + 'a') : c; }

std::string lowered(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), lower);
  return out;
}

// What a template leaves as it is whatever it does to quotes, line ends and the like.
bool is_plain(char c) {
  const auto u = static_cast<unsigned char>(c);
  return u >= 0x80 || (u >= '0' && u <= '9') || (u >= 'a' && u <= 'z') || (u >= 'A' && u <= 'Z') || u == ' ';
}

// Where in a rendered chat phrases stand. Chats are written in order, so the search goes on where it ended: linear
// where nothing is missing.
class Haystack {
 public:
  size_t at() const noexcept { return at_; }
  void seek(size_t at) noexcept { at_ = at; }
  Haystack(const RenderedChat& chat, const Watch& watch) : watch_(watch) {
    for (const TextSpan& s : chat.content)
      text_ += lowered(std::string_view(chat.text).substr(s.begin, s.end - s.begin)) + '\0';
    if (chat.content.empty()) text_ = lowered(chat.text);
  }

  // Is one phrase of `text` there, at `at_` or later? Then the next search begins behind it; `anywhere`: or before,
  // which moves nothing.
  bool has(std::string_view text, bool anywhere) {
    constexpr size_t kLeast = 4;  // a shorter phrase is found by chance, so that it counts only where there is no other
    bool looked = false, found = false;
    for (const bool short_ones : {false, true}) {
      for (size_t begin = 0; begin < text.size() && !found;) {
        size_t end = begin;
        while (end < text.size() && is_plain(text[end])) ++end;
        const std::string_view phrase = trimmed(text.substr(begin, end - begin));
        if (!phrase.empty() && (phrase.size() >= kLeast) != short_ones) {
          looked = true;
          found = find(phrase, anywhere);
        }
        begin = end + 1;
      }
      if (looked) return found;
    }
    return find(trimmed(text), anywhere);  // signs alone
  }

 private:
  static std::string_view trimmed(std::string_view s) {
    const size_t first = s.find_first_not_of(" \t\r\n");
    return first == s.npos ? std::string_view() : s.substr(first, s.find_last_not_of(" \t\r\n") - first + 1);
  }

  bool find(std::string_view phrase, bool anywhere) {
    constexpr uint64_t kMostWork = uint64_t(1) << 28;  // a warning is not worth more
    if (phrase.empty() || work_ > kMostWork) return true;
    const std::string wanted = lowered(phrase);
    if (const size_t found = search(wanted, at_, text_.size()); found != text_.npos) {
      at_ = found + wanted.size();
      return true;
    }
    return anywhere && search(wanted, 0, std::min(text_.size(), at_ + wanted.size())) != text_.npos;
  }

  // In blocks, so that the watch is asked in between.
  size_t search(std::string_view wanted, size_t begin, size_t end) {
    constexpr size_t kBlock = 64 << 10;
    const std::string_view text = std::string_view(text_).substr(0, end);
    for (size_t from = begin; from < end; from += kBlock) {
      const std::string_view block = text.substr(from, kBlock + wanted.size() - 1);
      work_ += block.size();
      watch_.tick(block.size() / 100);
      if (const size_t at = block.find(wanted); at != block.npos) return from + at;
    }
    return text_.npos;
  }

  std::string text_;
  size_t at_ = 0;
  uint64_t work_ = 0;
  const Watch& watch_;
};

// Of a field: are there texts in it, and has one of them arrived?
struct Seen {
  bool texts = false, arrived = false;
};

void look(const OrderedJson& value, Haystack& in, bool anywhere, Seen& seen) {
  if (seen.arrived) return;
  if (value.is_string()) {
    const std::string& text = value.get_ref<const std::string&>();
    if (text.find_first_not_of(" \t\r\n") == text.npos) return;
    seen.texts = true;
    seen.arrived = in.has(text, anywhere);
  } else if (value.is_structured()) {
    for (const OrderedJson& part : value) look(part, in, anywhere, seen);
  }
}

// Content in parts: what their types are called is no text of theirs.
void look_at_content(const OrderedJson& content, Haystack& in, Seen& seen) {
  if (!content.is_array()) return look(content, in, true, seen);
  for (const OrderedJson& part : content) {
    if (part.is_string())
      look(part, in, true, seen);
    else if (part.is_object() && part.contains("text"))
      look(part["text"], in, true, seen);
  }
}

// A call is its arguments: the name alone is in the list of tools as well. OpenAI writes {"function": {"name",
// "arguments"}}.
void look_at_calls(const OrderedJson& calls, Haystack& in, Seen& seen) {
  if (!calls.is_array()) return;
  for (const OrderedJson& call : calls) {
    if (!call.is_object()) continue;
    const OrderedJson& function = call.contains("function") && call["function"].is_object() ? call["function"] : call;
    Seen arguments;
    if (function.contains("arguments")) look(function["arguments"], in, false, arguments);
    if (!arguments.texts && function.contains("name")) look(function["name"], in, false, arguments);
    seen.texts |= arguments.texts;
    seen.arrived |= arguments.arrived;
  }
}

// A tool is what it is for: its name alone is in the calls as well.
void look_at_tools(const OrderedJson& tools, Haystack& in, Seen& seen) {
  if (!tools.is_array()) return;
  for (const OrderedJson& tool : tools) {
    if (!tool.is_object()) continue;
    const OrderedJson& function = tool.contains("function") && tool["function"].is_object() ? tool["function"] : tool;
    Seen one;
    if (function.contains("description")) look(function["description"], in, true, one);
    if (!one.texts && function.contains("name")) look(function["name"], in, true, one);
    seen.texts |= one.texts;
    seen.arrived |= one.arrived;
  }
}

}  // namespace

std::vector<std::string> dropped_fields(std::string_view variables_json, const RenderedChat& chat, const Watch& watch) {
  OrderedJson variables = parse_ordered_json(variables_json, "chat template variables", watch);
  const JsonGuard guard(variables);
  std::vector<std::string> dropped;
  if (!variables.is_object()) return dropped;
  Haystack text(chat, watch);
  const auto say = [&](const Seen& seen, std::string name) {
    if (seen.texts && !seen.arrived) dropped.push_back(std::move(name));
  };
  if (variables.contains("messages") && variables["messages"].is_array()) {
    const OrderedJson& messages = variables["messages"];
    for (size_t i = 0; i < messages.size(); ++i) {
      if (!messages[i].is_object()) continue;
      const size_t start = text.at();
      size_t end = start;
      for (const auto& [key, value] : messages[i].items()) {
        Seen seen;
        text.seek(start);  // the template's order inside a message need not be the chat's
        if (key == "content")
          look_at_content(value, text, seen);
        else if (key == "tool_calls")
          look_at_calls(value, text, seen);
        else if (key == "reasoning_content" || key == "reasoning" || key == "thinking")
          look(value, text, true, seen);
        say(seen, "messages[" + std::to_string(i) + "]." + key);
        end = std::max(end, text.at());
      }
      const bool system = messages[i].contains("role") &&
                          (is_text(messages[i]["role"], "system") || is_text(messages[i]["role"], "developer"));
      text.seek(system ? start : end);  // some templates write the system message into the last one
    }
  }
  for (const auto& [key, value] : variables.items()) {
    Seen seen;
    if (key == "tools")
      look_at_tools(value, text, seen);
    else if (key == "documents")
      look(value, text, true, seen);
    say(seen, key);
  }
  return dropped;
}

}  // namespace puna
