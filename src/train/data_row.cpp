#include "train/data_row.h"

#include <algorithm>

#include "base/json.h"
#include "base/nearest.h"
#include "io/json_parts.h"

namespace puna::train {

using namespace io;  // rows of JSON and their parts
namespace {

constexpr size_t kMostColumns = 1000;  // more is a transposed table, or an attack

// Every name that some form of row has.
const std::vector<std::string_view> kKnown = {
    "text",   "prompt",   "completion", "messages",  "instruction",         "output", "conversations", "conversation",
    "chosen", "rejected", "tools",      "documents", "chat_template_kwargs"};
// What this says itself, so that no row may say otherwise.
constexpr std::string_view kOurs[] = {
    "messages",  "tools",    "documents",  "add_generation_prompt", "continue_final_message", "bos_token",
    "eos_token", "tokenize", "return_dict"};

bool is_ours(std::string_view name) { return std::find(std::begin(kOurs), std::end(kOurs), name) != std::end(kOurs); }

bool is_date(const std::string& s) {
  const auto digit = [&](size_t i) { return s[i] >= '0' && s[i] <= '9'; };
  if (s.size() != 10 || s[4] != '-' || s[7] != '-') return false;
  return digit(0) && digit(1) && digit(2) && digit(3) && digit(5) && digit(6) && digit(8) && digit(9);
}

std::string variable(std::string_view name, std::string_view value) {
  return "," + puna::quoted(std::string(name)) + ":" + std::string(value);
}

}  // namespace

Row::Row(const Place& place, std::string_view object, DataReport* report, const Watch& watch)
    : place_(place), report_(report), watch_(watch) {
  each_member(object, watch, [&](const std::string& name, std::string_view value) {
    if (columns_.size() == kMostColumns) place.refuse("a row of more than %zu columns", kMostColumns);
    columns_.push_back({name, value});
  });
}

const Row::Column* Row::find(std::string_view column) const noexcept {
  for (const Column& c : columns_)
    if (c.name == column && !is_null(c.value)) return &c;
  return nullptr;
}

bool Row::has(std::string_view column) const noexcept { return find(column) != nullptr; }

std::string_view Row::take(std::string_view column) noexcept {
  const Column* const found = find(column);
  if (!found) return {};
  columns_[size_t(found - columns_.data())].used = true;
  return found->value;
}

std::string Row::take_text(std::string_view column) {
  const std::string_view value = take(column);
  const std::string name(column);
  if (value.empty()) place_.refuse("'%s' is missing or null", name.c_str());
  if (is_string(value)) return text_of(value, watch_);
  place_.refuse(
      "'%s' is %s, expected a text%s", name.c_str(), kind_of(value),
      is_array(value) || is_object(value) ? " (if this is a table by columns: a row an object is expected)" : "");
}

void Row::give_variables(Chat& chat, const ChatText& text) {
  std::string& out = chat.variables;
  if (give_tools(out) && !text.reads("tools")) notes().add("the chat template has no place for tools");
  const std::string_view documents = take("documents");
  out += variable("documents", documents.empty() ? "null" : documents);
  if (!documents.empty() && !text.reads("documents")) notes().add("the chat template has no place for documents");
  give_kwargs(out, text);
  for (Column& c : columns_) {
    if (c.used || is_null(c.value) || is_ours(c.name)) continue;
    if (c.name == "date" && text.reads("strftime_now")) {
      const std::string day = is_string(c.value) ? text_of(c.value, watch_) : std::string();
      if (!is_date(day))
        place_.refuse("'date' is %.40s, expected \"YYYY-MM-DD\": the chat template asks for it",
                      std::string(c.value).c_str());
      chat.date = day;
      c.used = true;
    } else if (text.reads(c.name)) {
      out += variable(c.name, c.value);
      c.used = true;
    }
  }
}

// A list, or (where every column of a table is text) the JSON of one.
bool Row::give_tools(std::string& variables) {
  std::string_view tools = take("tools");
  std::string held;
  if (is_string(tools)) {
    held = text_of(tools, watch_);
    if (held.find_first_not_of(" \t\r\n") == held.npos) held = "null";
    try {
      Json json = parse_json(held, "tools", watch_);
      const JsonGuard guard(json);
    } catch (const Error& e) {
      if (e.status() != Status::bad_file) throw;
      place_.refuse("'tools' is a text, but no JSON list");
    }
    const size_t at = held.find_first_not_of(" \t\r\n");
    tools = std::string_view(held).substr(at, end_of_value(held, at, watch_) - at);
  }
  if (!tools.empty() && !is_array(tools) && !is_null(tools))
    place_.refuse("'tools' is %s, expected a list", kind_of(tools));
  variables += variable("tools", tools.empty() ? "null" : tools);
  return is_array(tools) && tools[skip_space(tools, 1, watch_)] != ']';
}

void Row::give_kwargs(std::string& variables, const ChatText& text) {
  const std::string_view kwargs = take("chat_template_kwargs");
  if (kwargs.empty()) return;
  if (!is_object(kwargs)) place_.refuse("'chat_template_kwargs' is %s, expected an object", kind_of(kwargs));
  each_member(kwargs, watch_, [&](const std::string& name, std::string_view value) {
    if (is_ours(name))
      place_.refuse("'chat_template_kwargs' has '%s', which is not for a row to say there", name.c_str());
    if (!text.reads(name))
      notes().add("the chat template does not read '" + name.substr(0, 64) + "' of chat_template_kwargs");
    for (Column& c : columns_) c.used |= c.name == name;  // kwargs go first
    variables += variable(name, value);
  });
}

void Row::finish(std::initializer_list<std::string_view> optional) {
  std::vector<std::string_view> absent;
  for (const std::string_view name : optional)
    if (!has(name)) absent.push_back(name);
  for (const Column& c : columns_) {
    if (c.used || is_null(c.value) || c.name.empty()) continue;
    // Nearer than an error about an unknown form would look: a column of the user's own is no mistake.
    const std::string_view near = nearest_word(c.name, absent);
    const auto lower = [](char x) { return x >= 'A' && x <= 'Z' ? char(x - 'A' + 'a') : x; };
    const size_t longer = std::max(near.size(), c.name.size()), shorter = std::min(near.size(), c.name.size());
    if (!near.empty() && lower(near[0]) == lower(c.name[0]) && longer - shorter <= 1)
      place_.refuse("unknown column '%.64s', did you mean '%s'?", c.name.c_str(), std::string(near).c_str());
    if (!report_) continue;
    std::vector<std::string>& named = report_->unused_columns;
    if (named.size() < DataReport::kMostColumnsNamed && std::find(named.begin(), named.end(), c.name) == named.end())
      named.push_back(c.name.substr(0, 64));
  }
}

std::string Row::near_column(const std::vector<std::string_view>& known) const {
  for (const Column& c : columns_) {
    if (std::find(known.begin(), known.end(), c.name) != known.end()) continue;
    if (const std::string near = did_you_mean(c.name, known); !near.empty())
      return "unknown column '" + c.name.substr(0, 64) + "'" + near;
  }
  return {};
}

void Row::refuse_marks() const {
  for (const std::string_view name :
       {"input_ids", "token_ids", "completion_mask", "assistant_masks", "assistant_mask", "loss_mask", "labels_mask"})
    if (has(name))
      fail(Status::unsupported,
           "%s: '%s' is of data that are tokens already; texts are read, and \"weight\": 0 or 1 of an assistant's "
           "message",
           place_.text().c_str(), std::string(name).c_str());
  for (const std::string_view name :
       {"train_on_input", "train_on_inputs", "train_on_prompt", "mask_prompt", "train_on", "sample_weight"})
    if (has(name))
      fail(Status::unsupported,
           "%s: '%s' says what is to be learned in a way that is not read; a prompt never is, a {\"text\"} is as a "
           "whole",
           place_.text().c_str(), std::string(name).c_str());
  const Column* const label = find("label");
  if (label && (has("completion") || has("messages")) && (label->value == "true" || label->value == "false"))
    fail(Status::unsupported,
         "%s: 'label' says whether the answer is a good one (KTO); learn the good ones, or pairs {\"prompt\", "
         "\"chosen\", \"rejected\"} (puna dpo)",
         place_.text().c_str());
}

// ---- what a row of no form looks like

namespace {

struct Likeness {
  std::string_view column, means;
};
constexpr Likeness kLikenesses[] = {
    {"question", "prompt"},
    {"query", "prompt"},
    {"inputs", "prompt"},
    {"input", "prompt"},
    {"source", "prompt"},
    {"src", "prompt"},
    {"user", "prompt"},
    {"human", "prompt"},
    {"problem", "prompt"},
    {"instructions", "prompt"},
    {"input_text", "prompt"},
    {"prompt", "prompt"},
    {"instruction", "prompt"},
    {"answer", "completion"},
    {"answers", "completion"},
    {"response", "completion"},
    {"responses", "completion"},
    {"targets", "completion"},
    {"target", "completion"},
    {"output", "completion"},
    {"outputs", "completion"},
    {"tgt", "completion"},
    {"assistant", "completion"},
    {"bot", "completion"},
    {"gpt", "completion"},
    {"reply", "completion"},
    {"solution", "completion"},
    {"summary", "completion"},
    {"output_text", "completion"},
    {"generation", "completion"},
    {"completion", "completion"},
    {"content", "text"},
    {"contents", "text"},
    {"document", "text"},
    {"article", "text"},
    {"body", "text"},
    {"passage", "text"},
    {"code", "text"},
    {"story", "text"},
    {"sentence", "text"},
    {"page_content", "text"},
    {"raw_content", "text"},
    {"markdown", "text"},
    {"dialogue", "messages"},
    {"dialog", "messages"},
    {"chat", "messages"},
    {"turns", "messages"},
    {"history", "messages"},
    {"message_tree", "messages"},
};

}  // namespace

void Row::refuse_form(const char* forms, bool pairs) const {
  const auto refuse = [&](const std::string& what) { place_.refuse("%s; rows are read as %s", what.c_str(), forms); };
  if (columns_.empty()) refuse("an empty object");
  if (!pairs && has("chosen") && has("rejected"))
    place_.refuse("'chosen' and 'rejected' are a pair of answers: pairs are learned by puna dpo (preferences)");
  if (const Column* const list = find("contents"); list && is_array(list->value))
    refuse("'contents' looks like Gemini's chats: write 'messages' with 'role' and 'content'");
  std::string_view as_prompt, as_completion, as_text, as_messages;
  for (const Column& c : columns_)
    for (const Likeness& l : kLikenesses)
      if (c.name == l.column && !is_null(c.value)) {
        std::string_view& as = l.means == "prompt"       ? as_prompt
                               : l.means == "completion" ? as_completion
                               : l.means == "text"       ? as_text
                                                         : as_messages;
        const bool fits = l.means == "messages" ? is_array(c.value) : is_string(c.value);
        if (as.empty() && fits) as = c.name;
      }
  const auto named = [](std::string_view name) { return "'" + std::string(name) + "'"; };
  if (!pairs && !as_prompt.empty() && !as_completion.empty()) {
    const bool alpaca = as_prompt == "instruction";
    refuse(named(as_prompt) + " and " + named(as_completion) +
           " look like a prompt and its completion: name the columns '" + (alpaca ? "instruction" : "prompt") +
           "' and '" + (alpaca ? "output" : "completion") + "'");
  }
  if (pairs && (has("messages") || has("text") || has("completion") || has("conversations")) && !has("chosen") &&
      !has("rejected"))
    refuse("this row is no pair of answers (puna finetune learns it)");
  if (const std::string near = near_column(kKnown); !near.empty()) refuse(near);
  for (const std::string_view have : {"prompt", "instruction", "completion", "output"})
    if (!pairs && has(have)) {
      const char* const other = have == "prompt"        ? "completion"
                                : have == "instruction" ? "output"
                                : have == "completion"  ? "prompt"
                                                        : "instruction";
      refuse(named(have) + " is there, but '" + other + "' is missing");
    }
  if (pairs && (has("chosen") || has("rejected")))
    refuse(has("chosen") ? "'chosen' is there, but 'rejected' is missing"
                         : "'rejected' is there, but 'chosen' is missing");
  if (!pairs && !as_messages.empty()) refuse(named(as_messages) + " looks like a chat: name the column 'messages'");
  if (!pairs && !as_text.empty()) refuse(named(as_text) + " looks like a text: name the column 'text'");
  for (const Column& c : columns_)
    if (is_array(c.value) && skip_space(c.value, 1, watch_) < c.value.size() &&
        c.value[skip_space(c.value, 1, watch_)] == '{')
      refuse("the rows seem to stand inside '" + c.name.substr(0, 64) + "': write that list alone");
  for (const Column& c : columns_)
    if (is_object(c.value))
      refuse("the columns seem to stand inside '" + c.name.substr(0, 64) + "': a row has them itself");
  std::string names;
  for (size_t i = 0; i < std::min<size_t>(columns_.size(), 5); ++i)
    names += (i == 0 ? "" : ", ") + columns_[i].name.substr(0, 40);
  place_.refuse("a row with the columns %s%s; rows are read as %s", names.c_str(), columns_.size() > 5 ? ", ..." : "",
                forms);
}

}  // namespace puna::train
