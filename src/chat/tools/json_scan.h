// json_scan.h -- one JSON object or list, byte by byte: what each byte is, and whether it can stand there. What passes
// is what parse_json() takes, but for keys that appear twice.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace puna::tools {

constexpr size_t kMostDepth = 64;  // of base/json.h, so that arguments that pass here can be parsed there

// UTF-8 in which every byte is checked when it comes.
class Utf8Steps {
 public:
  bool step(uint8_t byte) noexcept;  // false: no text goes on so
  bool between() const noexcept { return need_ == 0; }

 private:
  uint8_t need_ = 0, low_ = 0x80, high_ = 0xbf;
};

class JsonScan {
 public:
  // text_*: strings, keys included; their bytes as written, escapes too. scalar: a byte of a number, true, false, null.
  enum class Event : uint8_t { bad, blank, open, close, text_open, text_byte, text_close, scalar, colon, comma };

  Event step(char c);  // after `bad` the scan is over; so it is when depth() is 0 again
  size_t depth() const noexcept { return stack_.size(); }
  bool in_key() const noexcept { return key_; }  // of the string that was opened last

 private:
  enum class Wants : uint8_t { value, value_or_close, key, key_or_close, colon, comma, text, escape, hex, low, scalar };

  Event value(char c);
  Event close(char c);
  Event text(char c);
  Event scalar(char c);
  bool scalar_is_whole() const noexcept;

  std::string stack_;  // '{' and '['
  Wants wants_ = Wants::value;
  bool key_ = false;
  Utf8Steps utf8_;
  uint32_t code_ = 0;
  uint8_t digits_ = 0, low_at_ = 0;
  bool high_ = false;         // a low surrogate must follow
  std::string_view literal_;  // what is left of true, false or null
  char number_ = 0;           // the state of a number, see scalar()
};

bool is_json_blank(char c) noexcept;
void append_json_char(std::string& out, char c);  // a byte of a string: escaped where JSON wants it
// What a JSON string says, from its bytes between the quotes. They have passed a JsonScan.
std::string unescaped(std::string_view raw);

}  // namespace puna::tools
