// ops.cpp -- truth, equality, order, membership and length, with Python's mixing of int, float and bool.
#include "chat/jinja/ops.h"

#include <algorithm>
#include <cmath>

#include "chat/jinja/search.h"
#include "chat/jinja/unicode.h"

namespace puna::jinja {
namespace {

// -1, 0, 1, or 2 when a NaN is involved. int against float is exact: 2**53 + 1 is not 2.0**53.
int order_numbers(const Value& a, const Value& b) {
  if (a.is_integral() && b.is_integral()) return a.as_integer() < b.as_integer() ? -1 : a.as_integer() > b.as_integer();
  const double x = a.as_real(), y = b.as_real();
  if (std::isnan(x) || std::isnan(y)) return 2;
  if (x != y || a.is(b.kind())) return x < y ? -1 : x > y;
  // Equal as doubles; the integer may have been rounded to get there.
  const bool a_is_int = a.is_integral();
  const double d = a_is_int ? y : x;
  const int64_t i = a_is_int ? a.as_integer() : b.as_integer();
  if (d >= 9223372036854775808.0) return a_is_int ? -1 : 1;
  const int64_t truncated = int64_t(d);  // d is integral here
  const int sign = i < truncated ? -1 : i > truncated;
  return a_is_int ? sign : -sign;
}

bool equal_items(Machine& m, const std::vector<Value>& a, const std::vector<Value>& b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i)
    if (!equal(m, a[i], b[i])) return false;
  return true;
}

bool equal_dicts(Machine& m, const Dict& a, const Dict& b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    const Value* other = b.find(m, m.key(a.key(i)));
    if (!other || !equal(m, a.value(i), *other)) return false;
  }
  return true;
}

bool equal_ranges(const Range& a, const Range& b) {
  return a.count == b.count && (a.count == 0 || (a.start == b.start && (a.count == 1 || a.step == b.step)));
}

bool is_whole(const Value& v) { return v.is_integral() || big_digits(v); }

[[noreturn]] void no_order(Machine& m, const char* op, const Value& a, const Value& b) {
  m.require_defined(a);
  m.require_defined(b);
  m.fail("'%s' not supported between instances of '%s' and '%s'", op, type_name(a), type_name(b));
}

bool ordered(Machine& m, Comparison op, const Value& a, const Value& b) {
  const char* sign = op == Comparison::lt ? "<" : op == Comparison::le ? "<=" : op == Comparison::gt ? ">" : ">=";
  const auto decide = [op](int order) {
    switch (op) {
      case Comparison::lt: return order < 0;
      case Comparison::le: return order <= 0;
      case Comparison::gt: return order > 0;
      default: return order >= 0;
    }
  };
  m.charge(1);
  if (a.is_number() && b.is_number()) {
    const int order = order_numbers(a, b);
    return order != 2 && decide(order);
  }
  if (a.is_string() && b.is_string()) return decide(compare_bytes(m, a.text(), b.text()));
  if (const std::string* digits = big_digits(a); digits && is_whole(b)) return decide(compare_big(m, *digits, b));
  if (const std::string* digits = big_digits(b); digits && is_whole(a)) return decide(-compare_big(m, *digits, a));
  if (a.is_sequence() && b.is(a.kind())) {
    const auto& x = a.items();
    const auto& y = b.items();
    for (size_t i = 0; i < std::min(x.size(), y.size()); ++i)
      if (!equal(m, x[i], y[i])) return ordered(m, op, x[i], y[i]);
    return decide(x.size() < y.size() ? -1 : x.size() > y.size());
  }
  no_order(m, sign, a, b);
}

}  // namespace

bool truth(const Value& v) {
  switch (v.kind()) {
    case Kind::undefined:
    case Kind::none: return false;
    case Kind::boolean:
    case Kind::integer: return v.as_integer() != 0;
    case Kind::real: return v.as_real() != 0;
    case Kind::string: return !v.text().empty();
    case Kind::list:
    case Kind::tuple: return !v.items().empty();
    case Kind::dict: return v.as<Dict>().size() != 0;
    case Kind::range: return v.as<Range>().count != 0;
    case Kind::view: return truth(v.as<View>().dict);
    default: return true;
  }
}

