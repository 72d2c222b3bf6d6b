#include "grammar/json_schema/json_rules.h"

namespace puna::grammar {
JsonRules::JsonRules(SchemaDocument& document, Builder& build, const JsonSchemaOptions& options, const Watch& watch,
                     JsonNotation notation)
    : document_(document),
      build_(build),
      regexes_(build.regexes()),
      watch_(watch),
      notation_(notation),
      queries_(regexes_, options.limits.searched, watch),
      text_(regexes_, notation),
      schemas_(document, regexes_, queries_, text_, watch),
      space_(json_space(regexes_, notation == JsonNotation::gemma ? 0 : options.max_whitespace)),
      comma_(lexeme({literal(","), space_})) {}

Symbol JsonRules::value(const Parts& parts) {
  const auto [known, first] = rules_.try_emplace(parts);
  if (first) {
    known->second = build_.rule(parts.empty() ? "any JSON" : document_.where(parts[0].node));
    unwritten_.emplace_back(known->second, parts);
  }
  return known->second;
}

Symbol JsonRules::keywords(const Parts& parts) {
  const Symbol rule = build_.rule(document_.where(parts[0].node));
  unwritten_keywords_.emplace_back(rule, parts);
  return rule;
}

void JsonRules::complete() {
  for (const auto& [rule, parts] : unwritten_keywords_) write_keywords(rule, parts);
  unwritten_keywords_.clear();
  while (!unwritten_.empty()) {
    watch_.tick(16);
    const auto [rule, parts] = std::move(unwritten_.front());
    unwritten_.pop_front();
    write(rule, parts);
  }
}

void JsonRules::write(Symbol rule, const Parts& parts) {
  const bool python = notation_ == JsonNotation::python;
  std::vector<Regex> scalars;
  const std::vector<Alternative> alternatives = schemas_.alternatives(parts);
  for (const Alternative& a : alternatives) {
    watch_.tick(16);
    if (a.types & kNull) scalars.push_back(literal(python ? "None" : "null"));
    if ((a.types & kBoolean) && a.can_be_true) scalars.push_back(literal(python ? "True" : "true"));
    if ((a.types & kBoolean) && a.can_be_false) scalars.push_back(literal(python ? "False" : "false"));
    if (a.types & kString) scalars.push_back(text_.quoted(schemas_.string_language(a.string)));
    if (a.types & kNumber)
      scalars.push_back(number_regex(a.number, regexes_, document_.where(parts.empty() ? 0 : parts[0].node)));
    if (a.types & kArray) write_array(rule, a.array);
    if (a.types & kObject)
      write_object(rule, a.object,
                   {.open = lexeme({literal("{"), space_}),
                    .close = lexeme({space_, literal("}")}),
                    .none = lexeme({literal("{"), space_, literal("}")}),
                    .keywords = false});
  }
  // All in one expression; of equal ones, which choices bring, one is left.
  const Symbol simple[] = {build_.lexeme(regexes_.either(scalars))};
  build_.alternative(rule, simple);
}

void JsonRules::write_keywords(Symbol rule, const Parts& parts) {
  const Symbol nothing = build_.lexeme(regexes_.empty());
  for (const Alternative& a : schemas_.alternatives(parts)) {
    watch_.tick(16);
    if (a.types & kObject)
      write_object(rule, a.object, {.open = nothing, .close = nothing, .none = nothing, .keywords = true});
  }
  impossible(rule);
}

void JsonRules::impossible(Symbol rule) {
  const Symbol nothing[] = {build_.lexeme(regexes_.nothing())};
  build_.alternative(rule, nothing);
}

Symbol JsonRules::rule_of(std::string_view name, std::initializer_list<Symbol> sequence) {
  const Symbol rule = build_.rule(name);
  build_.alternative(rule, std::vector<Symbol>(sequence));
  return rule;
}

// ---- arrays ---------------------------------------------------------------------------------------------------------

void JsonRules::write_array(Symbol rule, const ArrayRule& array) {
  size_t prefix = 0;
  for (const ArrayScope& scope : array.scopes) prefix = std::max(prefix, scope.prefix.size());
  if (array.min == 0 && array.contains.empty()) {
    const Symbol none[] = {lexeme({literal("["), space_, literal("]")})};
    build_.alternative(rule, none);
  }
  if (array.max == 0) return;
  const Symbol open = lexeme({literal("["), space_}), close = lexeme({space_, literal("]")});
  std::vector<Symbol> sequence{open};
  if (!array.contains.empty()) {
    const std::vector<Symbol> items = containing(array);
    sequence.insert(sequence.end(), items.begin(), items.end());
  } else if (prefix == 0) {
    sequence.push_back(
        build_.repeat(value(Conjunction::of_item(array, 0)), std::max<uint64_t>(array.min, 1), array.max, comma_));
  } else {
    sequence.push_back(value(Conjunction::of_item(array, 0)));
    sequence.push_back(items_from(array, 1, prefix, array.min, array.max));
  }
  sequence.push_back(close);
  build_.alternative(rule, sequence);
}

// The items from `index` on, each with its comma: those of the prefix one by one, the others counted.
Symbol JsonRules::items_from(const ArrayRule& array, size_t index, size_t prefix, uint64_t min, uint64_t max) {
  Symbol rest = build_.rule("items");
  const Symbol first = rest;
  for (; index < prefix; ++index) {
    if (index >= min) build_.alternative(rest, {});
    if (index >= max) return first;
    const Symbol next = build_.rule("items");
    const Symbol sequence[] = {comma_, value(Conjunction::of_item(array, index)), next};
    build_.alternative(rest, sequence);
    rest = next;
  }
  const Symbol item = rule_of("item", {comma_, value(Conjunction::of_item(array, prefix))});
  const uint64_t most = max == kUnbounded ? kUnbounded : max - std::min<uint64_t>(max, prefix);
  const Symbol others[] = {build_.repeat(item, min - std::min<uint64_t>(min, prefix), most)};
  build_.alternative(rest, others);
  return first;
}

// `contains`: so many that match, among any number of others.
std::vector<Symbol> JsonRules::containing(const ArrayRule& array) {
  const ArrayRule::Contains& contains = array.contains[0];
  const bool prefixed =
      std::any_of(array.scopes.begin(), array.scopes.end(), [](const ArrayScope& s) { return !s.prefix.empty(); });
  if (array.contains.size() > 1 || prefixed || array.max != kUnbounded || array.min > contains.min || contains.min > 64)
    document_.wrong(contains.item.node, "",
                    "contains is not supported together with another one, with prefixItems, maxItems, or more minItems",
                    Status::unsupported);
  Parts item = Conjunction::of_item(array, 0);
  const Symbol any = value(item);
  item.push_back(contains.item);
  const Symbol wanted = value(item);
  const Symbol before = build_.repeat(rule_of("item", {any, comma_}), 0, kUnbounded);
  std::vector<Symbol> sequence;
  for (uint64_t i = 0; i < contains.min; ++i) {
    if (i > 0) sequence.push_back(comma_);
    sequence.push_back(before);
    sequence.push_back(wanted);
  }
  sequence.push_back(build_.repeat(rule_of("item", {comma_, any}), 0, kUnbounded));
  return sequence;
}

}  // namespace puna::grammar
