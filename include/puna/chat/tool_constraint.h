// tool_constraint.h -- what an answer must look like that may, or must, call tools: the pieces from which a grammar is
// put together. Nothing here knows grammars.
//
//   required, named     begin call (separator call)* end        the whole answer, but for the stop token
//   automatic           text (trigger ... as above)?            text that does not contain the trigger is free
//   call                before arguments after                  one of `calls`
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
};

struct ToolConstraint {
  enum class Arguments : uint8_t {
    json,    // a JSON object of the schema
    python,  // the object's members as keyword arguments: key=literal, joined by ", ", none for an empty object
  };
  struct Call {
    std::string name;
    std::vector<ChatSegment> before, after;  // fixed text; special: one token by its name
    std::string schema;                      // JSON Schema of an object; "" = any object
    bool strict = false;
  };

  bool constrained = false;  // false: the answer is free (no tools, or none)
  bool free_text_first = false;
  // Automatic: from the first of these on, an answer is constrained; each is a beginning of `begin` and a call's
  // `before`, and is a part of them. A special one is a token.
  std::vector<ChatSegment> triggers;
  Arguments arguments = Arguments::json;
  std::vector<ChatSegment> begin, separator, end;
  std::vector<Call> calls;
  bool many = true;  // more than one call
};

// Throws Error{invalid_argument} when `choice` names a tool that is none of these, or demands a call where there are no
// tools.
ToolConstraint tool_constraint(const Tools& tools, const ToolFormat& format, const ToolChoice& choice);

}  // namespace puna
