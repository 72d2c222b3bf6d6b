// byte_level.h -- GPT-2's spelling of bytes as printable characters: "Ġthe" is " the". Printable Latin-1 stands for
// itself, the other 68 bytes are U+0100 ... U+0143 in ascending order.
#pragma once
#include <string>
#include <string_view>

namespace puna::text {

// The bytes that `spelling` stands for; false, and `out` is the spelling itself, when a character stands for no byte.
bool bytes_of_spelling(std::string_view spelling, std::string& out);

}  // namespace puna::text
