#include "grammar/frontends/json_number.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "puna/base/error.h"

namespace puna::grammar {
namespace {

// All multiples in one: of divisor / 10^scale.
struct Step {
  uint64_t divisor = 1;
  uint32_t scale = 0;
  bool whole() const noexcept { return scale == 0; }
};

constexpr uint64_t kMostDivisor = uint64_t(1) << 59;
constexpr int64_t kFewMultiples = 1000;

[[noreturn]] void too_fine(std::string_view place, const Decimal& value) {
  fail(Status::unsupported, "%s: multipleOf %s is not supported: too many digits", std::string(place).c_str(),
       value.text().c_str());
}

Step step_of(const Decimal& value, uint32_t scale, std::string_view place) {
  std::string digits = value.whole_digits() + value.fraction_digits();
  digits.append(scale - value.fraction_digits().size(), '0');
  uint64_t divisor = 0;
  for (const char c : digits) {
    if (divisor > kMostDivisor / 10) too_fine(place, value);
    divisor = divisor * 10 + uint64_t(c - '0');
  }
  if (divisor == 0 || divisor > kMostDivisor) too_fine(place, value);
  return {divisor, scale};
}

Step common_step(const std::vector<Decimal>& values, std::string_view place) {
  size_t scale = 0;
  for (const Decimal& value : values) scale = std::max(scale, value.fraction_digits().size());
  if (scale > 18) too_fine(place, values.front());
  Step step;
  uint64_t divisor = 1;
  for (const Decimal& value : values) {
    const Step next = step_of(value, uint32_t(scale), place);
    const uint64_t factor = next.divisor / std::gcd(divisor, next.divisor);
    if (factor > kMostDivisor / divisor) too_fine(place, value);
    divisor *= factor;
  }
  step = {divisor, uint32_t(scale)};
  while (step.scale > 0 && step.divisor % 10 == 0) step.divisor /= 10, --step.scale;
  return step;
}

bool is_multiple(const Decimal& value, const Decimal& of) {
  const Step step = common_step({of}, "");
  const std::string fraction = value.fraction_digits();
  if (fraction.size() > step.scale) return false;
  std::string digits = value.whole_digits() + fraction;
  digits.append(step.scale - fraction.size(), '0');
  uint64_t rest = 0;
  for (const char c : digits) rest = (rest * 10 + uint64_t(c - '0')) % step.divisor;
  return rest == 0;
}

// value * 10^scale, rounded down; nullopt: more than 17 digits.
std::optional<int64_t> scaled(const Decimal& value, uint32_t scale, bool up) {
  Decimal moved = value;
  if (!moved.is_zero()) moved.point += scale;
  moved = up ? moved.ceil() : moved.floor();
  const std::string digits = moved.whole_digits();
  if (digits.size() > 17) return std::nullopt;
  const int64_t magnitude = std::stoll(digits);
  return moved.negative ? -magnitude : magnitude;
}

// Where bounds leave only a few multiples, they are a list: so it is known what is left when all else is asked as well.
std::optional<std::vector<Decimal>> few_multiples(const NumberRule& rule, std::string_view place) {
  if (rule.multiple_of.empty() || !rule.min || !rule.max) return std::nullopt;
  const Step step = common_step(rule.multiple_of, place);
  const std::optional<int64_t> low = scaled(*rule.min, step.scale, true), high = scaled(*rule.max, step.scale, false);
  if (!low || !high || *low > *high) return std::nullopt;
  const auto size = int64_t(step.divisor);
  if ((*high - *low) / size > kFewMultiples ||
      (step.divisor == 1 && step.scale == 0 && rule.excluded.empty() && rule.not_multiple_of.empty()))
    return std::nullopt;
  std::vector<Decimal> values;
  const int64_t first = *low >= 0 ? (*low + size - 1) / size : -(-*low / size);
  for (int64_t i = first; i <= *high / size && i * size <= *high; ++i) {
    Decimal value = decimal(i * size);
    if (!value.is_zero()) value.point -= step.scale;
    values.push_back(std::move(value));
  }
  return values;
}

class NumberWriter {
 public:
  NumberWriter(RegexBuilder& build, bool whole) : build_(build), whole_(whole) {}

  Regex digits(char first, char last) {
    ByteSet set;
    if (first <= last) set.add(uint8_t(first), uint8_t(last));
    return first <= last ? build_.bytes(set) : build_.nothing();
  }
  Regex any_digits(uint64_t min, uint64_t max = kUnbounded) { return build_.repeat(digits('0', '9'), min, max); }
  Regex either(std::vector<Regex> ways) { return build_.either(ways); }
  Regex concat(std::vector<Regex> parts) { return build_.concat(parts); }
  Regex optional(Regex regex) { return build_.repeat(regex, 0, 1); }
  Regex literal(std::string_view text) { return build_.literal(text); }

