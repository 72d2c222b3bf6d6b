// python_scan.h -- the keyword arguments of a Python call, byte by byte, to the JSON object they mean. Nothing is
// evaluated: literals, lists, tuples and dicts only.
//
// Beyond Python, what models write: true, false and null; dicts as {k=v} (Meta's own encoder); and a quote inside a
// text that is not escaped, which is one that nothing of the syntax follows: "say "hi" to him".
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "chat/tools/json_scan.h"

namespace puna::tools {

class PythonScan {
 public:
  enum class Step : uint8_t { more, done, bad };

  PythonScan();  // behind "f("
  Step step(char c);

  // The JSON so far; `settled` bytes of it will not change. The whole of it after `done`.
  const std::string& json() const noexcept { return out_; }
  std::string& json() noexcept { return out_; }
  size_t settled() const noexcept;

 private:
  enum class Wants : uint8_t {
    keyword,  // a keyword of a call or a key of a dict, or the end
    name,     // more of a keyword or a key that is no string
    equals,
    colon,
    value,
    value_or_close,
    comma,
    comment,
    number,
    word,
    text_begin,  // behind the first quote
    text_second,
    text,
    text_end,  // behind a quote that may be the last
    escape,
    digits,
    surrogate,
  };
  struct Frame {
    char kind;  // 'f' call, '{' dict, '[' list, '(' tuple, or a value in parentheses
    bool comma = false;
    size_t count = 0;
    size_t at = 0;  // '(': where the '[' of a tuple has its place
  };

  bool push(char kind);
  void element();  // the next one begins: a comma, unless it is the first
  bool close(char c);
  bool start_value(char c);
  bool start_key(char c);
  bool name_ends(char c);
  bool number_ends();
  bool word_ends();
  void text_ends();
  bool text_byte(char c);
  bool text_step(char c, bool& again);
  bool escape(char c, bool& again);
  bool code_point();

  std::string out_, word_, blanks_;
  std::vector<Frame> stack_;
  Wants wants_ = Wants::keyword, behind_comment_ = Wants::keyword;
  bool done_ = false, key_ = false, triple_ = false;
  char quote_ = 0;
  int quotes_ = 0;  // in a row, of a triple-quoted text
  Utf8Steps utf8_;
  uint32_t code_ = 0, high_ = 0;
  int digits_ = 0, most_digits_ = 0, base_ = 16, surrogate_at_ = 0;
};

}  // namespace puna::tools
