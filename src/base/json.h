// json.h -- JSON by nlohmann-json (header-only, private): strict, bounded, with errors that name the document and byte.
// Duplicate keys, nesting deeper than 64 and trailing text are errors: hostile files use all three.
#pragma once
#include <nlohmann/json.hpp>
#include <string_view>

namespace puna {

using Json = nlohmann::json;                 // objects sorted by key: configs, tokenizers, headers
using OrderedJson = nlohmann::ordered_json;  // objects in written order: chat messages and tools

// Throws Error{bad_file} "<what>: ...".
Json parse_json(std::string_view text, const char* what);
OrderedJson parse_ordered_json(std::string_view text, const char* what);

}  // namespace puna
