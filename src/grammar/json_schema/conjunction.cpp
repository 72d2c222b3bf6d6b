#include "grammar/json_schema/conjunction.h"

#include <algorithm>

#include "base/nearest.h"
#include "base/shown.h"
#include "grammar/json_schema/derived.h"

namespace puna::grammar {
namespace {

constexpr size_t kMostNotes = 1000;
constexpr size_t kMostCopied = size_t(32) << 20;  // bytes of lists, in the alternatives of one place

// About as many bytes as the alternative's own lists take; what it shares with others does not count.
size_t bytes_of_lists(const Alternative& a) {
  size_t bytes = 0;
  if (a.string.among) bytes += a.string.among->size() * 2 * sizeof(std::string);
  if (a.number.among) bytes += a.number.among->size() * sizeof(Decimal);
  bytes += a.number.excluded.size() * 2 * sizeof(Decimal);
  for (const ArrayScope& scope : a.array.scopes) bytes += scope.prefix.size() * sizeof(Node);
  return bytes;
}

}  // namespace

const std::map<std::string, Conjunction::Apply, std::less<>>& Conjunction::keywords() {
  using C = Conjunction;
  static const std::map<std::string, Apply, std::less<>> table{
      {"type", &C::type},
      {"const", &C::constant},
      {"enum", &C::enumeration},
      {"minimum", &C::minimum},
      {"maximum", &C::maximum},
      {"exclusiveMinimum", &C::exclusive_minimum},
      {"exclusiveMaximum", &C::exclusive_maximum},
      {"multipleOf", &C::multiple_of},
      {"minLength", &C::min_length},
      {"maxLength", &C::max_length},
      {"pattern", &C::pattern},
      {"format", &C::format},
      {"items", &C::items},
      {"prefixItems", &C::items},
      {"additionalItems", &C::items},
      {"minItems", &C::min_items},
      {"maxItems", &C::max_items},
      {"contains", &C::contains},
      {"minContains", &C::contains},
      {"maxContains", &C::contains},
      {"uniqueItems", &C::unique_items},
      {"properties", &C::properties},
      {"patternProperties", &C::properties},
      {"additionalProperties", &C::properties},
      {"required", &C::required},
      {"minProperties", &C::min_properties},
      {"maxProperties", &C::max_properties},
      {"propertyNames", &C::property_names},
      {"dependencies", &C::dependencies},
      {"dependentRequired", &C::dependencies},
      {"dependentSchemas", &C::dependencies},
      {"allOf", &C::all_of},
      {"anyOf", &C::any_of},
      {"oneOf", &C::one_of_these},
      {"not", &C::negation},
      {"if", &C::conditional},
      {"then", &C::ignore},
      {"else", &C::ignore},
      {"$ref", &C::reference},
      {"$dynamicRef", &C::unsupported},
      {"$recursiveRef", &C::unsupported},
      {"unevaluatedItems", &C::unsupported},
      {"unevaluatedProperties", &C::unsupported},
      // What describes a value and does not constrain it.
      {"$schema", &C::ignore},
      {"$id", &C::ignore},
      {"id", &C::ignore},
      {"$anchor", &C::ignore},
      {"$dynamicAnchor", &C::ignore},
      {"$recursiveAnchor", &C::ignore},
      {"$vocabulary", &C::ignore},
      {"$comment", &C::ignore},
      {"$defs", &C::ignore},
      {"definitions", &C::ignore},
      {"title", &C::ignore},
      {"description", &C::ignore},
      {"default", &C::ignore},
      {"examples", &C::ignore},
      {"deprecated", &C::ignore},
      {"readOnly", &C::ignore},
      {"writeOnly", &C::ignore},
      {"contentEncoding", &C::content},
      {"contentMediaType", &C::content},
      {"contentSchema", &C::ignore},
  };
  return table;
}

const std::map<std::string, Conjunction::Apply, std::less<>>& Conjunction::derived_keywords() {
  using C = Conjunction;
  static const std::map<std::string, Apply, std::less<>> table{
      {kParts, &C::parts},
      {kAbsent, &C::absent},
      {kSomeKey, &C::some_key},
      {kConstant, &C::constant_value},
      {kScalars, &C::scalars},
      {kNotScalars, &C::not_scalars},
      {kNotInteger, &C::not_integer},
      {kNotMultipleOf, &C::not_multiple_of},
      {kNotPattern, &C::not_pattern},
      {kNotFormat, &C::not_format},
  };
  return table;
}

std::vector<Alternative> Conjunction::alternatives(const Parts& parts) {
  struct Branch {  // of an alternative, which is copied when its turn comes: there may be thousands, and it large
    std::shared_ptr<const Alternative> from;
    Parts parts;
    Place place;
  };
  std::vector<Alternative> complete;
  std::vector<Branch> open{{std::make_shared<const Alternative>(), parts, {}}};
  size_t made = 1, copied = 0;
  while (!open.empty()) {
    watch_.tick(16);
    copied += bytes_of_lists(*open.back().from);
    if (copied > kMostCopied)
      document_.wrong(parts[0].node, "", "the cases of its anyOf, oneOf, not and if repeat lists of more than 32 MiB",
                      Status::unsupported);
    Alternative a = *open.back().from;
    a.require(open.back().parts, open.back().place);
    open.pop_back();
    for (size_t i = 0; i < a.pending.size() && a.types != 0; ++i) apply(a, Alternative::Pending(a.pending[i]));
    a.pending.clear();
    if (contradicts_itself(a, 0)) continue;
    if (a.choices.empty()) {
      std::stable_sort(a.object.scopes.begin(), a.object.scopes.end(),
                       [](const auto& x, const auto& y) { return x->place < y->place; });
      complete.push_back(std::move(a));
      continue;
    }
    const Alternative::Choice choice = std::move(a.choices.back());
    a.choices.pop_back();
    made += choice.ways->size();
    if (made > kMostAlternatives || a.choices.size() > kMostChoices) too_many_cases(parts[0].node);
    const auto from = std::make_shared<const Alternative>(std::move(a));
    for (size_t i = choice.ways->size(); i-- > 0;) open.push_back({from, (*choice.ways)[i], choice.place});
  }
  return complete;
}

void Conjunction::too_many_cases(Node node) const {
  document_.wrong(node, "", "its anyOf, oneOf, not and if combine to more than 4096 cases", Status::unsupported);
}

void Conjunction::apply(Alternative& a, const Alternative::Pending& pending) {
  const Part part = pending.part;
  if (!a.applied.add(part)) return;
  a.here = pending.place;
  a.said = 0;
  const OrderedJson& json = document_.json(part.node);
  if (json.is_boolean()) {
    if (json.get<bool>() == part.negated) a.types = 0;
    return;
  }
  if (!json.is_object()) document_.wrong(part.node, "", "expected a schema: an object, true or false");
  if (part.negated) {
    std::vector<Parts> ways = negations(part.node);
    if (ways.empty()) a.types = 0;
    if (!ways.empty()) a.choose(std::move(ways));
    return;
  }
  const bool only_reference = document_.is_old(part.node) && json.contains("$ref");
  for (const auto& [key, value] : json.items()) {
    watch_.tick();
    if (only_reference && key != "$ref") continue;
    const auto& known = keywords();
    auto found = known.find(key);
    if (found == known.end() && document_.is_derived(part.node)) {
      found = derived_keywords().find(key);
      if (found == derived_keywords().end()) found = known.end();
    }
    if (found == known.end())
      unknown(part.node, key);
    else
      (this->*found->second)(a, {part.node, key, value});
  }
}

void Conjunction::unknown(Node node, const std::string& key) {
  if (notes_.size() >= kMostNotes) return;
  const auto [suggestion, first] = suggestions_.try_emplace(key);
  if (first) {
    std::vector<std::string_view> known;
    for (const auto& [name, apply] : keywords()) known.push_back(name);
    suggestion->second = did_you_mean(key, known);
  }
  std::string note =
      document_.where(node, key) + ": not a keyword of JSON Schema; it constrains nothing" + suggestion->second;
  if (std::find(notes_.begin(), notes_.end(), note) == notes_.end()) notes_.push_back(std::move(note));
}

bool Conjunction::contradicts_itself(Alternative& a, int depth) {
  if (a.number.empty()) a.only(uint8_t(~kNumber));
  if (a.string.min > a.string.max || (a.string.among && a.string.among->empty())) a.only(uint8_t(~kString));
  if (a.array.min > a.array.max) a.only(uint8_t(~kArray));
  if (!a.can_be_true && !a.can_be_false) a.only(uint8_t(~kBoolean));
  ObjectRule& object = a.object;
  bool impossible =
      object.min > object.max || object.required.size() > object.max || (!object.some.empty() && object.max == 0);
  object.absent.for_each([&](const std::string& name) { impossible = impossible || object.required.has(name); });
  if (depth > 0 && a.types == kObject)
    object.required.for_each([&](const std::string& name) {
      watch_.tick();
      impossible = impossible || provably_empty(of_property(object, name), depth - 1);
    });
  if (impossible) a.only(uint8_t(~kObject));
  return a.types == 0;
}

bool Conjunction::is_never(const Parts& parts) const {
  return std::any_of(parts.begin(), parts.end(), [this](const Part& part) {
    const OrderedJson& json = document_.json(part.node);
    return json.is_boolean() && json.get<bool>() == part.negated;
  });
}

bool Conjunction::provably_empty(const Parts& parts, int depth) {
  if (parts.empty()) return false;
  for (Alternative& a : alternatives(parts))
    if (!contradicts_itself(a, depth)) return false;
  return true;
}

// ---- keywords that combine schemas ----------------------------------------------------------------------------------

void Conjunction::all_of(Alternative& a, const Keyword& k) {
  for (const Node schema : listed(k)) a.require({schema});
}

void Conjunction::any_of(Alternative& a, const Keyword& k) {
  std::vector<Parts> ways;
  for (const Node schema : listed(k)) ways.push_back({{schema}});
  a.choose(std::move(ways));
}

// One of them and no other. Where two cannot both hold, that need not be said.
void Conjunction::one_of_these(Alternative& a, const Keyword& k) {
  const std::vector<Node> branches = listed(k);
  if (branches.size() > kMostBranches) wrong(k, "more than 512 branches", Status::unsupported);
  std::vector<Parts> ways;
  for (const Node branch : branches) {
    Parts way{{branch}};
    for (const Node other : branches) {
      if (other == branch) continue;
      const auto [known, first] = disjoint_.try_emplace({std::min(branch, other), std::max(branch, other)}, false);
      if (first) known->second = provably_empty({{branch}, {other}}, 2);
      if (!known->second) way.push_back({other, true});
    }
    ways.push_back(std::move(way));
  }
  a.choose(std::move(ways));
}

void Conjunction::negation(Alternative& a, const Keyword& k) {
  require_schema(k);
  a.require({document_.child(k.node, k.key), true});
}

void Conjunction::conditional(Alternative& a, const Keyword& k) {
  require_schema(k);
  const OrderedJson& json = document_.json(k.node);
  const Node condition = document_.child(k.node, "if");
  Parts holds{{condition}}, fails{{condition, true}};
  if (!json.contains("then") && !json.contains("else")) return;
  if (json.contains("then")) holds.push_back({document_.child(k.node, "then")});
  if (json.contains("else")) fails.push_back({document_.child(k.node, "else")});
  a.choose({std::move(holds), std::move(fails)});
}

void Conjunction::reference(Alternative& a, const Keyword& k) { a.require({document_.target(k.node, string(k))}); }

void Conjunction::parts(Alternative& a, const Keyword& k) {
  for (const OrderedJson& part : k.value) a.require({part[0].get<Node>(), part[1].get<bool>()});
}

void Conjunction::unsupported(Alternative&, const Keyword& k) { wrong(k, "not supported", Status::unsupported); }

// ---- values of keywords ---------------------------------------------------------------------------------------------

uint64_t Conjunction::count(const Keyword& k) const {
  const std::optional<Decimal> value =
      k.value.is_number() || !digits_of(k.value).empty() ? parse_decimal(json_text(k.value)) : std::nullopt;
  if (!value || value->negative || !value->is_whole()) wrong(k, "expected a whole number, 0 or more");
  const std::string digits = value->whole_digits();
  return digits.size() > 19 ? kUnbounded - 1 : std::stoull(digits);
}

Decimal Conjunction::number(const Keyword& k) const {
  if (!k.value.is_number() && digits_of(k.value).empty()) wrong(k, "expected a number");
  const std::optional<Decimal> value = parse_decimal(json_text(k.value));
  if (!value) wrong(k, "a number of more than 2000 digits", Status::unsupported);
  return *value;
}

const std::string& Conjunction::string(const Keyword& k) const {
  if (!k.value.is_string()) wrong(k, "expected a string");
  return k.value.get_ref<const std::string&>();
}

std::vector<std::string> Conjunction::strings(const Keyword& k) const {
  require_array(k);
  std::vector<std::string> list;
  for (const OrderedJson& element : k.value) {
    if (!element.is_string()) wrong(k, "expected a list of strings");
    list.push_back(element.get<std::string>());
  }
  return list;
}

std::vector<Node> Conjunction::listed(const Keyword& k) {
  require_array(k);
  std::vector<Node> schemas;
  for (size_t i = 0; i < k.value.size(); ++i) {
    watch_.tick();
    schemas.push_back(document_.child(k.node, k.key, i, k.value[i]));
  }
  return schemas;
}

void Conjunction::require_object(const Keyword& k) const {
  if (!k.value.is_object()) wrong(k, "expected an object");
}

void Conjunction::require_array(const Keyword& k) const {
  if (!k.value.is_array()) wrong(k, "expected a list");
}

void Conjunction::require_schema(const Keyword& k) const {
  if (!k.value.is_object() && !k.value.is_boolean()) wrong(k, "expected a schema: an object, true or false");
}

}  // namespace puna::grammar
