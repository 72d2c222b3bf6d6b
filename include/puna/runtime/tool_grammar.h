// tool_grammar.h -- what an answer may be that may, or must, call tools, as a grammar: an answer by it is read back by
// ToolCallParser as text and calls of these tools, with arguments of their schemas.
#pragma once
#include <string>

#include "puna/chat/tool_constraint.h"
#include "puna/grammar/grammar.h"
#include "puna/text/tokenizer.h"

namespace puna {

struct ToolGrammarOptions {
  ToolChoice choice;
  // Not empty, with the choice `automatic`: an answer is calls alone, or a JSON text of this schema, whichever the
  // model begins. The parser may see a call in a text that is no call of these tools; a Matcher of each grammar alone
  // tells which an answer is.
  std::string text_schema;
  // Of the arguments. Its notes also get what was read as another word: types such as "dict" and "float", which lists
  // of tools have from Python and Java.
  JsonSchemaOptions json;
  // Special tokens of a format that it has are tokens; others, and all where there is no tokenizer, are their text.
  const Tokenizer* tokenizer = nullptr;
};

// NULL: nothing is constrained, since no tool is to be called (ToolChoice::none) or there is none.
//
// Arguments keep to the tool's schema, whether it is strict or not; where the schema lists properties and says nothing
// of others there are no others, since a function does not take arguments that it does not have. Without parameters a
// tool is called without arguments. Python's are key=value in the schema's order; texts in double quotes.
//
// Error{invalid_argument} or {unsupported} "tools: tool 'f': JSON Schema, at /properties/x/pattern: ...": an answer is
// never constrained by less than was asked for.
GrammarPtr tool_grammar(const Tools& tools, const ToolFormat& format, const ToolGrammarOptions& options,
                        const Watch& watch = Watch());

}  // namespace puna
