// json_number.h -- the numbers that a schema allows, as JSON writes them.
#pragma once
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "grammar/frontends/decimal.h"
#include "grammar/regex.h"

namespace puna::grammar {

// All must hold. A whole number may be written "5" or "5.0": to JSON Schema both are integers.
struct NumberRule {
  std::optional<Decimal> min, max;
  bool above_min = false, below_max = false;  // exclusive
  std::vector<Decimal> multiple_of;           // integers: of 1
  std::vector<Decimal> not_multiple_of;
  std::optional<std::vector<Decimal>> among;  // ascending
  std::set<Decimal> excluded;
  bool digits_only = false;  // written without a point and an exponent

  void at_least(const Decimal& bound, bool exclusive);
  void at_most(const Decimal& bound, bool exclusive);
  void only(std::vector<Decimal> values);
  bool allows(const Decimal& value) const;
  bool empty() const;  // nothing is allowed, as far as bounds and lists say
};

// Error{unsupported} "<place>: ..." for multiples that cannot be counted together with bounds.
Regex number_regex(const NumberRule& rule, RegexBuilder& build, std::string_view place);

}  // namespace puna::grammar
