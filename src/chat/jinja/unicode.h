// unicode.h -- strings as Python sees them: sequences of code points, with Python's case mappings and character
// classes. All text inside the interpreter is valid UTF-8 (checked where it comes in), so nothing here has an error
// path. Case mapping is CPython 3.11's in full (Unicode 14; 'ß'.upper() is 'SS', final sigma included); tables are
// generated.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace puna::jinja {

class Machine;

bool is_ascii(std::string_view s) noexcept;
int64_t count_code_points(std::string_view s) noexcept;

// The code point at byte `i` of valid UTF-8; `i` moves past it.
char32_t next_code_point(std::string_view s, size_t& i) noexcept;
char32_t previous_code_point(std::string_view s,
                             size_t& i) noexcept;  // the one that ends at byte `i`, which moves to its start
void append_utf8(std::string& out, char32_t c);
// Byte offset of code point `n` (n may be the length).
size_t byte_offset(std::string_view s, int64_t n) noexcept;

bool is_alpha(char32_t c) noexcept;
bool is_decimal(char32_t c) noexcept;
bool is_digit(char32_t c) noexcept;
bool is_numeric(char32_t c) noexcept;
bool is_alnum(char32_t c) noexcept;
bool is_space(char32_t c) noexcept;
bool is_lower(char32_t c) noexcept;
bool is_upper(char32_t c) noexcept;
bool is_title(char32_t c) noexcept;  // category Lt
bool is_cased(char32_t c) noexcept;
bool is_printable(char32_t c) noexcept;   // repr() shows it as itself
bool is_line_break(char32_t c) noexcept;  // where splitlines() splits

// In lower case, a sigma as inside a word.
void append_lower(std::string& out, char32_t c);

// What becomes of the code point [begin, end) of a text; lower and title look at its neighbours.
using CaseMap = void (*)(Machine& m, std::string& out, std::string_view s, size_t begin, size_t end);
void map_upper(Machine& m, std::string& out, std::string_view s, size_t begin, size_t end);
void map_lower(Machine& m, std::string& out, std::string_view s, size_t begin, size_t end);
void map_title(Machine& m, std::string& out, std::string_view s, size_t begin,
               size_t end);  // str.title(): a cased letter after an uncased one
void map_capitalized(Machine& m, std::string& out, std::string_view s, size_t begin,
                     size_t end);  // first letter title, the rest lower
void map_swapped(Machine& m, std::string& out, std::string_view s, size_t begin, size_t end);

std::string_view strip_space(std::string_view s, bool left, bool right) noexcept;

}  // namespace puna::jinja
