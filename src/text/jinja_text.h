// jinja_text.h -- string operations that both a method and a filter of the same name need. Results keep the markup of `self`.
#pragma once
#include <string_view>

#include "text/jinja_machine.h"

namespace puna::jinja {

// strip(chars): without chars, white space.
Value strip_text(Machine& m, const Value& self, const Value* chars, bool left, bool right);
Value replace_text(Machine& m, const Value& self, std::string_view from, std::string_view to, int64_t count);  // count < 0: all
Value center_text(Machine& m, const Value& self, int64_t width, char32_t fill);
std::vector<Value> split_lines(Machine& m, const Value& self, bool keep_ends);
Value join_text(Machine& m, const Value& separator, const Value& iterable);  // str.join: every item must be a string
// Like Python's text[start:end] for find, count, startswith: byte positions of code points, negative from the end; false when empty.
bool text_window(const Value& self, int64_t start, int64_t end, size_t& from, size_t& to);

}  // namespace puna::jinja
