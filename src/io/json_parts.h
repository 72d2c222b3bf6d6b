// json_parts.h -- the parts of a JSON text as text: a row of a data file is not built as a tree of values, which would
// be many times its size. All but end_of_value() expect text that is valid (json_rows.h checks every row).
#pragma once
#include <string>
#include <string_view>

#include "puna/base/function_ref.h"
#include "puna/base/watch.h"

namespace puna::io {

// One past the value that begins at text[at]: brackets and strings are matched, nothing else is looked at. A string
// ends at a line's end at the latest.
size_t end_of_value(std::string_view text, size_t at, const Watch& watch);
size_t skip_space(std::string_view text, size_t at, const Watch& watch);

inline bool is_object(std::string_view json) { return json.starts_with('{'); }
inline bool is_array(std::string_view json) { return json.starts_with('['); }
inline bool is_string(std::string_view json) { return json.starts_with('"'); }
inline bool is_null(std::string_view json) { return json == "null"; }
const char* kind_of(std::string_view json);  // "an object", "a list", "a text", ...

void each_member(std::string_view object, const Watch& watch,
                 FunctionRef<void(const std::string& key, std::string_view value)> visit);
void each_element(std::string_view array, const Watch& watch, FunctionRef<void(std::string_view value)> visit);
// Every text inside a value, and the key that it stands under ("" at the top; a list's texts stand under the list's).
void each_text(std::string_view value, std::string_view key, const Watch& watch,
               FunctionRef<void(std::string_view key, const std::string& text)> visit);
std::string_view member(std::string_view object, std::string_view key,
                        const Watch& watch);                       // empty: there is none, or it is null
std::string text_of(std::string_view string, const Watch& watch);  // what a JSON string says

}  // namespace puna::io
