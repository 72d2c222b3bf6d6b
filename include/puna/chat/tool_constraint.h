// tool_constraint.h -- what an answer must look like that may, or must, call tools: the pieces from which a grammar is
// put together (runtime/tool_grammar.h does). Nothing here knows grammars.
//
//   calls               begin call (separator call)* end
//   call                before arguments after                  one of `calls`
//   required, named     calls                                   the whole answer, but for the stop token
//   automatic           text (calls text)*                      text in which the parser sees no call; also bare calls
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "puna/chat/tools.h"

namespace puna {

struct ToolChoice {
  enum class Kind : uint8_t { none, automatic, required, named };
  Kind kind = Kind::automatic;
  std::string name;      // named
  bool parallel = true;  // false: one call at most

  // OpenAI's tool_choice: auto, none, required, or an object {"type": "function", "function": {"name": f}}, also
  // {"type": "function", "name": f}. Any other word is a tool's name; "" is auto. Error{invalid_argument}.
  static ToolChoice parse(std::string_view text);
};

struct ToolConstraint {
  enum class Arguments : uint8_t {
    json,    // a JSON object of the schema
    python,  // the object's members as keyword arguments: key=literal, joined by ", ", none for an empty object
    gemma,   // likewise, as key:value, joined by ",": texts between <|"|>, unescaped; no quotes around keys
  };
  struct Call {
    std::string name;
    std::vector<ChatSegment> before, after;  // fixed text; special: one token by its name
    std::string schema;                      // JSON Schema of an object; "" = none: a call without arguments
    bool strict = false;
  };

  bool constrained = false;  // false: the answer is free (no tools, or none)
  bool free_text_first = false;
  // Automatic: what must not stand in the free text, since a parser of this format would read it as a call.
  struct FreeText {
    std::vector<std::string> marks;     // none of these texts
    bool json_calls = false;            // nor "name": "TOOL" or "function": "TOOL", as JSON's members
    std::vector<std::string> specials;  // special tokens that may stand in it: of the messages' headers
    bool python_calls = false;  // nor [TOOL( with white space or comments behind the bracket, nor TOOL( at the start
  } free_text;
  Arguments arguments = Arguments::json;
  std::vector<ChatSegment> begin, separator, end;
  std::vector<Call> calls;
  // Automatic: the same calls as JSON objects without anything around them, which some models write instead and a
  // parser of this format reads. Empty: it does not, or the format is that.
  std::vector<Call> bare_calls;
  bool many = true;  // more than one call
};

// Throws Error{invalid_argument} when `choice` names a tool that is none of these, or demands a call where there are no
// tools.
ToolConstraint tool_constraint(const Tools& tools, const ToolFormat& format, const ToolChoice& choice);

}  // namespace puna
