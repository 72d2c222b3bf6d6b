// base64.h -- bytes of tokens as the files of tiktoken and Tekken have them.
#pragma once
#include <string>
#include <string_view>

namespace puna::text {

// Appends the bytes; false when the text is not base64 with padding, or is empty.
bool decode_base64(std::string_view text, std::string& out);

}  // namespace puna::text
