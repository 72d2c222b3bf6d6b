// text.h -- string operations that both a method and a filter of the same name need. Results keep the markup and
// the content of `self`.
#pragma once
#include <string_view>

#include "chat/jinja/machine.h"
#include "chat/jinja/unicode.h"

namespace puna::jinja {

// strip(chars): without chars, white space.
Value strip_text(Machine& m, const Value& self, const Value* chars, bool left, bool right);
Value replace_text(Machine& m, const Value& self, const Value& from, const Value& to, int64_t count);  // count < 0: all
Value center_text(Machine& m, const Value& self, int64_t width, const Value& fill);
std::vector<Value> split_lines(Machine& m, const Value& self, bool keep_ends);
Value join_text(Machine& m, const Value& separator, const Value& iterable);  // str.join: every item must be a string
// Like Python's text[start:end] for find, count, startswith: byte positions of code points, negative from the end;
// false when empty.
bool text_window(Machine& m, const Value& self, int64_t start, int64_t end, size_t& from, size_t& to);
Value part_of(Machine& m, const Value& text, size_t begin, size_t end);  // bytes, with their markup and content
Value as_markup(Machine& m, const Value& text, bool markup = true);
Value with_case(Machine& m, const Value& text, CaseMap map);
Value concatenate(Machine& m, const Value& a, const Value& b);  // two texts; markup escapes what is not

// At least one character has the one case, and none the other.
bool has_only_case(Machine& m, std::string_view s, bool (*has)(char32_t) noexcept, bool (*has_not)(char32_t) noexcept);

}  // namespace puna::jinja
