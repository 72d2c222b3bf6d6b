// data.h -- texts to sequences: plain text, JSON lines with texts, prompts and completions, chats, preference pairs. Files are read line by
// line from a mapping; a line that is wrong is an error that names it.
#pragma once
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "puna/io/checkpoint.h"
#include "puna/text/tokenizer.h"
#include "puna/train/dpo.h"

namespace puna::train {

// What a model does with text.
struct TextCodec {
  const Tokenizer* tokenizer = nullptr;
  // A chat's prompt text of {"messages": [...], "add_generation_prompt": ...}; empty when the model has no chat template.
  std::function<std::string(std::string_view variables_json)> render_chat;
  const Watch* watch = nullptr;  // asked while examples become tokens
};

struct DataOptions {
  int64_t max_tokens = 512;   // of a sequence; longer texts are cut into several, longer chats and answers are left out
  bool skip_long = true;      // false: a chat or a pair that is too long is an error
};

struct DataReport { int64_t lines = 0, left_out = 0, tokens = 0, counted = 0; };

// Every token counts. `text` is one document; windows of max_tokens follow each other without overlap; each begins with the tokenizer's BOS
// where it has one to add.
void add_text(std::vector<Sequence>& to, const TextCodec& codec, std::string_view text, const DataOptions& options, DataReport* report = nullptr);
// One object a line:  {"text": ...}   {"prompt": ..., "completion": ...}   {"messages": [{"role", "content"}, ...]}
// A completion's tokens count, a prompt's do not; of a chat, what the assistant said (and the end of its turn).
void add_jsonl(std::vector<Sequence>& to, const TextCodec& codec, std::string_view lines, const std::string& name, const DataOptions& options,
               DataReport* report = nullptr);
// {"prompt": ..., "chosen": ..., "rejected": ...}: texts, or the prompt a list of messages and the answers texts.
void add_preferences(std::vector<Preference>& to, const TextCodec& codec, std::string_view lines, const std::string& name, const DataOptions& options,
                     DataReport* report = nullptr);
// By the name's end: .jsonl and .json are lines, all else is text.
void add_file(std::vector<Sequence>& to, const TextCodec& codec, const std::string& path, const DataOptions& options, DataReport* report = nullptr);

// 0, 1, ... count-1 in the order of an epoch: the same for the same seed on every machine.
std::vector<int64_t> shuffled(int64_t count, uint64_t seed, int64_t epoch);

}  // namespace puna::train
