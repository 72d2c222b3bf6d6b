// chat_template.h -- a chat's messages to the prompt text a model was trained on, by the Jinja template it ships.
// Renders as transformers does (Jinja 3.1, immutable sandbox, trim_blocks, lstrip_blocks, loopcontrols, {% generation
// %}, its tojson), with Python's strings (code points; CPython's case mappings), numbers and printing. The interpreter
// is bounded (steps, depth, output size): a malicious template is an error, never a hang. The date comes from the
// caller: nothing here reads a clock, a file or the environment. What differs from Python: integers are 64 bits, to
// compute beyond is an error (variables may be longer, and print as they are); printing a generator or a function is an
// error. What a render prints of the caller's variables is its `content`: precise to the byte through slicing,
// splitting, joining, formatting, trimming, replacing, changing case, JSON and macros. Where a byte mixes both, it is
// content. Not supported (Error{unsupported}): include, import, extends, block, autoescape; filters urlize, wordwrap,
// xmlattr, pprint, random, filesizeformat; str.casefold, encode, translate, isidentifier.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "puna/base/watch.h"
#include "puna/text/rendered_chat.h"

namespace puna {

// chat: what transformers renders chats with: the newline after a block tag and white space before it go, a value that
// is undefined prints nothing. plain: what lm-evaluation-harness renders its tasks with: all text stays, and to print
// or to test an undefined value is an error.
enum class TemplateStyle : uint8_t { chat, plain };

class ChatTemplate {
 public:
  struct Limits {
    // One for a node, an item, or 32 bytes of text made or looked at: bounds time and memory.
    int64_t steps = 10'000'000;
    int depth = 200;                  // nesting of the source, of calls and of values, lazy iterators included
    int64_t output_bytes = 64 << 20;  // of the output, and of any one text
  };
  // Throws Error{bad_file} "chat template line 3: ..." on a syntax error or a source of more than a megabyte,
  // Error{unsupported} on a feature we lack.
  static std::shared_ptr<const ChatTemplate> parse(std::string_view source, const Limits& limits,
                                                   const Watch& watch = Watch(),
                                                   TemplateStyle style = TemplateStyle::chat);
  static std::shared_ptr<const ChatTemplate> parse(std::string_view source) { return parse(source, Limits()); }
  virtual ~ChatTemplate() = default;

  // `variables_json`: one JSON object with what transformers' apply_chat_template passes: messages, tools (or null),
  // add_generation_prompt, bos_token, eos_token, and any further keyword; key order is kept. `now` (YYYY-MM-DD, "" =
  // none) answers strftime_now (at midnight). Every error is "chat template line N: ...": Error{invalid_argument} when
  // the template refuses these messages (raise_exception, with its message) or fails on them, {bad_file} when a limit
  // is passed or the JSON is malformed. `otherwise` (valid UTF-8) are variables that the JSON may leave out: special
  // tokens, a text or a list of texts each. They are no content, nor is what the JSON gives in place of one, if it is
  // the text of one, nor the role of a message that is a plain identifier (letters, digits, _ and -).
  using Texts = std::map<std::string, std::variant<std::string, std::vector<std::string>>, std::less<>>;
  virtual RenderedChat render(std::string_view variables_json, std::string_view now = {}, const Watch& watch = Watch(),
                              const Texts& otherwise = Texts()) const = 0;
  // Whether a variable of this name would be read: tools, documents, enable_thinking, ...; "strftime_now": whether it
  // asks for the date. Jinja's other functions are none.
  virtual bool reads(std::string_view variable) const = 0;
  virtual const std::string& source() const noexcept = 0;
};

}  // namespace puna