  Regex whole_part() { return either({literal("0"), concat({digits('1', '9'), any_digits(0)})}); }
  // Behind a whole number that may have any fraction, or, where all are whole, none but ".0".
  Regex any_fraction() { return optional(whole_ ? literal(".0") : concat({literal("."), any_digits(1)})); }
  Regex plain() { return concat({whole_part(), any_fraction()}); }
  Regex exponent() {
    ByteSet e, sign;
    e.add('e'), e.add('E'), sign.add('+'), sign.add('-');
    return concat({build_.bytes(e), optional(build_.bytes(sign)), any_digits(1)});
  }

  // Numbers >= bound, or > bound. bound >= 0; where all are whole, so is the bound.
  Regex at_least(const Decimal& bound, bool exclusive) {
    const std::string w = bound.whole_digits(), f = bound.fraction_digits();
    std::vector<Regex> ways{concat({longer(w), any_fraction()}), concat({greater(w), any_fraction()})};
    if (!f.empty())
      ways.push_back(concat({literal(w), literal("."), fraction_above(f, exclusive)}));
    else if (!exclusive)
      ways.push_back(concat({literal(w), any_fraction()}));
    else if (!whole_)
      ways.push_back(concat({literal(w), literal("."), not_all_zeros()}));
    return either(ways);
  }

  Regex at_most(const Decimal& bound, bool exclusive) {
    const std::string w = bound.whole_digits(), f = bound.fraction_digits();
    std::vector<Regex> ways{concat({shorter(w), any_fraction()}), concat({less(w), any_fraction()})};
    if (!f.empty())
      ways.push_back(concat({literal(w), optional(concat({literal("."), fraction_below(f, exclusive)}))}));
    else if (!exclusive)
      ways.push_back(concat({literal(w), whole_ ? any_fraction() : optional(concat({literal("."), zeros(1)}))}));
    return either(ways);
  }

  // Every way to write this number without an exponent.
  Regex equal(const Decimal& value) {
    const std::string w = value.whole_digits(), f = value.fraction_digits();
    if (f.empty()) return concat({literal(w), optional(concat({literal("."), zeros(1)}))});
    return concat({literal(w + "." + f), zeros(0)});
  }

 private:
  Regex zeros(uint64_t min) { return build_.repeat(literal("0"), min, kUnbounded); }
  Regex not_all_zeros() { return concat({any_digits(0), digits('1', '9'), any_digits(0)}); }

  // Whole numbers of more digits, of fewer, and of as many that are greater or less.
  Regex longer(const std::string& w) { return concat({digits('1', '9'), any_digits(w == "0" ? 1 : w.size())}); }
  Regex shorter(const std::string& w) {
    if (w.size() == 1) return build_.nothing();
    return either({literal("0"), concat({digits('1', '9'), any_digits(0, w.size() - 2)})});
  }
  Regex greater(const std::string& w) {
    Regex rest = build_.nothing();  // of the digits from i on
    for (size_t i = w.size(); i-- > 0;) {
      const Regex above = concat({digits(char(w[i] + 1), '9'), any_digits(w.size() - 1 - i, w.size() - 1 - i)});
      rest = either({above, concat({literal(w.substr(i, 1)), rest})});
    }
    return rest;
  }
  Regex less(const std::string& w) {
    Regex rest = build_.nothing();
    for (size_t i = w.size(); i-- > 0;) {
      const char first = i == 0 && w.size() > 1 ? '1' : '0';  // no leading zeros
      const Regex below = concat({digits(first, char(w[i] - 1)), any_digits(w.size() - 1 - i, w.size() - 1 - i)});
      rest = either({below, concat({literal(w.substr(i, 1)), rest})});
    }
    return rest;
  }

  Regex fraction_above(const std::string& f, bool exclusive) {
    Regex rest = exclusive ? not_all_zeros() : any_digits(0);
    for (size_t i = f.size(); i-- > 0;)
      rest = either({concat({digits(char(f[i] + 1), '9'), any_digits(0)}), concat({literal(f.substr(i, 1)), rest})});
    return rest;
  }
  // At least one digit. A fraction that ends early is less, for the bound's last digit is not 0.
  Regex fraction_below(const std::string& f, bool exclusive) {
    Regex rest = exclusive ? build_.nothing() : zeros(0);
    for (size_t i = f.size(); i-- > 0;) {
      if (i + 1 < f.size()) rest = either({build_.empty(), rest});
      rest = either({concat({digits('0', char(f[i] - 1)), any_digits(0)}), concat({literal(f.substr(i, 1)), rest})});
    }
    return rest;
  }

