#include "runtime/folder_texts.h"

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

}  // namespace

TokenizerPtr tokenizer_of_folder(const std::string& folder, const Watch& watch, int64_t rows) {
  const std::string json = optional_file(folder, "tokenizer.json");
  if (!json.empty()) return tokenizer_from_json(json, optional_file(folder, "tokenizer_config.json"), optional_file(folder, "generation_config.json"), watch, rows);
  const std::string ranks = optional_file(folder, "tokenizer.model");
  return ranks.empty() ? nullptr : tokenizer_from_tiktoken(ranks, watch, rows);
}

// chat_template.jinja wins over the field of tokenizer_config.json, as in transformers.
std::string chat_template_of_folder(const std::string& folder, const Watch& watch) {
  const std::string file = optional_file(folder, "chat_template.jinja");
  if (!file.empty()) return file;
  const std::string config = optional_file(folder, "tokenizer_config.json");
  if (config.empty()) return {};
  Json json = parse_json(config, "tokenizer_config.json", watch);
  const JsonGuard guard(json);
  const auto it = json.find("chat_template");
  return it != json.end() && it->is_string() ? it->get<std::string>() : std::string();
}

// Published checkpoints have a file of its own; transformers v5 puts it into the processor's.
std::string image_processor_of_folder(const std::string& folder) {
  if (folder.empty()) return {};
  const std::string own = optional_file(folder, "preprocessor_config.json");
  return own.empty() ? optional_file(folder, "processor_config.json") : own;
}

TokenizerPtr open_tokenizer(const std::string& path) {
  if (os::is_directory(path)) {
    const TokenizerPtr tokenizer = tokenizer_of_folder(path);
    if (!tokenizer) fail(Status::bad_file, "%s: there is neither a tokenizer.json nor a tokenizer.model in this folder", path.c_str());
    return tokenizer;
  }
  if (path.ends_with(".json")) return tokenizer_from_json(os::read_file(path, kMaxTextFile), {}, {});
  if (path.ends_with(".model")) return tokenizer_from_tiktoken(os::read_file(path, kMaxTextFile));
  ContextOptions options;
  options.threads = 1;
  const TokenizerPtr tokenizer = tokenizer_from_gguf(load_checkpoint(*make_context(options), path).metadata);
  if (!tokenizer) fail(Status::unsupported, "%s: the file holds no tokenizer", path.c_str());
  return tokenizer;
}

}  // namespace puna
