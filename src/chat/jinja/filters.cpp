// filters.cpp -- the filters on numbers and on anything, and the tests.
#include "chat/jinja/filters.h"

#include <charconv>
#include <cmath>
#include <iterator>
#include <optional>

#include "base/shown.h"
#include "chat/jinja/format.h"
#include "chat/jinja/ops.h"
#include "chat/jinja/text.h"

namespace puna::jinja {
namespace number_filters {
namespace {

Value length_filter(Machine& m, const Value& input, Args& args) {
  Bound b(m, "length", {}, 0, args);
  return Value::integer(length(m, input));
}

Value default_filter(Machine& m, const Value& input, Args& args) {
  Bound b(m, "default", {"default_value", "boolean"}, 0, args);
  const bool replace = input.is_undefined() || (b.truth(1, false) && !truth(input));
  return replace ? b.value(0, m.text("")) : input;
}

Value attribute_filter(Machine& m, const Value& input, Args& args) {
  Bound b(m, "attr", {"name"}, 1, args);
  m.require_defined(input);
  Value out;
  return find_attribute(m, input, b.string(0), out)
             ? out
             : m.missing(std::string(type_name(input)) + " object has no attribute '" + shown(b.string(0)) + "'");
}

Value absolute(Machine& m, const Value& input, Args& args) {
  Bound b(m, "abs", {}, 0, args);
  m.require_defined(input);
  if (const std::string* big = big_digits(input)) return is_negative(input) ? big_integer(big->substr(1)) : input;
  if (!input.is_number()) m.fail("bad operand type for abs(): '%s'", type_name(input));
  if (input.is(Kind::real)) return Value::real(std::fabs(input.as_real())).from_content(input.is_content());
  return input.as_integer() < 0 ? negate(m, input) : plus(m, input);
}

Value round_filter(Machine& m, const Value& input, Args& args) {
  Bound b(m, "round", {"precision", "method"}, 0, args);
  const std::string method = b.has(1) ? to_str(m, b[1]).text() : "common";
  if (method == "common") return round_to(m, input, b.integer(0, 0));
  if (method != "ceil" && method != "floor") m.fail("method must be common, ceil or floor");
  const Value scale = calculate(m, Operator::power, Value::integer(10), Value::integer(b.integer(0, 0)));
  Value scaled = calculate(m, Operator::multiply, input, scale);
  if (!scaled.is_number()) m.fail("must be real number, not %s", type_name(scaled));
  if (scaled.is(Kind::real))
    scaled =
        Value::integer(to_integer(m, method == "ceil" ? std::ceil(scaled.as_real()) : std::floor(scaled.as_real())))
            .from_content(scaled.is_content());
  return calculate(m, Operator::divide, scaled, scale);
}

// What a number could be written as: `text` without white space around it and without the single underscores between
// digits that int() and float() allow; nothing when an underscore is elsewhere.
std::optional<std::string> clean_number(Machine& m, const Value& text) {
  const Value stripped = strip_text(m, text, nullptr, true, true);
  const std::string& s = stripped.text();
  std::string out;
  for (size_t i = 0; i < s.size(); ++i) {
    m.charge_bytes(8);
    const auto digit = [&](size_t k) {
      return k < s.size() && (uint8_t((s[k] | 0x20) - 'a') < 26 || uint8_t(s[k] - '0') < 10);
    };
    if (s[i] != '_') {
      out += s[i];
    } else if (i == 0 || !digit(i - 1) || !digit(i + 1)) {
      return std::nullopt;
    }
  }
  return out;
}

// int(s, base); nothing where Python raises ValueError.
std::optional<int64_t> parse_integer(Machine& m, std::string_view s, int64_t base) {
  if (base != 0 && (base < 2 || base > 36)) return std::nullopt;
  const bool negative = s.starts_with('-');
  if (negative || s.starts_with('+')) s.remove_prefix(1);
  if (s.size() > 2 && s[0] == '0') {
    const char kind = char(s[1] | 0x20);
    const int implied = kind == 'x' ? 16 : kind == 'o' ? 8 : kind == 'b' ? 2 : 0;
    if (implied && (base == 0 || base == implied)) {
      base = implied;
      s.remove_prefix(2);
    } else if (base == 0 && s.find_first_not_of('0') != s.npos) {
      return std::nullopt;
    }
  }
  uint64_t n = 0;
  const auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), n, base == 0 ? 10 : int(base));
  if (error == std::errc::invalid_argument || end != s.data() + s.size()) return std::nullopt;
  if (error == std::errc::result_out_of_range || n > uint64_t(INT64_MAX) + negative)
    m.fail("an integer leaves the 64-bit range");
  return negative ? int64_t(0 - n) : int64_t(n);
}

std::optional<double> parse_real(std::string s) {
  for (char& c : s) c = c >= 'A' && c <= 'Z' ? char(c + 32) : c;
  const bool negative = s.starts_with('-');
  if (negative || s.starts_with('+')) s.erase(0, 1);
  const double sign = negative ? -1.0 : 1.0;
  if (s == "inf" || s == "infinity") return sign * HUGE_VAL;
  if (s == "nan") return std::nan("");
  if (s.find_first_not_of("0123456789.e+-") != s.npos || s.empty() || s[0] == '-') return std::nullopt;
  double d = 0;
  const auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), d);
  if (error == std::errc::invalid_argument || end != s.data() + s.size()) return std::nullopt;
  if (error == std::errc::result_out_of_range) d = s.find("e-") != s.npos || s.starts_with("0.") ? 0.0 : HUGE_VAL;
  return sign * d;
}

