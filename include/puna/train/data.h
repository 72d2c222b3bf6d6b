// data.h -- users' files to sequences and preference pairs, recognised by content: plain text, JSON lines, a JSON
// array. Read row by row from a mapping; a row that is wrong is an error that names file, line and column. A chat
// becomes text as in generation: same template, same variables, and what a message says is never a special token.
// Unused fields of a row are listed in the report.
#pragma once
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "puna/io/checkpoint.h"
#include "puna/text/rendered_chat.h"
#include "puna/text/tokenizer.h"
#include "puna/train/dpo.h"

namespace puna::train {

// The rows that are read, for help and errors.
inline constexpr char kDataForms[] =
    R"({"text"}; {"prompt", "completion"}, both texts or lists of messages; {"messages": [{"role", "content"}]}; )"
    R"({"instruction", "input", "output"} (Alpaca); {"conversations": [{"from", "value"}]} (ShareGPT))";
inline constexpr char kPairForms[] =
    R"({"prompt", "chosen", "rejected"}, texts or lists of messages; {"chosen", "rejected"} that begin alike)";

// What a model does with text.
struct TextCodec {
  const Tokenizer* tokenizer = nullptr;
  // A chat as text: {"messages": [...], "tools", "add_generation_prompt", ...} and a date (YYYY-MM-DD or ""). Empty
  // when the model has no chat template.
  std::function<RenderedChat(std::string_view variables_json, std::string_view date)> render_chat;
  // Whether the chat template reads a variable of this name; "strftime_now": whether it asks for the date. Empty: it
  // reads tools and documents.
  std::function<bool(std::string_view name)> chat_reads;
  const Watch* watch = nullptr;  // asked while examples become tokens
};

struct DataOptions {
  int64_t max_tokens = 512;  // of a sequence; longer texts are cut into several, longer chats and answers are left out
  bool skip_long = true;     // false: a chat or a pair that is too long is an error
  // Today's date for chat templates that ask for it, YYYY-MM-DD; "" = such a template is an error. A row's own "date"
  // goes first.
  std::string date = {};
  // true: names of special tokens inside messages and texts become those tokens. (Those in a "prompt" text always do:
  // it may be a chat that was rendered elsewhere.)
  bool parse_content = false;
};

// What was read. `notes` are warnings: once each, with the number of rows it is about and the place of the first.
struct DataReport {
  struct Note {
    std::string what;
    int64_t rows = 0;
    std::string first, last;  // places
  };
  int64_t lines = 0;     // rows
  int64_t left_out = 0;  // of them longer than max_tokens
  int64_t tokens = 0;
  int64_t counted = 0;  // tokens that count in the loss
  std::vector<Note> notes;
  std::vector<std::string> unused_columns;  // in the order they were met; at most kMostColumnsNamed
  static constexpr size_t kMostColumnsNamed = 32;

  void note(std::string_view what, const std::string& place);  // once a row
  std::vector<std::string> sentences() const;                  // notes and unused columns, a line each
};

// Every token counts. `text` is one document; windows of max_tokens follow each other without overlap; each begins with
// the tokenizer's BOS where it has one to add.
void add_text(std::vector<Sequence>& to, const TextCodec& codec, std::string_view text, const DataOptions& options,
              DataReport* report = nullptr);
// JSON: an object a line, objects over several lines, or an array of objects, each of one of kDataForms. A completion's
// tokens count, a prompt's do not; of a chat, what the assistant said (and the end of its turn), but for messages with
// "weight": 0. Alpaca's rows become chats where the model has a chat template, else Alpaca's own prompt. "tools",
// "documents", "chat_template_kwargs" and whatever else the template reads reach it from the row.
void add_jsonl(std::vector<Sequence>& to, const TextCodec& codec, std::string_view lines, const std::string& name,
               const DataOptions& options, DataReport* report = nullptr);
// Rows of kPairForms, likewise. Only the last answers are compared; earlier ones are part of the prompt.
void add_preferences(std::vector<Preference>& to, const TextCodec& codec, std::string_view lines,
                     const std::string& name, const DataOptions& options, DataReport* report = nullptr);
// By content: what begins like JSON (or is named .jsonl, .ndjson, .json) is rows, other UTF-8 is one text. Archives,
// compressed and binary files and tables are refused by name.
void add_data(std::vector<Sequence>& to, const TextCodec& codec, std::string_view bytes, const std::string& name,
              const DataOptions& options, DataReport* report = nullptr);
void add_file(std::vector<Sequence>& to, const TextCodec& codec, const std::string& path, const DataOptions& options,
              DataReport* report = nullptr);
// The texts of such a file without its JSON: training data for a tokenizer.
std::string text_of_data(std::string_view bytes, const std::string& name, const Watch& watch = Watch());

// 0, 1, ... count-1 in the order of an epoch: the same for the same seed on every machine.
std::vector<int64_t> shuffled(int64_t count, uint64_t seed, int64_t epoch);

}  // namespace puna::train
