// data_fixture.h -- chats by real templates over a tokenizer with a token a byte, and sequences as text in which what
// counts is marked.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "puna/base/error.h"
#include "puna/chat/chat_template.h"
#include "puna/train/data.h"
#include "support/catch.h"
#include "train/byte_tokenizer.h"

namespace puna::test {

// "" : a model without a chat template.
inline train::TextCodec codec_with(const std::string& source, const Watch* watch = nullptr) {
  train::TextCodec codec;
  codec.tokenizer = &kBytes;
  codec.watch = watch;
  if (source.empty()) return codec;
  const std::shared_ptr<const ChatTemplate> chat = ChatTemplate::parse(source);
  codec.render_chat = [chat](std::string_view json, std::string_view date) { return chat->render(json, date); };
  codec.chat_reads = [chat](std::string_view name) { return chat->reads(name); };
  return codec;
}

// <user>hello<assistant>, the last part only where an answer is asked for. Tool calls and tools as JSON.
inline const std::string kTemplate =
    R"({% if tools %}[{{ tools|tojson }}]{% endif %}{% for m in messages %}<{{ m.role }}>{% if m.content %}{{ m.content }}{% endif %}{#
#}{% for c in m.tool_calls or [] %}{{ c.function.name }}{{ c.function.arguments|tojson }}{% endfor %};{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %})";
// Knows roles and contents alone.
inline const std::string kPlain =
    "{% for m in messages %}<{{ m.role }}>{{ m.content }};{% endfor %}{% if add_generation_prompt %}<assistant>{% "
    "endif %}";

// Tokens as text; what counts stands between { and }.
inline std::string shown(const train::Sequence& s) {
  std::string out;
  for (size_t i = 0; i < s.tokens.size(); ++i) {
    if (s.counted[i] && (i == 0 || !s.counted[i - 1])) out += '{';
    if (!s.counted[i] && i > 0 && s.counted[i - 1]) out += '}';
    out += kBytes.bytes(s.tokens[i]);
  }
  return out + (!s.counted.empty() && s.counted.back() ? "}" : "");
}

using Lines = std::vector<std::string>;

struct Reading {
  std::string source = kTemplate;
  train::DataOptions options = {.max_tokens = 1000};
  train::DataReport report = {};
  std::string name = "data.jsonl";

  Lines rows(const std::string& text) {
    std::vector<train::Sequence> all;
    train::add_data(all, codec_with(source), text, name, options, &report);
    Lines out;
    for (const train::Sequence& s : all) out.push_back(shown(s));
    return out;
  }
  Lines pairs(const std::string& text) {
    std::vector<train::Preference> all;
    train::add_preferences(all, codec_with(source), text, name, options, &report);
    Lines out;
    for (const train::Preference& p : all) {
      out.push_back(shown(p.chosen));
      out.push_back(shown(p.rejected));
    }
    return out;
  }
  std::string refusal(const std::string& text, bool of_pairs = false) {
    try {
      of_pairs ? pairs(text) : rows(text);
    } catch (const Error& e) {
      return e.what();
    }
    return "read";
  }
  std::string told() const {
    std::string all;
    for (const std::string& s : report.sentences()) all += s + "\n";
    return all;
  }
};

inline bool says(const std::string& text, const std::vector<const char*>& words) {
  INFO(text);
  bool all = true;
  for (const char* w : words) {
    const bool there = text.find(w) != std::string::npos;
    if (!there) UNSCOPED_INFO("missing: " << w);
    all &= there;
  }
  if (!all) UNSCOPED_INFO("in: " << text);
  return all;
}

}  // namespace puna::test