Value int_filter(Machine& m, const Value& input, Args& args) {
  Bound b(m, "int", {"default", "base"}, 0, args);
  m.require_defined(input);
  const bool content = is_content(input);
  if (input.is_integral() || big_digits(input)) return plus(m, input);
  if (input.is(Kind::real))
    return std::isnan(input.as_real()) ? b.value(0, Value::integer(0))
                                       : Value::integer(to_integer(m, input.as_real())).from_content(content);
  if (input.is_string()) {
    const std::optional<std::string> s = clean_number(m, input);
    const auto n = s ? parse_integer(m, *s, b.integer(1, 10)) : std::nullopt;
    if (n) return Value::integer(*n).from_content(content);
    if (const auto d = s ? parse_real(*s) : std::nullopt; d.has_value() && std::isfinite(d.value()))
      return Value::integer(to_integer(m, d.value())).from_content(content);
  }
  return b.value(0, Value::integer(0));
}

Value float_filter(Machine& m, const Value& input, Args& args) {
  Bound b(m, "float", {"default"}, 0, args);
  m.require_defined(input);
  const bool content = is_content(input);
  if (input.is_number()) return Value::real(input.as_real()).from_content(content);
  if (const std::string* big = big_digits(input)) return Value::real(big_as_real(m, *big)).from_content(true);
  if (input.is_string()) {
    const std::optional<std::string> s = clean_number(m, input);
    if (const auto d = s ? parse_real(*s) : std::nullopt) return Value::real(*d).from_content(content);
  }
  return b.value(0, Value::real(0.0));
}

constexpr FilterEntry kFilters[] = {{"abs", absolute},     {"attr", attribute_filter},  {"count", length_filter},
                                    {"d", default_filter}, {"default", default_filter}, {"float", float_filter},
                                    {"int", int_filter},   {"length", length_filter},   {"round", round_filter}};

// ---- tests

template <bool (*Is)(const Value&)>
bool is(Machine& m, const Value& v, Args& args) {
  Bound(m, "test", {}, 0, args);
  return Is(v);
}

template <Comparison Op>
bool compares(Machine& m, const Value& v, Args& args) {
  Bound b(m, "comparison", {"other"}, 1, args);
  return compare(m, Op, v, b[0]);
}

bool remainder_is(Machine& m, const Value& v, const Value& divisor, int64_t wanted) {
  return equal(m, calculate(m, Operator::modulo, v, divisor), Value::integer(wanted));
}
template <int64_t Remainder>
bool parity(Machine& m, const Value& v, Args& args) {
  Bound(m, Remainder ? "odd" : "even", {}, 0, args);
  return remainder_is(m, v, Value::integer(2), Remainder);
}
bool divisible_by(Machine& m, const Value& v, Args& args) {
  Bound b(m, "divisibleby", {"num"}, 1, args);
  return remainder_is(m, v, b[0], 0);
}
bool same_as(Machine& m, const Value& v, Args& args) {
  Bound b(m, "sameas", {"other"}, 1, args);
  return is_same(v, b[0]);
}
bool inside(Machine& m, const Value& v, Args& args) {
  Bound b(m, "in", {"seq"}, 1, args);
  return contains(m, b[0], v);
}

