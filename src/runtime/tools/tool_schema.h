// tool_schema.h -- the schema of a tool's arguments as JSON Schema: lists of tools have words of other languages in it.
#pragma once
#include <string>
#include <vector>

#include "puna/base/watch.h"

namespace puna {

// Always an object's. Types such as "dict" are read as JSON Schema's, with a note each. Error{invalid_argument} where
// the arguments can be no object. `schema`: JSON, or "" for a tool without arguments.
std::string tool_arguments_schema(const std::string& schema, std::vector<std::string>& notes, const Watch& watch);

}  // namespace puna
