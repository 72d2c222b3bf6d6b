// template_tokens.cpp -- the special tokens that a chat template can name, from the files that name them.
#include <algorithm>
#include <utility>

#include "base/json.h"
#include "base/os.h"
#include "puna/base/error.h"
#include "runtime/opening/folder_texts.h"

namespace puna {
namespace {

constexpr uint64_t kMostBytes = uint64_t(256) << 20;
constexpr const char* kNames[] = {"bos_token", "eos_token", "unk_token", "sep_token",
                                  "pad_token", "cls_token", "mask_token"};

// "..." or {"content": "..."}; NULL when it is neither.
const std::string* text_of(const Json& value) {
  if (value.is_string()) return &value.get_ref<const std::string&>();
  if (!value.is_object()) return nullptr;
  const auto content = value.find("content");
  return content != value.end() && content->is_string() ? &content->get_ref<const std::string&>() : nullptr;
}

void add_list(std::vector<std::string>& to, const Json& list) {
  if (!list.is_array()) return;
  for (const Json& item : list) {
    const std::string* text = text_of(item);
    if (text && std::find(to.begin(), to.end(), *text) == to.end()) to.push_back(*text);
  }
}

struct Tokens {
  ChatTemplate::Texts texts;
  std::vector<std::string> additional;

  void read(const Json& file, bool wins) {
    if (!file.is_object()) return;
    for (const char* name : kNames)
      if (const auto at = file.find(name); at != file.end()) add(name, *at, wins);
    if (const auto list = file.find("additional_special_tokens"); list != file.end()) add_list(additional, *list);
    // A list of them is the newer name of the above; an object has tokens under names of the model's own
    // ("image_token").
    const auto extra = file.find("extra_special_tokens");
    if (extra == file.end()) return;
    add_list(additional, *extra);
    if (extra->is_object())
      for (const auto& [name, value] : extra->items()) add(name, value, wins);
  }

 private:
  void add(const std::string& name, const Json& value, bool wins) {
    if (const std::string* text = text_of(value); text && (wins || !texts.contains(name))) texts[name] = *text;
  }
};

std::string file_in(const std::string& folder, const char* name) {
  const std::string path = folder + "/" + name;
  return os::is_file(path) ? os::read_file(path, kMostBytes) : std::string();
}

}  // namespace

ChatTemplate::Texts template_tokens_of_folder(const std::string& folder, const Watch& watch) {
  Tokens tokens;
  bool lists_added = false;
  if (const std::string text = file_in(folder, "tokenizer_config.json"); !text.empty()) {
    Json config = parse_json(text, "tokenizer_config.json", watch);
    const JsonGuard guard(config);
    tokens.read(config, true);
    lists_added = config.is_object() && config.contains("added_tokens_decoder");
  }
  if (const std::string text = file_in(folder, "special_tokens_map.json"); !text.empty()) {
    Json map = parse_json(text, "special_tokens_map.json", watch);
    const JsonGuard guard(map);
    tokens.read(map, !lists_added);
  }
  if (!tokens.additional.empty()) tokens.texts["additional_special_tokens"] = std::move(tokens.additional);
  return std::move(tokens.texts);
}

ChatTemplate::Texts template_tokens_of_gguf(const Metadata& metadata, const Tokenizer& tokenizer) {
  // "seperator" is how the format spells it.
  constexpr std::pair<const char*, const char*> kKeys[] = {{"unknown", "unk_token"},   {"seperator", "sep_token"},
                                                           {"separator", "sep_token"}, {"padding", "pad_token"},
                                                           {"cls", "cls_token"},       {"mask", "mask_token"}};
  ChatTemplate::Texts tokens;
  for (const auto& [key, name] : kKeys) {
    const MetadataValue* value = metadata.find("tokenizer.ggml." + std::string(key) + "_token_id");
    const int64_t* id = value ? std::get_if<int64_t>(value) : nullptr;
    if (!id || *id < 0 || *id >= tokenizer.size()) continue;
    StreamDecoder utf8;
    tokens[name] = utf8.push(tokenizer.bytes(int32_t(*id))) + utf8.flush();
  }
  return tokens;
}

}  // namespace puna