template <bool (*Wanted)(char32_t) noexcept, bool (*Other)(char32_t) noexcept>
bool has_case(Machine& m, const Value& v, Args& args) {
  Bound(m, "test", {}, 0, args);
  return has_only_case(m, to_str(m, v).text(), Wanted, Other);
}

bool names_filter(Machine&, const Value& v, Args&) { return v.is_string() && find_filter(v.text()); }
bool names_test(Machine&, const Value& v, Args&) { return v.is_string() && find_test(v.text()); }

bool is_defined(const Value& v) { return !v.is_undefined(); }
bool is_undefined(const Value& v) { return v.is_undefined(); }
bool is_none(const Value& v) { return v.is_none(); }
bool is_boolean(const Value& v) { return v.is(Kind::boolean); }
bool is_true(const Value& v) { return v.is(Kind::boolean) && v.as_integer(); }
bool is_false(const Value& v) { return v.is(Kind::boolean) && !v.as_integer(); }
bool is_integer(const Value& v) { return v.is(Kind::integer) || big_digits(v); }
bool is_float(const Value& v) { return v.is(Kind::real); }
bool is_number(const Value& v) { return v.is_number() || big_digits(v); }
bool is_string(const Value& v) { return v.is_string(); }
bool is_mapping(const Value& v) { return v.is(Kind::dict); }
bool is_sequence(const Value& v) { return has_length(v) && !v.is(Kind::view); }
bool is_iterable(const Value& v) { return has_length(v) || v.is(Kind::iterator); }
bool is_callable(const Value& v) { return v.is_undefined() || (v.is(Kind::object) && v.as<Opaque>().callable()); }

struct TestEntry {
  std::string_view name;
  Test test;
};
constexpr TestEntry kTests[] = {{"defined", is<is_defined>},
                                {"undefined", is<is_undefined>},
                                {"none", is<is_none>},
                                {"boolean", is<is_boolean>},
                                {"true", is<is_true>},
                                {"false", is<is_false>},
                                {"integer", is<is_integer>},
                                {"float", is<is_float>},
                                {"number", is<is_number>},
                                {"string", is<is_string>},
                                {"mapping", is<is_mapping>},
                                {"sequence", is<is_sequence>},
                                {"iterable", is<is_iterable>},
                                {"callable", is<is_callable>},
                                {"escaped", is<is_markup>},
                                {"odd", parity<1>},
                                {"even", parity<0>},
                                {"divisibleby", divisible_by},
                                {"sameas", same_as},
                                {"in", inside},
                                {"lower", has_case<is_lower, is_upper>},
                                {"upper", has_case<is_upper, is_lower>},
                                {"filter", names_filter},
                                {"test", names_test},
                                {"==", compares<Comparison::eq>},
                                {"eq", compares<Comparison::eq>},
                                {"equalto", compares<Comparison::eq>},
                                {"!=", compares<Comparison::ne>},
                                {"ne", compares<Comparison::ne>},
                                {"<", compares<Comparison::lt>},
                                {"lt", compares<Comparison::lt>},
                                {"lessthan", compares<Comparison::lt>},
                                {"<=", compares<Comparison::le>},
                                {"le", compares<Comparison::le>},
                                {">", compares<Comparison::gt>},
                                {"gt", compares<Comparison::gt>},
                                {"greaterthan", compares<Comparison::gt>},
                                {">=", compares<Comparison::ge>},
                                {"ge", compares<Comparison::ge>}};

}  // namespace
}  // namespace number_filters

Filter find_number_filter(std::string_view name) { return find_among(number_filters::kFilters, name); }

Filter find_filter(std::string_view name) {
  if (const Filter f = find_text_filter(name)) return f;
  if (const Filter f = find_list_filter(name)) return f;
  return find_number_filter(name);
}

Test find_test(std::string_view name) {
  for (const number_filters::TestEntry& e : number_filters::kTests)
    if (e.name == name) return e.test;
  return nullptr;
}

}  // namespace puna::jinja
