// json_in_rules.h -- the values of a JSON Schema as a symbol among other rules: for front ends in which JSON is a part.
#pragma once
#include <string_view>

#include "grammar/builder.h"
#include "grammar/frontends/json_text.h"

namespace puna::grammar {

enum class JsonForm : uint8_t {
  json,             // a value
  python_keywords,  // objects, as the keyword arguments of a Python call, with Python's literals: a="x", b=[True, None]
  gemma_members,    // objects, as a call of Gemma 4 has them between its braces: a:<|"|>x<|"|>,b:[true,null]
};

// Adds the rules that `schema` needs to `build`. Errors and notes name places in the schema. `watch` is the builder's.
Symbol add_json_schema(Builder& build, std::string_view schema, JsonForm form, const JsonSchemaOptions& options,
                       const Watch& watch);

}  // namespace puna::grammar
