// big.cpp -- integers beyond 64 bits, as digits. All of them are content: no template can write one.
#include <charconv>
#include <cmath>

#include "chat/jinja/ops.h"
#include "chat/jinja/search.h"

namespace puna::jinja {
namespace {

struct BigInteger final : Opaque {
  std::string digits;
  const char* type_name() const override { return "int"; }
  Value repr(Machine& m) override { return m.text(digits, false, true); }
};

}  // namespace

Value big_integer(std::string digits) {
  auto big = make_ref<BigInteger>();
  big->digits = std::move(digits);
  return Value::of(Kind::object, std::move(big));
}

const std::string* big_digits(const Value& v) {
  const auto* big = v.is(Kind::object) ? dynamic_cast<const BigInteger*>(v.object()) : nullptr;
  return big ? &big->digits : nullptr;
}

double big_as_real(Machine& m, const std::string& digits) {
  double d = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), d);
  if (error != std::errc()) m.fail("int too large to convert to float");
  return d;
}

int compare_big(Machine& m, const std::string& a, const Value& b) {
  const bool negative = a[0] == '-';
  const std::string* other = big_digits(b);
  if (!other || negative != ((*other)[0] == '-')) return negative ? -1 : 1;
  const int order = a.size() != other->size() ? (a.size() < other->size() ? -1 : 1) : compare_bytes(m, a, *other);
  return negative ? -order : order;
}

}  // namespace puna::jinja
