// gemma_scan.h -- the arguments of a call as Gemma 4 writes them, byte by byte, to the JSON object they mean:
// city:<|"|>Orléans<|"|>,days:2,when:{from:1,to:[2,3]}} -- keys are bare, texts unescaped, and the quote is a token.
#pragma once
#include <string>

#include "chat/tools/json_scan.h"

namespace puna::tools {

class GemmaScan {
 public:
  enum class Step : uint8_t { more, done, bad };

  Step step(char c);  // behind "call:f{"; done at its "}"

  // The JSON so far; none of it will change. The whole of it after `done`.
  const std::string& json() const noexcept { return out_; }

 private:
  enum class Wants : uint8_t { key_or_close, key, in_key, colon, value_or_close, value, text, scalar, comma };

  Step structure(char c);
  Step close(char c);
  bool start_value(char c);
  bool key_ends();
  bool text_byte(char c);
  bool scalar_ends();

  std::string out_ = "{", stack_ = "{", word_;
  Wants wants_ = Wants::key_or_close;
  size_t mark_ = 0;  // bytes of the quote that have come
  bool quoted_ = false, key_ = false;
  Utf8Steps utf8_;
};

}  // namespace puna::tools
