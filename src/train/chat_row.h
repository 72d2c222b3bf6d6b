// chat_row.h -- a row's chat: its messages as the JSON that the template gets, and which of them are to be learned.
// Messages stay the bytes of the file, keys in their order; only what a template cannot take is rewritten.
#pragma once
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "train/chat_text.h"

namespace puna::train {

struct Message {
  std::string_view json;
  bool answers = false;  // it is the assistant's
  bool learn = false;
};

struct Chat {
  std::vector<Message> messages;
  std::deque<std::string> made;  // messages that are not the file's bytes
  std::string variables;         // members beside "messages": ",\"tools\":[...]"
  std::string date;              // "" = the options'

  void add(std::string json, bool answers, bool learn) {
    messages.push_back({made.emplace_back(std::move(json)), answers, answers && learn});
  }
  void say(std::string_view role, const std::string& text, bool learn);  // a message of plain text
  // {"messages": the first `count`, ...}
  std::string json(size_t count, bool ask) const;
};

// Warnings about the rows that are read.
class Notes {
 public:
  Notes(DataReport* report, const Place& place) : report_(report), place_(place) {}
  void add(std::string_view what) const {
    if (report_) report_->note(what, place_.text());
  }

 private:
  DataReport* report_;
  const Place& place_;
};

// Adds the messages of a list: {"role", "content", ...} or ShareGPT's {"from", "value"}; in `turns` {"input", "output"}
// too. `column` names it in errors. learn: what the assistant says is to be learned, but where a message has "weight":
// 0.
void read_messages(Chat& chat, std::string_view list, const std::string& column, bool learn, ChatText& text,
                   const Place& place, const Notes& notes, const Watch& watch);
// One message that stands alone: {"role", "content"}, {"from", "value"}.
void read_message(Chat& chat, std::string_view message, const std::string& name, bool learn, ChatText& text,
                  const Place& place, const Notes& notes, const Watch& watch);

}  // namespace puna::train
