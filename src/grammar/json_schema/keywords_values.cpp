// Keywords that speak of a value as such, of numbers, and of strings.
#include <algorithm>

#include "base/shown.h"
#include "base/utf8.h"
#include "grammar/frontends/json_format.h"
#include "grammar/frontends/regex_syntax.h"
#include "grammar/json_schema/conjunction.h"
#include "grammar/json_schema/derived.h"

namespace puna::grammar {
namespace {

constexpr struct {
  std::string_view name;
  uint8_t types;
} kTypes[] = {{"null", kNull},     {"boolean", kBoolean}, {"number", kNumber}, {"integer", kNumber},
              {"string", kString}, {"array", kArray},     {"object", kObject}};

constexpr char kBase64[] = "(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?";

uint64_t characters(std::string_view text) {
  return uint64_t(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

bool is_number(const OrderedJson& json) { return json.is_number() || !digits_of(json).empty(); }

}  // namespace

// ---- any type -------------------------------------------------------------------------------------------------------

void Conjunction::type(Alternative& a, const Keyword& k) {
  uint8_t types = 0;
  bool integer = false, number = false;
  const auto add = [&](const OrderedJson& element) {
    if (!element.is_string()) wrong(k, "expected the name of a type or a list of names");
    const std::string& name = element.get_ref<const std::string&>();
    const auto* known =
        std::find_if(std::begin(kTypes), std::end(kTypes), [&](const auto& t) { return t.name == name; });
    if (known == std::end(kTypes))
      wrong(k,
            "there is no type '" + shown(name) + "'; expected null, boolean, number, integer, string, array or object");
    types |= known->types;
    integer = integer || name == "integer";
    number = number || name == "number";
  };
  if (k.value.is_array())
    for (const OrderedJson& element : k.value) add(element);
  else
    add(k.value);
  if (integer && !number) a.number.multiple_of.push_back(decimal(1));
  if (integer && !number && document_.integers_are_digits(k.node)) a.number.digits_only = true;
  a.only(types);
}

void Conjunction::constant(Alternative& a, const Keyword& k) {
  if (!k.value.is_array() && !k.value.is_object()) {
    a.require({document_.derived(k.node, object_of({{kScalars, OrderedJson::array({k.value})}}))});
    return;
  }
  OrderedJson schema;
  const JsonGuard guard(schema);
  const auto same = [this](const OrderedJson& value) { return object_of({{kConstant, document_.keep_value(value)}}); };
  if (k.value.is_array()) {
    schema = object_of({{"type", "array"}, {"minItems", k.value.size()}, {"maxItems", k.value.size()}});
    OrderedJson& elements = k.value.empty() ? schema : new_member(schema, "prefixItems") = OrderedJson::array();
    for (const OrderedJson& element : k.value) elements.push_back(same(element));
  } else {
    schema = object_of({{"type", "object"}, {"additionalProperties", false}});
    OrderedJson required = OrderedJson::array(), properties = OrderedJson::object();
    const JsonGuard of_required(required), of_properties(properties);
    for (const auto& [key, value] : k.value.items()) {
      required.push_back(key);
      new_member(properties, key) = same(value);
    }
    new_member(schema, "required") = std::move(required);
    new_member(schema, "properties") = std::move(properties);
  }
  a.require({document_.derived(k.node, std::move(schema))});
}

void Conjunction::constant_value(Alternative& a, const Keyword& k) {
  constant(a, {k.node, k.key, document_.value(k.value.get<uint32_t>())});
}

void Conjunction::enumeration(Alternative& a, const Keyword& k) {
  require_array(k);
  const auto is_container = [](const OrderedJson& value) { return value.is_array() || value.is_object(); };
  if (std::none_of(k.value.begin(), k.value.end(), is_container)) return scalars(a, k);
  OrderedJson simple = OrderedJson::array();
  const JsonGuard guard(simple);
  std::vector<Parts> ways;
  for (const OrderedJson& value : k.value) {
    watch_.tick();
    if (is_container(value))
      ways.push_back({{document_.derived(k.node, object_of({{kConstant, document_.keep_value(value)}}))}});
    else
      simple.push_back(value);
  }
  if (!simple.empty())
    ways.insert(ways.begin(), Parts{{document_.derived(k.node, object_of({{kScalars, std::move(simple)}}))}});
  a.choose(std::move(ways));
}

void Conjunction::scalars(Alternative& a, const Keyword& k) {
  uint8_t types = 0;
  bool has_true = false, has_false = false;
  std::vector<std::string> strings;
  std::vector<Decimal> numbers;
  for (const OrderedJson& value : k.value) {
    watch_.tick();
    if (value.is_null()) {
      types |= kNull;
    } else if (value.is_boolean()) {
      types |= kBoolean;
      (value.get<bool>() ? has_true : has_false) = true;
    } else if (value.is_string()) {
      types |= kString;
      strings.push_back(value.get<std::string>());
    } else {
      types |= kNumber;
      numbers.push_back(number({k.node, k.key, value}));
    }
  }
  a.only(types);
  a.can_be_true = a.can_be_true && has_true;
  a.can_be_false = a.can_be_false && has_false;
  a.number.only(std::move(numbers));
  std::sort(strings.begin(), strings.end());
  std::vector<std::string> common;
  if (a.string.among)
    std::set_intersection(strings.begin(), strings.end(), a.string.among->begin(), a.string.among->end(),
                          std::back_inserter(common));
  else
    common = std::move(strings);
  a.string.among = std::move(common);
}

void Conjunction::not_scalars(Alternative& a, const Keyword& k) {
  std::vector<std::string> strings;
  for (const OrderedJson& value : k.value) {
    watch_.tick();
    if (value.is_null()) a.only(uint8_t(~kNull));
    if (value.is_boolean()) (value.get<bool>() ? a.can_be_true : a.can_be_false) = false;
    if (value.is_string()) strings.push_back(value.get<std::string>());
    if (is_number(value)) a.number.excluded.insert(number({k.node, k.key, value}));
  }
  if (!strings.empty()) a.string.differs.push_back(text_.every_spelling(strings));
}

// ---- numbers --------------------------------------------------------------------------------------------------------

void Conjunction::minimum(Alternative& a, const Keyword& k) {
  const OrderedJson& json = document_.json(k.node);
  const auto exclusive = json.find("exclusiveMinimum");  // draft 4: a boolean beside it
  a.number.at_least(number(k), exclusive != json.end() && exclusive->is_boolean() && exclusive->get<bool>());
}

void Conjunction::maximum(Alternative& a, const Keyword& k) {
  const OrderedJson& json = document_.json(k.node);
  const auto exclusive = json.find("exclusiveMaximum");
  a.number.at_most(number(k), exclusive != json.end() && exclusive->is_boolean() && exclusive->get<bool>());
}

void Conjunction::exclusive_minimum(Alternative& a, const Keyword& k) {
  if (!k.value.is_boolean()) a.number.at_least(number(k), true);
}

void Conjunction::exclusive_maximum(Alternative& a, const Keyword& k) {
  if (!k.value.is_boolean()) a.number.at_most(number(k), true);
}

void Conjunction::multiple_of(Alternative& a, const Keyword& k) {
  const Decimal value = number(k);
  if (value.is_zero() || value.negative) wrong(k, "expected a number above 0");
  a.number.multiple_of.push_back(value);
}

void Conjunction::not_multiple_of(Alternative& a, const Keyword& k) { a.number.not_multiple_of.push_back(number(k)); }
void Conjunction::not_integer(Alternative& a, const Keyword&) { a.number.not_multiple_of.push_back(decimal(1)); }

// ---- strings --------------------------------------------------------------------------------------------------------

void Conjunction::min_length(Alternative& a, const Keyword& k) { a.string.min = std::max(a.string.min, count(k)); }
void Conjunction::max_length(Alternative& a, const Keyword& k) { a.string.max = std::min(a.string.max, count(k)); }

void Conjunction::pattern(Alternative& a, const Keyword& k) {
  a.string.matches.push_back(pattern_language(k, string(k), true));
}

void Conjunction::not_pattern(Alternative& a, const Keyword& k) {
  a.string.differs.push_back(pattern_language(k, string(k), true));
}

void Conjunction::format(Alternative& a, const Keyword& k) {
  if (const char* known = format_pattern(string(k))) {
    a.string.matches.push_back(pattern_language(k, known, false));
    return;
  }
  if (is_unchecked_standard_format(string(k)))
    wrong(k, "the format '" + string(k) + "' is not supported", Status::unsupported);
  std::string note = document_.where(k.node, k.key) + ": the format '" + shown(string(k)) + "' is not checked";
  if (std::find(notes_.begin(), notes_.end(), note) == notes_.end() && notes_.size() < 1000)
    notes_.push_back(std::move(note));
}

// Drafts up to 7 let content be checked; later ones say that it is an annotation.
void Conjunction::content(Alternative& a, const Keyword& k) {
  if (!document_.is_old(k.node)) return;
  const std::string& value = string(k);
  if (k.key == "contentEncoding" && value == "base64")
    a.string.matches.push_back(pattern_language(k, kBase64, false));
  else if (k.key == "contentEncoding" || value == "application/json")
    wrong(k, "'" + shown(value) + "' is not supported", Status::unsupported);
}

void Conjunction::not_format(Alternative& a, const Keyword& k) {
  const char* known = format_pattern(string(k));
  if (!known) wrong(k, "not supported inside 'not': the format is not checked", Status::unsupported);
  a.string.differs.push_back(pattern_language(k, known, false));
}

Regex Conjunction::pattern_language(const Keyword& k, const std::string& pattern, bool search) {
  const auto [known, first] = patterns_.try_emplace({pattern, search});
  if (!first) return known->second;
  try {
    const auto character = [this](const CodeSet& set) { return text_.character(set); };
    const RegexDialect dialect{.character = character, .any_text = text_.any(), .search = search};
    known->second = parse_regex(pattern, build_, dialect, document_.where(k.node, k.key), watch_);
  } catch (...) {
    patterns_.erase(known);
    throw;
  }
  return known->second;
}

Regex Conjunction::string_language(const StringRule& rule) {
  std::vector<Regex> all = rule.matches;
  if (rule.among) {
    std::vector<std::string> spellings;
    for (const std::string& text : *rule.among) {
      const uint64_t length = characters(text);
      if (length >= rule.min && length <= rule.max) spellings.push_back(text_.spelling(text));
    }
    all.push_back(build_.words(std::vector<std::string_view>(spellings.begin(), spellings.end())));
  } else if (all.empty() || rule.min > 0 || rule.max != kUnbounded) {
    all.push_back(text_.of_length(rule.min, rule.max));
  }
  for (const Regex other : rule.differs) all.push_back(build_.complement(other));
  return build_.both(all);
}

}  // namespace puna::grammar
