// regex_syntax.h -- regular expressions as people write them (ECMA-262 with Unicode, the dialect of JSON Schema's
// `pattern`), read into our own.
//   a . [a-z] [^a-z] \d \w \s \D \W \S \t \n \r \f \v \0 \xHH \uHHHH \u{H..} \cX \p{L} \P{L}   ( ) (?: ) (?<name> )   |
//   * + ? {n} {n,} {n,m} and their lazy forms, which match the same strings   ^ $
// Not supported, and so errors: back references, \b, lookbehind, flags, and lookahead but at the beginning of the
// expression or of one of its alternatives.
#pragma once
#include <string_view>

#include "grammar/frontends/code_set.h"
#include "puna/base/function_ref.h"
#include "puna/base/watch.h"

namespace puna::grammar {

struct RegexDialect {
  // How one character of a set is written: its UTF-8, or what stands for it inside a JSON string.
  FunctionRef<Regex(const CodeSet&)> character;
  // Any text at all, written so.
  Regex any_text;
  // Whether the expression may match anywhere inside a text (`pattern`), or must match all of it.
  bool search = false;
};

// The texts that match. Error{invalid_argument} "<place>: ..., at character N", {unsupported} likewise.
Regex parse_regex(std::string_view pattern, RegexBuilder& build, const RegexDialect& dialect, std::string_view place,
                  const Watch& watch);

}  // namespace puna::grammar
