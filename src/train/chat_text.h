// chat_text.h -- a model's chat template as training uses it: errors name the row. Which forms of tool calls and null
// contents the template accepts is found by rendering probes, so that a row is written as a server for this model would
// write it.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "io/json_rows.h"
#include "puna/train/data.h"

namespace puna::train {

using io::Place;

class ChatText {
 public:
  ChatText(const TextCodec& codec, const DataOptions& options) : codec_(codec), options_(options) {}

  bool exists() const noexcept { return bool(codec_.render_chat); }
  bool reads(std::string_view variable) const;
  // `date` "" = the options'. Error{unsupported} without a template.
  RenderedChat render(const Place& place, const std::string& variables, const std::string& date) const;

  bool takes_null_content();      // of a message with tool calls; false: "None" would be written, or an error
  bool takes_parts();             // false: content as a list of parts would be written as Python prints lists
  bool wants_argument_objects();  // tool arguments as text would be quoted twice

 private:
  // the text, or nothing where the template refuses
  std::optional<std::string> attempt(const std::string& messages) const;

  const TextCodec& codec_;
  const DataOptions& options_;
  std::optional<bool> null_content_, parts_, objects_;
};

// Bytes [begin, end) of a rendered chat.
RenderedChat part_of(const RenderedChat& chat, size_t begin, size_t end);

}  // namespace puna::train
