#include "train/row_forms.h"

#include "base/json.h"
#include "io/json_parts.h"

namespace puna::train {

using namespace io;  // rows of JSON and their parts
namespace {

// A row's chat in the making.
class ChatOf {
 public:
  ChatOf(Row& row, ChatText& text, Chat& chat) : row_(row), text_(text), chat_(chat), notes_(row.notes()) {}

  void list(const char* column, bool learn) {
    read_messages(chat_, row_.take(column), column, learn, text_, row_.place(), notes_, row_.watch());
  }
  void message(std::string_view json, const std::string& name, bool learn) {
    read_message(chat_, json, name, learn, text_, row_.place(), notes_, row_.watch());
  }

  // LLaMA-Factory's column beside the messages.
  void system() {
    if (!row_.has("system")) return;
    const std::string said = row_.take_text("system");
    if (!said.empty()) chat_.say("system", said, false);
  }
  // [["question", "answer"], ...]
  void history() {
    const std::string_view list = row_.take("history");
    if (list.empty()) return;
    const auto wrong = [&] { row_.place().refuse("'history' is expected to be a list of [question, answer]"); };
    if (!is_array(list)) wrong();
    each_element(list, row_.watch(), [&](std::string_view turn) {
      if (!is_array(turn)) wrong();
      size_t n = 0;
      each_element(turn, row_.watch(), [&](std::string_view said) {
        if (!is_string(said) || n == 2) wrong();
        chat_.say(n++ == 0 ? "user" : "assistant", text_of(said, row_.watch()), false);
      });
      if (n != 2) wrong();
    });
  }