  RegexBuilder& build_;
  bool whole_;
};

// Numbers without their sign, of one sign: `low` <= magnitude <= `high`.
struct Magnitudes {
  std::optional<Decimal> low, high;
  bool above_low = false, below_high = false;
};

Regex magnitudes(const Magnitudes& range, const NumberRule& rule, bool negative, const std::optional<Step>& step,
                 RegexBuilder& build, std::string_view place) {
  const bool whole = step && step->whole();
  NumberWriter write(build, whole);
  std::vector<Regex> all;
  const Decimal zero;
  if (range.low && (*range.low > zero || range.above_low)) {
    const bool inside = whole && !range.low->is_whole();
    all.push_back(write.at_least(inside ? range.low->ceil() : *range.low, range.above_low && !inside));
  }
  if (range.high) {
    const bool inside = whole && !range.high->is_whole();
    all.push_back(write.at_most(inside ? range.high->floor() : *range.high, range.below_high && !inside));
  }
  if (all.empty()) all.push_back(write.plain());
  if (step && (step->divisor != 1 || step->scale != 0))
    all.push_back(build.decimal_multiple(step->divisor, step->scale));
  for (const Decimal& value : rule.not_multiple_of) {
    const Step other = common_step({value}, place);
    all.push_back(build.complement(build.decimal_multiple(other.divisor, other.scale)));
  }
  for (const Decimal& value : rule.excluded)
    if (value.negative == negative || value.is_zero()) all.push_back(build.complement(write.equal(value.magnitude())));
  return build.both(all);
}

// "9.5e+15": how some programs write a large whole number.
std::string scientific(const Decimal& value) {
  std::string text = (value.negative ? "-" : "") + value.digits.substr(0, 1);
  if (value.digits.size() > 1) text += "." + value.digits.substr(1);
  return text + "e+" + std::to_string(value.point - 1);
}

// "5" and, of whole numbers, "5.0".
Regex listed(const NumberRule& rule, RegexBuilder& build) {
  std::vector<std::string> texts;
  for (const Decimal& value : *rule.among) {
    if (!rule.allows(value)) continue;
    texts.push_back(value.text());
    if (value.is_whole()) texts.push_back(value.text() + ".0");
    if (value.is_whole() && value.point > 15) texts.push_back(scientific(value));
  }
  return build.words(std::vector<std::string_view>(texts.begin(), texts.end()));
}

}  // namespace

void NumberRule::at_least(const Decimal& bound, bool exclusive) {
  if (min && (*min > bound || (*min == bound && above_min))) return;
  min = bound;
  above_min = exclusive;
}

void NumberRule::at_most(const Decimal& bound, bool exclusive) {
  if (max && (*max < bound || (*max == bound && below_max))) return;
  max = bound;
  below_max = exclusive;
}

void NumberRule::only(std::vector<Decimal> values) {
  std::sort(values.begin(), values.end());
  if (!among) {
    among = std::move(values);
    return;
  }
  std::vector<Decimal> common;
  std::set_intersection(values.begin(), values.end(), among->begin(), among->end(), std::back_inserter(common));
  among = std::move(common);
}

bool NumberRule::allows(const Decimal& value) const {
  if (min && (value < *min || (above_min && value == *min))) return false;
  if (max && (value > *max || (below_max && value == *max))) return false;
  if (excluded.contains(value)) return false;
  for (const Decimal& step : multiple_of)
    if (!is_multiple(value, step)) return false;
  for (const Decimal& step : not_multiple_of)
    if (is_multiple(value, step)) return false;
  return true;
}

bool NumberRule::empty() const {
  if (among) return std::none_of(among->begin(), among->end(), [this](const Decimal& v) { return allows(v); });
  return min && max && (*min > *max || (*min == *max && (above_min || below_max || !allows(*min))));
}

namespace {

Regex all_spellings(const NumberRule& rule, RegexBuilder& build, std::string_view place) {
  if (rule.among) return listed(rule, build);
  if (std::optional<std::vector<Decimal>> few = few_multiples(rule, place)) {
    NumberRule list = rule;
    list.among = std::move(few);
    return listed(list, build);
  }
  const std::optional<Step> step =
      rule.multiple_of.empty() ? std::nullopt : std::optional(common_step(rule.multiple_of, place));
  const Decimal zero;
  std::vector<Regex> ways;
  if (!rule.min && !rule.max && !step && rule.not_multiple_of.empty() && rule.excluded.empty()) {
    NumberWriter write(build, false);
    ways.push_back(write.concat({write.optional(write.literal("-")), write.plain(), write.optional(write.exponent())}));
  } else {
    if (!rule.max || *rule.max >= zero) {
      Magnitudes range{.low = zero, .high = rule.max, .above_low = false, .below_high = rule.below_max};
      if (rule.min && *rule.min >= zero) range.low = rule.min, range.above_low = rule.above_min;
      ways.push_back(magnitudes(range, rule, false, step, build, place));
    }
    if (!rule.min || *rule.min < zero) {
      Magnitudes range{.low = zero, .high = {}, .above_low = false, .below_high = rule.above_min};
      if (rule.min) range.high = rule.min->negated();
      if (rule.max && *rule.max <= zero) range.low = rule.max->negated(), range.above_low = rule.below_max;
      const Regex parts[] = {build.literal("-"), magnitudes(range, rule, true, step, build, place)};
      ways.push_back(build.concat(parts));
    }
  }
  return build.either(ways);
}

}  // namespace

Regex number_regex(const NumberRule& rule, RegexBuilder& build, std::string_view place) {
  const Regex spellings = all_spellings(rule, build, place);
  if (!rule.digits_only) return spellings;
  ByteSet allowed;
  for (const char c : std::string_view("-0123456789")) allowed.add(uint8_t(c));
  const Regex parts[] = {spellings, build.repeat(build.bytes(allowed), 0, kUnbounded)};
  return build.both(parts);
}

}  // namespace puna::grammar