bool equal(Machine& m, const Value& a, const Value& b) {
  m.charge(1);
  if (a.is_number() && b.is_number()) return order_numbers(a, b) == 0;
  if (!a.is(b.kind())) return false;
  switch (a.kind()) {
    case Kind::undefined:
    case Kind::none: return true;
    case Kind::string: return a.object() == b.object() || equal_bytes(m, a.text(), b.text());
    case Kind::list:
    case Kind::tuple: return a.object() == b.object() || equal_items(m, a.items(), b.items());
    case Kind::dict: return a.object() == b.object() || equal_dicts(m, a.as<Dict>(), b.as<Dict>());
    case Kind::range: return equal_ranges(a.as<Range>(), b.as<Range>());
    default: break;
  }
  const std::string *x = big_digits(a), *y = big_digits(b);
  return x && y ? equal_bytes(m, *x, *y) : a.object() == b.object();
}

bool less(Machine& m, const Value& a, const Value& b) { return ordered(m, Comparison::lt, a, b); }

bool compare(Machine& m, Comparison op, const Value& a, const Value& b) {
  switch (op) {
    case Comparison::eq: return equal(m, a, b);
    case Comparison::ne: return !equal(m, a, b);
    case Comparison::in: return contains(m, b, a);
    case Comparison::not_in: return !contains(m, b, a);
    default: return ordered(m, op, a, b);
  }
}

bool contains(Machine& m, const Value& container, const Value& item) {
  switch (container.kind()) {
    case Kind::string:
      if (!item.is_string()) m.fail("'in <string>' requires string as left operand, not %s", type_name(item));
      return Needle(m, item.text()).find(container.text()) != std::string_view::npos;
    case Kind::dict: return container.as<Dict>().find(m, m.key(item)) != nullptr;
    case Kind::range: {
      if (!item.is_number()) return false;
      const Range& r = container.as<Range>();
      const double d = item.as_real();
      if (item.is(Kind::real) && (d != std::floor(d) || std::fabs(d) > 9e18)) return false;
      int64_t offset = 0;
      if (__builtin_sub_overflow(item.is(Kind::real) ? int64_t(d) : item.as_integer(), r.start, &offset)) return false;
      if (offset == INT64_MIN) return false;
      return r.count > 0 && offset % r.step == 0 && offset / r.step >= 0 && offset / r.step < r.count;
    }
    default: break;
  }
  const auto it = m.iterate(container);
  for (Value v; it->next(m, v);) {
    m.charge(1);
    if ((v.object() && v.object() == item.object()) || equal(m, v, item)) return true;
  }
  return false;
}

bool has_length(const Value& v) {
  return !v.is_none() && !v.is_number() && !v.is(Kind::iterator) && !v.is(Kind::object);
}

int64_t length(Machine& m, const Value& v) {
  switch (v.kind()) {
    case Kind::undefined: return 0;
    case Kind::string: return v.as<Text>().length;
    case Kind::list:
    case Kind::tuple: return int64_t(v.items().size());
    case Kind::dict: return int64_t(v.as<Dict>().size());
    case Kind::range: return v.as<Range>().count;
    case Kind::view: return length(m, v.as<View>().dict);
    default: m.fail("object of type '%s' has no len()", type_name(v));
  }
}

bool is_same(const Value& a, const Value& b) {
  if (!a.is(b.kind())) return false;
  switch (a.kind()) {
    case Kind::none:
    case Kind::boolean: return a.as_integer() == b.as_integer();
    case Kind::integer:
      return a.as_integer() == b.as_integer() && a.as_integer() >= -5 && a.as_integer() <= 256;  // CPython's cache
    case Kind::real:
    case Kind::undefined: return false;
    default: return a.object() == b.object();
  }
}

}  // namespace puna::jinja
