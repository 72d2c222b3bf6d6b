#include "runtime/opening/folder_texts.h"

#include <algorithm>

#include "base/json.h"
#include "base/os.h"
#include "puna/base/error.h"
#include "puna/io/checkpoint.h"
#include "puna/runtime/model.h"

namespace puna {
namespace {

constexpr uint64_t kMaxTextFile = uint64_t(256) << 20;

std::string optional_file(const std::string& folder, const char* name) {
  const std::string path = folder + "/" + name;
  return os::is_file(path) ? os::read_file(path, kMaxTextFile) : std::string();
}

// The tokenizer reads its special tokens from its configuration; older folders keep them in a file of their own. A key
// that both have is the configuration's.
std::string tokenizer_config_of_folder(const std::string& folder, const Watch& watch) {
  std::string config = optional_file(folder, "tokenizer_config.json");
  const std::string map = optional_file(folder, "special_tokens_map.json");
  if (map.empty()) return config;
  if (config.empty()) return map;
  Json ours = parse_json(config, "tokenizer_config.json", watch);
  const JsonGuard ours_guard(ours);
  Json theirs;
  const JsonGuard theirs_guard(theirs);
  try {
    theirs = parse_json(map, "special_tokens_map.json", watch);
  } catch (const Error& e) {  // text may be wrong without it, ids are not
    fail(e.status() == Status::bad_file ? Status::unsupported : e.status(), "%s", e.what());
  }
  if (!ours.is_object() || !theirs.is_object()) return config;
  bool first = ours.empty();
  for (const auto& [key, value] : theirs.items()) {
    if (ours.contains(key)) continue;
    config.insert(config.rfind('}'), (first ? "" : ",") + quoted(key) + ":" + value.dump());
    first = false;
  }
  return config;
}

// A template, or a list of them by name.
void add_json(ChatTemplates& templates, const std::string& place, const Json& field, const Watch& watch) {
  const auto wrong = [&](const char* what) {
    templates.add_unreadable("default",
                             place + ": chat_template is " + what + ", expected a text or a list of {name, template}");
  };
  if (field.is_null()) return;
  if (field.is_string()) return templates.add("default", place, field.get_ref<const std::string&>(), watch);
  if (!field.is_array()) return wrong(field.type_name());
  for (const Json& item : field) {
    const bool named = item.is_object() && item.contains("name") && item["name"].is_string() &&
                       item.contains("template") && item["template"].is_string();
    if (!named) return wrong("a list with something else in it");
    const std::string& name = item["name"].get_ref<const std::string&>();
    templates.add(name, place + ": chat template '" + name + "'", item["template"].get_ref<const std::string&>(),
                  watch);
  }
}

}  // namespace

ChatTemplates chat_templates_of_folder(const std::string& folder, const Watch& watch) {
  constexpr std::string_view kMore = "additional_chat_templates", kEnd = ".jinja";
  ChatTemplates templates;
  const auto add_file = [&](const std::string& name, const std::string& file) {
    try {
      if (const std::string source = optional_file(folder, file.c_str()); !source.empty())
        templates.add(name, file, source, watch);
    } catch (const Error& e) {
      if (e.status() != Status::io && e.status() != Status::bad_file) throw;
      templates.add_unreadable(name, e.what());
    }
  };
  add_file("default", "chat_template.jinja");
  const std::string more = folder + "/" + std::string(kMore);
  if (os::is_directory(more))
    for (const std::string& file : os::list_folder(more))
      if (file.size() > kEnd.size() && file.ends_with(kEnd))
        add_file(file.substr(0, file.size() - kEnd.size()), std::string(kMore) + "/" + file);
  for (const char* file : {"chat_template.json", "processor_config.json", "tokenizer_config.json"}) {
    if (!templates.empty()) break;
    try {
      const std::string text = optional_file(folder, file);
      if (text.empty()) continue;
      Json json = parse_json(text, file, watch);
      const JsonGuard guard(json);
      if (json.is_object() && json.contains("chat_template"))
        add_json(templates, file, json["chat_template"], watch);
      else if (file == std::string_view("chat_template.json"))
        add_json(templates, file, json, watch);
    } catch (const Error& e) {
      if (e.status() != Status::io && e.status() != Status::bad_file) throw;
      templates.add_unreadable("default", e.what());
    }
  }
  return templates;
}

ChatTemplates chat_templates_of_gguf(const Metadata& metadata, const Watch& watch) {
  const std::string key = "tokenizer.chat_template", names = "tokenizer.chat_templates";
  ChatTemplates templates;
  for (auto at = metadata.values().lower_bound(key); at != metadata.values().end() && at->first.starts_with(key);
       ++at) {
    if (at->first != key && at->first[key.size()] != '.') continue;
    const std::string name = at->first == key ? "default" : at->first.substr(key.size() + 1);
    const std::string* source = std::get_if<std::string>(&at->second);
    if (!source)
      templates.add_unreadable(name, "metadata '" + at->first + "': expected a text");
    else if (!source->empty())
      templates.add(name, "metadata '" + at->first + "'", *source, watch);
  }
  const MetadataValue* listed = metadata.find(names);
  if (const auto* list = listed ? std::get_if<std::vector<std::string>>(listed) : nullptr)
    for (const std::string& name : *list)
      if (!templates.has(name))
        templates.add_unreadable(name, "metadata '" + names + "' lists the template '" + name + "', but there is no '" +
                                           key + "." + name + "'");
  return templates;
}
namespace {

// Shows a field of config.json, or of its language model's part where the whole does not say it. Not called when
// nothing is said or the file is broken, which a model refuses: a tokenizer that is opened alone works without.
void see_config_field(const std::string& folder, const char* name, const Watch& watch,
                      FunctionRef<void(const Json&)> see) {
  const std::string text = optional_file(folder, "config.json");
  if (text.empty()) return;
  Json config;
  const JsonGuard guard(config);
  try {
    config = parse_json(text, "config.json", watch);
  } catch (const Error& e) {
    if (e.status() != Status::bad_file) throw;
    return;
  }
  for (const Json* part = &config; part && part->is_object();) {
    if (const auto found = part->find(name); found != part->end() && !found->is_null()) return see(*found);
    const auto text_part = part->find("text_config");
    part = part == &config && text_part != part->end() ? &*text_part : nullptr;
  }
}

// Rows of the embedding of the model beside a tokenizer that is opened alone; 0: unknown.
int64_t rows_of_folder(const std::string& folder, const Watch& watch) {
  int64_t rows = 0;
  see_config_field(folder, "vocab_size", watch,
                   [&](const Json& told) { rows = std::max<int64_t>(0, whole_number(told).value_or(0)); });
  return rows;
}

TokenizerPtr tokenizer_of_json(const std::string& folder, const std::string& json, const Watch& watch, int64_t rows) {
  const std::string config = tokenizer_config_of_folder(folder, watch);
  if (os::is_file(folder + "/generation_config.json"))
    return tokenizer_from_json(json, config, optional_file(folder, "generation_config.json"), watch, rows);
  // Transformers derives that file from config.json (GenerationConfig.from_model_config). What matters here is which
  // ids end an answer.
  std::string derived;
  see_config_field(folder, "eos_token_id", watch,
                   [&](const Json& ids) { derived = "{\"eos_token_id\":" + ids.dump() + "}"; });
  return tokenizer_from_json(json, config, derived, watch, rows, "config.json");
}

}  // namespace

TokenizerPtr tokenizer_of_folder(const std::string& folder, const Watch& watch, int64_t rows) {
  if (rows == 0) rows = rows_of_folder(folder, watch);
  const std::string json = optional_file(folder, "tokenizer.json");
  if (!json.empty()) return tokenizer_of_json(folder, json, watch, rows);
  const std::string tekken = optional_file(folder, "tekken.json");
  if (!tekken.empty()) return tokenizer_from_tekken(tekken, watch, rows);
  const std::string model = optional_file(folder, "tokenizer.model");
  return model.empty() ? nullptr : tokenizer_from_model_file(model, watch, rows);
}

// Published checkpoints have a file of its own; transformers v5 puts it into the processor's.
std::string image_processor_of_folder(const std::string& folder) {
  if (folder.empty()) return {};
  const std::string own = optional_file(folder, "preprocessor_config.json");
  return own.empty() ? optional_file(folder, "processor_config.json") : own;
}

TokenizerPtr open_tokenizer(const std::string& path, const Watch& watch) {
  if (os::is_directory(path)) {
    const TokenizerPtr tokenizer = tokenizer_of_folder(path, watch);
    if (!tokenizer)
      fail(Status::bad_file, "%s: there is no tokenizer.json, tekken.json or tokenizer.model in this folder",
           path.c_str());
    return tokenizer;
  }
  if (path.ends_with("tekken.json")) return tokenizer_from_tekken(os::read_file(path, kMaxTextFile), watch);
  if (path.ends_with(".json")) return tokenizer_from_json(os::read_file(path, kMaxTextFile), {}, {}, watch);
  if (path.ends_with(".model")) return tokenizer_from_model_file(os::read_file(path, kMaxTextFile), watch);
  ContextOptions options;
  options.threads = 1;
  const Checkpoint file = load_checkpoint(*make_context(options), path, {}, watch);
  const TensorEntry* const embedding = file.tensors.find("token_embd.weight");
  const TokenizerPtr tokenizer =
      tokenizer_from_gguf(file.metadata, watch, embedding && embedding->shape.rank == 2 ? embedding->shape[0] : 0);
  if (!tokenizer) fail(Status::unsupported, "%s: the file holds no tokenizer", path.c_str());
  return tokenizer;
}

}  // namespace puna
