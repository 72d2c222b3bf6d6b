// arithmetic.cpp -- + - * / // % ** as Python computes them: floor division, the sign of a remainder follows the
// divisor, strings and lists are joined and repeated, a string on the left of % is a printf format.
#include <algorithm>
#include <charconv>
#include <cmath>

#include "chat/jinja/builder.h"
#include "chat/jinja/format.h"
#include "chat/jinja/ops.h"
#include "chat/jinja/text.h"

namespace puna::jinja {
namespace {

const char* sign(Operator op) {
  constexpr const char* kSigns[] = {"+", "-", "*", "/", "//", "%", "**"};
  return kSigns[int(op)];
}

[[noreturn]] void overflow(Machine& m) { m.fail("an integer leaves the 64-bit range"); }

Value checked(Machine& m, bool overflowed,
              const int64_t& result) {  // by reference: it is written while `overflowed` is computed
  if (overflowed) overflow(m);
  return Value::integer(result);
}

Value integer_power(Machine& m, int64_t base, int64_t exponent) {
  if (exponent < 0) {
    if (base == 0) m.fail("0.0 cannot be raised to a negative power");
    return Value::real(std::pow(double(base), double(exponent)));
  }
  int64_t result = 1;
  for (bool over = false; exponent > 0; exponent >>= 1) {
    if (exponent & 1) over = __builtin_mul_overflow(result, base, &result);
    if (!over && exponent > 1) over = __builtin_mul_overflow(base, base, &base);
    if (over) overflow(m);
  }
  return Value::integer(result);
}

Value integers(Machine& m, Operator op, int64_t a, int64_t b) {
  int64_t r = 0;
  switch (op) {
    case Operator::add: return checked(m, __builtin_add_overflow(a, b, &r), r);
    case Operator::subtract: return checked(m, __builtin_sub_overflow(a, b, &r), r);
    case Operator::multiply: return checked(m, __builtin_mul_overflow(a, b, &r), r);
    case Operator::power: return integer_power(m, a, b);
    default: break;
  }
  if (b == 0) m.fail(op == Operator::divide ? "division by zero" : "integer division or modulo by zero");
  if (op == Operator::divide) return Value::real(double(a) / double(b));
  if (b == -1)
    return op == Operator::modulo ? Value::integer(0) : checked(m, __builtin_sub_overflow(int64_t(0), a, &r), r);
  const bool adjust = a % b != 0 && (a % b < 0) != (b < 0);
  return Value::integer(op == Operator::modulo ? a % b + (adjust ? b : 0) : a / b - (adjust ? 1 : 0));
}

Value reals(Machine& m, Operator op, double a, double b) {
  switch (op) {
    case Operator::add: return Value::real(a + b);
    case Operator::subtract: return Value::real(a - b);
    case Operator::multiply: return Value::real(a * b);
    case Operator::power: {
      if (a == 0 && b < 0) m.fail("0.0 cannot be raised to a negative power");
      if (a < 0 && std::isfinite(a) && std::isfinite(b) && b != std::floor(b)) m.unsupported("a complex number");
      const double r = std::pow(a, b);
      if (std::isinf(r) && std::isfinite(a) && std::isfinite(b)) m.fail("(34, 'Numerical result out of range')");
      return Value::real(r);
    }
    default: break;
  }
  if (b == 0) m.fail(op == Operator::divide ? "float division by zero" : "float modulo");
  if (op == Operator::divide) return Value::real(a / b);
  double remainder = std::fmod(a, b), quotient = (a - remainder) / b;
  if (remainder != 0) {
    if ((b < 0) != (remainder < 0)) {
      remainder += b;
      quotient -= 1;
    }
  } else {
    remainder = std::copysign(0.0, b);
  }
  if (op == Operator::modulo) return Value::real(remainder);
  if (quotient == 0) return Value::real(std::copysign(0.0, a / b));
  const double floor = std::floor(quotient);
  return Value::real(quotient - floor > 0.5 ? floor + 1 : floor);
}

Value repeat(Machine& m, const Value& v, int64_t times) {
  times = std::max<int64_t>(times, 0);
  if (v.is_string()) {
    TextBuilder out(m);
    out.repeat(v.as<Text>(), times);
    return out.finish(is_markup(v));
  }
  const std::vector<Value>& source = v.items();
  int64_t total = 0;
  if (__builtin_mul_overflow(int64_t(source.size()), times, &total)) total = INT64_MAX;
  m.check_steps(total);
  std::vector<Value> items;
  items.reserve(size_t(total));
  for (int64_t i = 0, k = 0; i < total; ++i, k = k + 1 == int64_t(source.size()) ? 0 : k + 1) {
    m.charge(1);
    items.push_back(source[size_t(k)]);
  }
  return v.is(Kind::list) ? m.list(std::move(items)) : m.tuple(std::move(items));
}

Value join(Machine& m, const Value& a, const Value& b) {
  if (a.is_string()) return concatenate(m, a, b);
  std::vector<Value> items = m.collect(a);
  for (const Value& v : b.items()) {
    m.charge(1);
    items.push_back(v);
  }
  return a.is(Kind::list) ? m.list(std::move(items)) : m.tuple(std::move(items));
}

bool is_repeatable(const Value& v) { return v.is_string() || v.is_sequence(); }

}  // namespace

Value calculate(Machine& m, Operator op, const Value& a, const Value& b) {
  if (op == Operator::modulo && a.is_string()) return percent_format(m, a, b);
  m.require_defined(a);
  m.require_defined(b);
  const bool content = a.is_content() || b.is_content();
  if (a.is_integral() && b.is_integral()) return integers(m, op, a.as_integer(), b.as_integer()).from_content(content);
  if (a.is_number() && b.is_number()) return reals(m, op, a.as_real(), b.as_real()).from_content(content);
  if (op == Operator::add && is_repeatable(a) && b.is(a.kind())) return join(m, a, b);
  if (op == Operator::multiply && is_repeatable(a) && b.is_integral()) return repeat(m, a, b.as_integer());
  if (op == Operator::multiply && a.is_integral() && is_repeatable(b)) return repeat(m, b, a.as_integer());
  if (big_digits(a) || big_digits(b)) overflow(m);
  m.fail("unsupported operand type(s) for %s: '%s' and '%s'", sign(op), type_name(a), type_name(b));
}

Value negate(Machine& m, const Value& v) {
  m.require_defined(v);
  if (v.is(Kind::real)) return Value::real(-v.as_real()).from_content(v.is_content());
  if (big_digits(v)) overflow(m);
  if (!v.is_integral()) m.fail("bad operand type for unary -: '%s'", type_name(v));
  return integers(m, Operator::subtract, 0, v.as_integer()).from_content(v.is_content());
}

Value plus(Machine& m, const Value& v) {
  m.require_defined(v);
  if (big_digits(v)) return v;
  if (!v.is_number()) m.fail("bad operand type for unary +: '%s'", type_name(v));
  return v.is(Kind::real) ? v : Value::integer(v.as_integer()).from_content(v.is_content());
}

int64_t to_integer(Machine& m, double d) {
  if (std::isnan(d)) m.fail("cannot convert float NaN to integer");
  if (std::isinf(d)) m.fail("cannot convert float infinity to integer");
  if (std::fabs(d) >= 9223372036854775808.0) overflow(m);
  return int64_t(d);
}

namespace {

double round_tens(double d, int64_t tens) {
  const double unit = std::pow(10.0, double(tens));
  const double low = std::floor(d / unit) * unit, rest = d - low;
  if (rest != unit / 2) return rest < unit / 2 ? low : low + unit;
  return std::fmod(low / unit, 2.0) == 0 ? low : low + unit;
}

Value round_integer(Machine& m, int64_t i, int64_t tens) {
  if (tens > 18) return Value::integer(0);
  int64_t unit = 1;
  for (int64_t k = 0; k < tens; ++k) unit *= 10;
  const int64_t rest = ((i % unit) + unit) % unit;
  int64_t low = 0;
  if (__builtin_sub_overflow(i, rest, &low)) overflow(m);
  const bool up = rest * 2 > unit || (rest * 2 == unit && (low / unit) % 2 != 0);
  return up ? integers(m, Operator::add, low, unit) : Value::integer(low);
}

}  // namespace

Value round_to(Machine& m, const Value& v, int64_t digits) {
  m.require_defined(v);
  const int64_t tens = digits == INT64_MIN ? INT64_MAX : -digits;
  if (big_digits(v)) {
    if (digits < 0) overflow(m);
    return v;
  }
  if (v.is_integral())
    return (tens <= 0 ? Value::integer(v.as_integer()) : round_integer(m, v.as_integer(), tens))
        .from_content(v.is_content());
  if (!v.is(Kind::real)) m.fail("type %s doesn't define __round__ method", type_name(v));
  const double d = v.as_real();
  if (!std::isfinite(d) || digits > 330) return v;
  if (digits < -308) return Value::real(std::copysign(0.0, d)).from_content(v.is_content());
  if (digits < 0) return Value::real(std::copysign(round_tens(d, tens), d)).from_content(v.is_content());
  char buffer[800];  // 309 digits before the point, 330 after
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, d, std::chars_format::fixed, int(digits)).ptr;
  double rounded = 0;
  std::from_chars(buffer, end, rounded);
  return Value::real(rounded).from_content(v.is_content());
}

}  // namespace puna::jinja
