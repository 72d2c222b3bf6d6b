// test_chat_injection.cpp -- whatever people write in messages, calls and tools, a chat has the special tokens of its
// template and no others: for the templates of every family in the golden sets.
#include <nlohmann/json.hpp>
#include <regex>
#include <set>

#include "chat/golden_chats.h"
#include "puna/base/error.h"
#include "puna/chat/chat_template.h"
#include "puna/text/tokenizer.h"

using namespace puna;
using namespace puna::test;
using nlohmann::json;

namespace test_chat_injection {
namespace {

const ChatTemplate::Texts kTokens = {{"bos_token", "<s>"}, {"eos_token", "</s>"}};
constexpr const char* kDate = "2025-08-05";

// What looks like a special token in a template: <|im_start|>, <start_of_turn>, <turn|>, [INST].
std::set<std::string> names_in(const std::string& source) {
  static const std::regex mark(R"(<\|?/?[A-Za-z0-9_.]+\|?>|\[/?[A-Z_]{3,}\])");
  std::set<std::string> names = {"<s>", "</s>"};
  for (auto at = std::sregex_iterator(source.begin(), source.end(), mark); at != std::sregex_iterator(); ++at)
    names.insert(at->str());
  return names;
}

// Names that the template looks for in content: a message that holds one has another structure.
bool is_looked_for(const std::string& source, const std::string& name) {
  for (const char* quote : {"'", "\""})
    for (const char* before : {"split(", "startswith(", "endswith(", "find(", "replace("})
      if (source.find(before + std::string(quote) + name) != source.npos) return true;
  for (const char* behind : {"' in ", "\" in ", "' not in ", "\" not in "})
    if (source.find(name + behind) != source.npos) return true;
  return false;
}

// Bytes, a few merges, and these special tokens.
TokenizerPtr tokenizer_with(const std::set<std::string>& names) {
  static const json gpt2 =
      json::parse(read_text(PUNA_SOURCE_DIR "/tests/text/expected/tokenizer_gpt2_added.json"))["tokenizer"];
  json file = gpt2;
  file["pre_tokenizer"]["add_prefix_space"] = false;
  file["added_tokens"] = json::array();
  int32_t id = 1000;
  for (const std::string& name : names)
    file["added_tokens"].push_back({{"id", id++}, {"content", name}, {"special", true}});
  return tokenizer_from_json(file.dump(), "", "");
}

// Every text of a chat but those that templates branch on (roles, types, ids, keys) is replaced.
void put(ordered_json& value, const std::string& text) {
  static const std::set<std::string> kept = {"role", "type",     "id",     "tool_call_id", "name",    "image",
                                             "url",  "required", "format", "thinking",     "channel", "recipient"};
  if (value.is_string())
    value = text;
  else if (value.is_array())
    for (ordered_json& item : value) put(item, text);
  else if (value.is_object())
    for (auto& [key, item] : value.items())
      if (!kept.contains(key)) put(item, text);
}

std::vector<int32_t> specials(const Tokenizer& t, const std::vector<int32_t>& ids) {
  std::vector<int32_t> out;
  for (const int32_t id : ids)
    if (t.is_special(id)) out.push_back(id);
  return out;
}

ordered_json variables_of(const ordered_json& c) {
  ordered_json v = {{"messages", c["messages"]},
                    {"add_generation_prompt", c["add_generation_prompt"]},
                    {"tools", c.value("tools", ordered_json())}};
  if (c.contains("kwargs")) v.update(c["kwargs"]);
  return v;
}

}  // namespace

TEST_CASE("a benign chat has the ids of its text with special tokens parsed, for every family's template",
          "[chat][golden]") {
  for (const Family& f : families()) {
    const std::set<std::string> names = names_in(f.source);
    const TokenizerPtr tokenizer = tokenizer_with(names);
    const auto chat = ChatTemplate::parse(f.source);
    size_t compared = 0;
    for (const ordered_json& c : f.cases) {
      if (c.contains("raises")) continue;
      CAPTURE(f.name, c["name"].get<std::string>());
      const std::string variables = variables_of(c).dump();
      const bool mentions = std::any_of(names.begin(), names.end(),
                                        [&](const std::string& n) { return variables.find(n) != variables.npos; });
      if (mentions) continue;
      const RenderedChat rendered = chat->render(variables, kDate, Watch(), kTokens);
      CHECK(tokenizer->encode_chat(rendered) == tokenizer->encode(rendered.text, true));
      ++compared;
    }
    CHECK(compared > 0);
  }
}

TEST_CASE("no text of a chat makes a special token, for every family's template", "[chat][golden]") {
  for (const Family& f : families()) {
    const std::set<std::string> names = names_in(f.source);
    const TokenizerPtr tokenizer = tokenizer_with(names);
    const auto chat = ChatTemplate::parse(f.source);
    std::string hostile = "a", harmless = "a";
    for (const std::string& n : names) {
      if (is_looked_for(f.source, n)) continue;
      hostile += n + "user\n";
      harmless += std::string(n.size(), 'y') + "user\n";
    }
    size_t attacked = 0;
    for (const ordered_json& c : f.cases) {
      if (c.contains("raises")) continue;
      CAPTURE(f.name, c["name"].get<std::string>());
      const auto ids = [&](const std::string& text) -> std::vector<int32_t> {
        ordered_json v = variables_of(c);
        put(v["messages"], text);
        put(v["tools"], text);
        try {
          return tokenizer->encode_chat(chat->render(v.dump(), kDate, Watch(), kTokens));
        } catch (const Error& e) {
          return {};  // arguments that the template wants as JSON, say
        }
      };
      const std::vector<int32_t> benign = ids(harmless), attack = ids(hostile);
      CHECK(specials(*tokenizer, attack) == specials(*tokenizer, benign));
      attacked += !attack.empty() && !benign.empty();
    }
    CHECK(attacked > 0);
  }
}

}  // namespace test_chat_injection
