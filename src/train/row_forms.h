// row_forms.h -- the known forms of rows (kDataForms, kPairForms) to what is learned: a text, a prompt and its
// answer, or a chat.
#pragma once
#include "train/data_row.h"

namespace puna::train {

struct Example {
  enum class Kind { text, answer, chat };
  Kind kind = Kind::text;
  std::string text;  // or the prompt
  std::string answer;
  bool own_prompt = false;  // the prompt was written here around what the row says: nothing in it is a special token
  Chat chat;
};

Example read_example(Row& row, ChatText& text);
// Of a pair, the answer in the column "chosen" or "rejected" and the prompt in front of it.
Example read_side(Row& row, const char* side, ChatText& text);

}  // namespace puna::train
