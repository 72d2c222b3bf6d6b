// ops.h -- Python's operators on template values: arithmetic, comparison, membership, subscripts, truth,
// printing. Integers are int64: where Python would grow, we fail. What is computed from content is content. Every
// operator on an undefined value fails with its message, but for ==, truth, iteration, length and printing, which Jinja
// defines.
#pragma once
#include <string>
#include <string_view>

#include "chat/jinja/machine.h"

namespace puna::jinja {

enum class Operator : uint8_t { add, subtract, multiply, divide, floor_divide, modulo, power };
enum class Comparison : uint8_t { eq, ne, lt, le, gt, ge, in, not_in };

// ops.cpp
bool truth(const Value& v);
bool equal(Machine& m, const Value& a, const Value& b);
bool less(Machine& m, const Value& a, const Value& b);  // a < b; fails where Python has no order
bool compare(Machine& m, Comparison op, const Value& a, const Value& b);
bool contains(Machine& m, const Value& container, const Value& item);
int64_t length(Machine& m, const Value& v);  // len(); fails on what has none
bool has_length(const Value& v);
bool is_same(const Value& a, const Value& b);  // Python's `is`, as far as a template can rely on it

// arithmetic.cpp
Value calculate(Machine& m, Operator op, const Value& a, const Value& b);
Value negate(Machine& m, const Value& v);
Value plus(Machine& m, const Value& v);
Value round_to(Machine& m, const Value& v, int64_t digits);  // Python's round(): half to even, correctly rounded
int64_t to_integer(Machine& m, double d);                    // int(d); fails on nan, inf and beyond int64

// access.cpp
bool find_attribute(Machine& m, const Value& v, std::string_view name,
                    Value& out);                                         // Python's getattr; false: there is none
Value get_attribute(Machine& m, const Value& v, std::string_view name);  // v.name: attribute, else item
Value get_item(Machine& m, const Value& v, const Value& key);            // v[key]: item, else attribute
Value get_slice(Machine& m, const Value& v, const Value& start, const Value& stop,
                const Value& step);  // None = left out
std::vector<Value> attribute_parts(Machine& m,
                                   const Value& attribute);  // "a.b.0" of map(attribute=...), one key a part
Value get_path(Machine& m, Value v, const std::vector<Value>& parts, const Value* fallback = nullptr);

// print.cpp
Value to_str(Machine& m, const Value& v);   // str(v), a text; of a text itself, with its markup
Value to_repr(Machine& m, const Value& v);  // repr(v), a text
std::string repr_float(double d);           // shortest digits that read back the same
Value escaped(Machine& m, const Value& v);  // markupsafe.escape: as markup; markup stays as it is
struct JsonStyle {
  bool ensure_ascii = false, sort_keys = false, indented = false;
  Value indent, item_separator, key_separator;  // texts
};
Value to_json(Machine& m, const Value& v, const JsonStyle& style);  // json.dumps

// big.cpp -- integers beyond 64 bits: a caller's variables may hold them. They print, compare and are keys;
// nothing computes with them.
Value big_integer(std::string digits);          // a sign if it is negative, no leading zeros
const std::string* big_digits(const Value& v);  // NULL unless it is one
double big_as_real(Machine& m, const std::string& digits);
int compare_big(Machine& m, const std::string& a, const Value& b);  // an integral or big b

// methods.cpp: the methods of strings, lists, tuples, ranges, dicts. False: the type has no such method.
bool get_method(Machine& m, const Value& self, std::string_view name, Value& out);

}  // namespace puna::jinja
