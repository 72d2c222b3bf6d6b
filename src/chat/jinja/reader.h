// reader.h -- a caller's variables, one JSON object, as template values. All texts and numbers in it are content,
// but for the role of a message, which templates put into their special tokens ('<|' + role + '|>'), where it is a
// plain identifier.
#pragma once
#include <string_view>

#include "chat/jinja/value.h"
#include "puna/base/watch.h"

namespace puna::jinja {

// A dict. Error{bad_file} on malformed JSON, {invalid_argument} on other JSON than an object. Integers have as many
// digits as Python prints.
Value read_variables(std::string_view json, const Watch& watch);

}  // namespace puna::jinja