 private:
  Row& row_;
  ChatText& text_;
  Chat& chat_;
  const Notes notes_;
};

// ---- Alpaca (github.com/tatsu-lab/stanford_alpaca)

std::string alpaca_prompt(const std::string& instruction, const std::string& input) {
  if (input.empty())
    return "Below is an instruction that describes a task. Write a response that appropriately completes the "
           "request.\n\n### Instruction:\n" +
           instruction + "\n\n### Response:\n";
  return "Below is an instruction that describes a task, paired with an input that provides further context. Write a "
         "response that appropriately completes the "
         "request.\n\n### Instruction:\n" +
         instruction + "\n\n### Input:\n" + input + "\n\n### Response:\n";
}

// Everything in front of the answer.
void alpaca(Row& row, ChatText& text, Example& e) {
  const std::string instruction = row.take_text("instruction"),
                    input = row.has("input") ? row.take_text("input") : std::string();
  if (text.exists()) {
    e.kind = Example::Kind::chat;
    ChatOf chat(row, text, e.chat);
    chat.system();
    chat.history();
    e.chat.say("user", input.empty() ? instruction : instruction + "\n\n" + input, false);
    row.notes().add("Alpaca's rows became chats by the model's chat template");
    return;
  }
  for (const char* column : {"system", "history"})
    if (row.has(column) && row.take(column) != "\"\"" && row.take(column) != "[]")
      row.place().refuse("'%s' needs a model with a chat template", column);
  e.kind = Example::Kind::answer;
  e.own_prompt = true;
  e.text = alpaca_prompt(instruction, input);
  row.notes().add("Alpaca's rows got Alpaca's own prompt: the model has no chat template");
}

void alpaca_answer(Example& e, const std::string& answer) {
  if (e.kind == Example::Kind::chat)
    e.chat.say("assistant", answer, true);
  else
    e.answer = answer;
}

// ---- prompts and completions

void refuse_prefix(const Row& row, const Chat& chat, const char* column) {
  if (!chat.messages.empty() && chat.messages.back().answers)
    row.place().refuse("'%s' ends with a message of the assistant's: an answer that goes on is not read", column);
}

// A list of messages, one message or a text.
void answer(Row& row, const char* column, ChatText& text, Example& e) {
  ChatOf chat(row, text, e.chat);
  const std::string_view value = row.take(column);
  if (is_array(value))
    chat.list(column, true);
  else if (is_object(value))
    chat.message(value, "'" + std::string(column) + "'", true);
  else
    e.chat.say("assistant", row.take_text(column), true);
}

void prompt_and_completion(Row& row, ChatText& text, Example& e) {
  const std::string_view prompt = row.take("prompt"), completion = row.take("completion");
  if (is_array(prompt)) {
    e.kind = Example::Kind::chat;
    ChatOf(row, text, e.chat).list("prompt", false);
    refuse_prefix(row, e.chat, "prompt");
    answer(row, "completion", text, e);
    return;
  }
  if (is_array(completion))
    row.place().refuse("'completion' is a list of messages, but 'prompt' is %s: expected both lists or both texts",
                       kind_of(prompt));
  e.kind = Example::Kind::answer;
  e.text = row.take_text("prompt");
  e.answer = row.take_text("completion");
}

// ---- pairs that hold their prompt

bool same_message(std::string_view a, std::string_view b, const Watch& watch) {
  if (a == b) return true;
  Json x = parse_json(a, "message", watch), y = parse_json(b, "message", watch);
  const JsonGuard guard_x(x), guard_y(y);
  return x == y;
}

std::vector<std::string_view> elements(std::string_view list, const Watch& watch) {
  std::vector<std::string_view> all;
  each_element(list, watch, [&](std::string_view e) { all.push_back(e); });
  return all;
}

std::string role_of(std::string_view message, const Watch& watch) {
  if (!is_object(message)) return {};
  std::string_view role = member(message, "role", watch);
  if (role.empty()) role = member(message, "from", watch);
  return is_string(role) ? text_of(role, watch) : std::string();
}

// Two lists that begin with the same messages: those are the prompt.
void implicit_chat(Row& row, const char* side, ChatText& text, Example& e) {
  const Watch& watch = row.watch();
  const std::vector<std::string_view> chosen = elements(row.take("chosen"), watch),
                                      rejected = elements(row.take("rejected"), watch);
  size_t shared = 0;
  while (shared < chosen.size() && shared < rejected.size() && same_message(chosen[shared], rejected[shared], watch))
    ++shared;
  if (shared == chosen.size() && shared == rejected.size()) row.place().refuse("'chosen' and 'rejected' are the same");
  if (shared == 0) row.place().refuse("'chosen' and 'rejected' have no message in common that could be their prompt");
  const std::vector<std::string_view>& own = *side == 'c' ? chosen : rejected;
  if (shared == own.size()) row.place().refuse("'%s' has no answer behind what both lists begin with", side);
  e.kind = Example::Kind::chat;
  ChatOf chat(row, text, e.chat);
  for (size_t i = 0; i < own.size(); ++i)
    chat.message(own[i], "'" + std::string(side) + "', message " + std::to_string(i + 1), i >= shared);
}

// UltraFeedback and its kin say the prompt as a text, and again in both lists.
void require_prompt_inside(Row& row, const std::string& prompt) {
  for (const std::string_view m : elements(row.take("chosen"), row.watch())) {
    bool found = false;
    each_text(m, "", row.watch(), [&](std::string_view, const std::string& said) { found |= said == prompt; });
    if (found) return;
  }
  row.place().refuse(
      "'chosen' begins with a message that is not the assistant's, but 'prompt' is in none of its messages");
}

// Two texts: what they begin with in common, back to a space, as TRL takes it.
void implicit_text(Row& row, const char* side, Example& e) {
  const std::string chosen = row.take_text("chosen"), rejected = row.take_text("rejected");
  size_t shared = 0;
  while (shared < chosen.size() && shared < rejected.size() && chosen[shared] == rejected[shared]) ++shared;
  if (shared == chosen.size() && shared == rejected.size()) row.place().refuse("'chosen' and 'rejected' are the same");
  const auto inside = [&](const std::string& s, size_t at) { return at < s.size() && (s[at] & 0xC0) == 0x80; };
  while (shared > 0 && (inside(chosen, shared) || inside(rejected, shared))) --shared;
  if (shared > 0 && chosen[shared - 1] == ' ') --shared;
  if (shared == 0)
    row.place().refuse("'chosen' and 'rejected' do not begin alike, so that they have no prompt: give 'prompt'");
  e.kind = Example::Kind::answer;
  e.text = chosen.substr(0, shared);
  e.answer = (*side == 'c' ? chosen : rejected).substr(shared);
}

}  // namespace

Example read_example(Row& row, ChatText& text) {
  row.refuse_marks();
  Example e;
  ChatOf chat(row, text, e.chat);
  if (row.has("messages")) {
    e.kind = Example::Kind::chat;
    chat.list("messages", true);
  } else if (row.has("conversations") || row.has("conversation")) {
    e.kind = Example::Kind::chat;
    chat.system();
    chat.list(row.has("conversations") ? "conversations" : "conversation", true);
  } else if (row.has("prompt") && row.has("completion")) {
    prompt_and_completion(row, text, e);
  } else if (row.has("instruction") && row.has("output")) {
    alpaca(row, text, e);
    alpaca_answer(e, row.take_text("output"));
    if (e.kind == Example::Kind::chat) row.give_variables(e.chat, text);
    row.finish({"input", "system", "history"});
    return e;
  } else if (row.has("text")) {
    e.text = row.take_text("text");
  } else {
    row.refuse_form(kDataForms, false);
  }
  if (e.kind != Example::Kind::chat) {
    row.finish({});
    return e;
  }
  row.give_variables(e.chat, text);
  row.finish({"tools", "documents", "chat_template_kwargs"});
  return e;
}

Example read_side(Row& row, const char* side, ChatText& text) {
  row.refuse_marks();
  if (row.has("preferred_output"))
    row.place().refuse("this looks like OpenAI's preferences: write 'prompt', 'chosen' and 'rejected'");
  if (!row.has("chosen") || !row.has("rejected")) row.refuse_form(kPairForms, true);
  Example e;
  ChatOf chat(row, text, e.chat);
  const std::string_view prompt = row.take("prompt"), chosen = row.take("chosen"), rejected = row.take("rejected");
  if (is_array(chosen) != is_array(rejected))
    row.place().refuse("'chosen' is %s, but 'rejected' is %s", kind_of(chosen), kind_of(rejected));
  if (is_array(prompt)) {
    e.kind = Example::Kind::chat;
    chat.list("prompt", false);
    refuse_prefix(row, e.chat, "prompt");
    answer(row, side, text, e);
  } else if (!prompt.empty() && is_array(chosen)) {
    const std::vector<std::string_view> messages = elements(chosen, row.watch());
    const std::string first = messages.empty() ? std::string() : role_of(messages[0], row.watch());
    if (first != "assistant" && first != "gpt") {
      require_prompt_inside(row, row.take_text("prompt"));
      implicit_chat(row, side, text, e);
    } else {
      e.kind = Example::Kind::chat;
      chat.system();
      e.chat.say("user", row.take_text("prompt"), false);
      answer(row, side, text, e);
    }
  } else if (!prompt.empty()) {
    e.kind = Example::Kind::answer;
    e.text = row.take_text("prompt");
    e.answer = row.take_text(side);
  } else if (row.has("conversations") || row.has("conversation")) {
    e.kind = Example::Kind::chat;
    chat.system();
    chat.list(row.has("conversations") ? "conversations" : "conversation", false);
    refuse_prefix(row, e.chat, "conversations");
    answer(row, side, text, e);
  } else if (row.has("instruction")) {
    alpaca(row, text, e);
    alpaca_answer(e, row.take_text(side));
  } else if (is_array(chosen)) {
    implicit_chat(row, side, text, e);
  } else {
    if (row.has("question") || row.has("query"))
      row.place().refuse("'%s' looks like the prompt: name the column 'prompt'",
                         row.has("question") ? "question" : "query");
    implicit_text(row, side, e);
  }
  if (e.kind == Example::Kind::chat) row.give_variables(e.chat, text);
  row.finish({"prompt", "tools", "documents", "chat_template_kwargs"});
  return e;
}

}  // namespace puna::train
