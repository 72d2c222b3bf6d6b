// format.h -- what a model family's tool calls look like: one entry of the table in formats.cpp, read by the parser,
// the writer and the constraints alike.
#pragma once
#include <array>
#include <span>
#include <string_view>

#include "puna/chat/tools.h"

namespace puna::tools {

// How a call, or a list of calls, may be written.
enum Notation : unsigned {
  kJsonObject =
      1,  // {"name": f, "parameters": {...}}; "arguments", "type", "id"; {"type": "function", "function": {...}}
  kJsonList = 2,    // [{...}, {...}]
  kPythonList = 4,  // [f(a=1), g()]
  kPythonCall = 8,  // f(a=1), f.call(a=1)
  kNamed = 16,      // f, the opener's name_end, and the arguments as JSON
  kGemma = 32,      // call:f{a:1,b:<|"|>text<|"|>}
};

// How arguments are written: JSON, the keywords of a Python call, or Gemma 4's braces.
enum class ArgumentForm : uint8_t { json, python, gemma };

inline constexpr std::string_view kGemmaQuote = "<|\"|>";

// What stands before calls. It is a part of the call's syntax when one follows, else text.
struct Opener {
  std::string_view text;
  unsigned notations;         // of what may follow
  std::string_view name_end;  // kNamed
  bool code = false;          // what follows and is no call is code, where there is a tool that runs code
};

}  // namespace puna::tools

namespace puna {

struct ToolFormat {  // texts that are "" are not there
  std::string_view name = {};
  // How this family's templates are known: by all of these texts; and where there is no template, by a special token.
  std::array<std::string_view, 2> in_template = {};
  std::string_view token = {};

  // Read:
  unsigned bare = 0;  // notations that need no opener
  std::span<const tools::Opener> openers = {};
  std::array<std::string_view, 2> closers = {};  // what may stand behind calls

  // Written: begin, then before NAME between ARGUMENTS after, with separators in between, then end.
  std::string_view begin = {}, before = {}, between = {}, after = {}, separator = {}, end = {};
  tools::ArgumentForm arguments = tools::ArgumentForm::json;
  std::span<const std::string_view> specials = {};  // of the texts above: tokens
  bool messages = false;  // an answer is messages with headers, which harmony_reader reads; specials stand in text too
};

}  // namespace puna
