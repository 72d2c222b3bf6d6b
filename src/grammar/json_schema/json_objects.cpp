// Objects: known properties in the schema's order, then others. A comma belongs to the pair behind it, but before the
// first required pair it belongs to the pair in front: so a list of optional and required pairs needs no cases.
#include <algorithm>

#include "base/shown.h"
#include "grammar/json_schema/json_rules.h"

namespace puna::grammar {
namespace {

constexpr size_t kMostPatterns = 8;           // of one object: their combinations are told apart
constexpr size_t kMostCountedRules = 20'000;  // (property, how many are still wanted)
constexpr size_t kMostWitnesses = 256;        // objects, by which key is the one that `not` asks for

constexpr std::string_view kNoBareKey = "=(),:[]{}'\"#\\";

// What a call's bare key may be where it is written and read (chat/tools): more than Python's identifiers, since
// schemas have keys such as "user-id" and "$ref".
bool is_bare_key(std::string_view name) {
  return !name.empty() && name.size() <= 256 && !(name[0] >= '0' && name[0] <= '9') &&
         std::all_of(name.begin(), name.end(),
                     [](char c) { return uint8_t(c) > 0x20 && c != 0x7f && kNoBareKey.find(c) == kNoBareKey.npos; });
}

}  // namespace

struct JsonRules::Members {
  const std::vector<Pair>& pairs;
  const std::vector<Pair>& extra;
  std::map<std::tuple<size_t, bool, uint64_t, uint64_t>, Symbol> rules;
};

// Each `some` is satisfied by a known key, which is then required, or by a key that nobody names.
void JsonRules::write_object(Symbol rule, const ObjectRule& object, const Brackets& around) {
  std::vector<ObjectRule> open{object};
  size_t made = 1;
  while (!open.empty()) {
    watch_.tick(16);
    ObjectRule one = std::move(open.back());
    open.pop_back();
    std::erase_if(one.some, [&](const SomeKey& some) { return is_satisfied(one, some); });
    if (one.some.empty()) {
      write_members(rule, one, nullptr, around);
      continue;
    }
    const SomeKey some = std::move(one.some.back());
    one.some.pop_back();
    known_keys(one).for_each([&](const std::string& name) {
      if (one.absent.has(name) || !queries_.matches(some.keys, text_.spelling(name))) return;
      if (++made > kMostWitnesses)
        document_.wrong(some.node, "", "too many keys may be the one that its 'not' or oneOf asks for",
                        Status::unsupported);
      ObjectRule with = one;
      with.required.add(name);
      const auto scope = std::make_shared<ObjectScope>();
      scope->node = some.node;
      scope->names.push_back(name);
      scope->named.emplace(name, some.value);
      if (!some.value.empty()) with.scopes.push_back(scope);
      open.push_back(std::move(with));
    });
    if (one.some.empty())
      write_members(rule, one, &some, around);
    else
      require_no_others(one, some, has_bare_keys(around));
  }
}

// A key that is required anyway is one of these, whatever its value.
bool JsonRules::is_satisfied(const ObjectRule& object, const SomeKey& some) {
  if (!some.value.empty()) return false;
  bool satisfied = false;
  object.required.for_each(
      [&](const std::string& name) { satisfied = satisfied || queries_.matches(some.keys, text_.spelling(name)); });
  return satisfied;
}

// All that the object names, in the order in which they come.
SharedSet<std::string> JsonRules::known_keys(const ObjectRule& object) const {
  SharedSet<std::string> known;
  for (const auto& scope : object.scopes)
    for (const std::string& name : scope->names) known.add(name);
  object.required.for_each([&](const std::string& name) { known.add(name); });
  return known;
}

// Two keys that nobody names, of which each has to be there, would have to be told apart.
void JsonRules::require_no_others(const ObjectRule& object, const SomeKey& some, bool keywords) {
  std::vector<std::string> spoken_for;
  known_keys(object).for_each([&](const std::string& name) { spoken_for.push_back(name); });
  std::vector<Pair> extra;
  add_others(object, nullptr, spoken_for, keywords, extra);
  if (!extra.empty())
    document_.wrong(some.node, "", "two keys that 'properties' does not name are asked for by 'not' or oneOf",
                    Status::unsupported);
}

// `witness`: a key that nobody names has to be there; NULL: none.
void JsonRules::write_members(Symbol rule, const ObjectRule& object, const SomeKey* witness, const Brackets& around) {
  const bool gemma = notation_ == JsonNotation::gemma;
  const SharedSet<std::string> known = known_keys(object);
  std::optional<Regex> names;
  if (!object.names.empty()) names = schemas_.name_language(object.names);

  std::vector<Pair> pairs, extra;
  std::vector<std::string> spoken_for;
  bool possible = true;
  known.for_each([&](const std::string& name) {
    watch_.tick(16);
    spoken_for.push_back(name);
    const bool required = object.required.has(name);
    const std::string spelling = text_.spelling(name);
    const Parts parts = schemas_.of_property(object, name);
    const bool never =
        object.absent.has(name) || (names && !queries_.matches(*names, spelling)) || schemas_.is_never(parts);
    possible = possible && !(never && required);
    if (!possible || never) return;
    if (around.keywords && !gemma && !is_bare_key(name)) {
      if (required)
        document_.wrong(object.scopes.empty() ? document_.root() : object.scopes[0]->node, "properties",
                        "'" + shown(name) + "' is required and cannot be a keyword of a Python call",
                        Status::unsupported);
      return;
    }
    pairs.push_back(
        {key_regex(literal(spelling), gemma ? is_bare_key(name) : around.keywords), value(parts), required});
  });
  if (!possible) return;
  object.absent.for_each([&](const std::string& name) {
    if (!known.has(name)) spoken_for.push_back(name);
  });
  add_others(object, names ? &*names : nullptr, spoken_for, has_bare_keys(around), extra);

  const size_t required = object.required.size();
  const uint64_t min = object.min > required ? object.min : 0;
  const uint64_t max = extra.empty() && object.max >= pairs.size() ? kUnbounded : object.max;
  if (witness) {
    if (min > 1 || max != kUnbounded)
      document_.wrong(witness->node, "", "minProperties or maxProperties beside a key that 'not' or oneOf asks for",
                      Status::unsupported);
    write_with_witness(rule, object, *witness, names ? &*names : nullptr, spoken_for, pairs, extra, around);
    return;
  }
  if (object.min == 0 && required == 0) {
    const Symbol none[] = {around.none};
    build_.alternative(rule, none);
  }
  if (max == 0 || (pairs.empty() && extra.empty())) return;

  Members members{pairs, extra, {}};
  std::vector<Symbol> sequence{around.open};
  if (min > 1 || max != kUnbounded) {
    sequence.push_back(counted(members, 0, true, std::max<uint64_t>(min, 1), max));
  } else if (required > 0) {
    const std::vector<Symbol> ordered = in_order(pairs, extra);
    sequence.insert(sequence.end(), ordered.begin(), ordered.end());
  } else {
    sequence.push_back(first_of(members));
  }
  sequence.push_back(around.close);
  build_.alternative(rule, sequence);
}

// Other keys may be written twice, and of two the last counts: behind the witness, keys of its kind satisfy what it
// does. It is the one that is required, so it may stand last of a list whose pairs bring their commas behind them.
void JsonRules::write_with_witness(Symbol rule, const ObjectRule& object, const SomeKey& witness, const Regex* names,
                                   const std::vector<std::string>& spoken_for, const std::vector<Pair>& pairs,
                                   const std::vector<Pair>& before, const Brackets& around) {
  ObjectRule behind = object;
  const auto scope = std::make_shared<ObjectScope>();
  scope->node = witness.node;
  scope->patterns.push_back({witness.keys, witness.value});
  behind.scopes.push_back(scope);
  std::vector<Pair> of_its_kind, after;
  const Regex both[] = {witness.keys, names ? *names : text_.any()};
  const Regex keys = regexes_.both(both);
  add_others(behind, &keys, spoken_for, has_bare_keys(around), of_its_kind);
  add_others(behind, names, spoken_for, has_bare_keys(around), after);
  if (of_its_kind.empty()) return;

  std::vector<Symbol> sequence{around.open};
  const bool behind_required = std::any_of(pairs.begin(), pairs.end(), [](const Pair& p) { return p.required; });
  for (const Symbol s : in_order(pairs, {})) sequence.push_back(s);
  if (!before.empty() && behind_required)
    sequence.push_back(build_.repeat(either_pair(before, true), 0, kUnbounded));
  else if (!before.empty())
    sequence.push_back(build_.repeat(rule_of("property", {either_pair(before, false), comma_}), 0, kUnbounded));
  sequence.push_back(either_pair(of_its_kind, behind_required));
  if (!after.empty()) sequence.push_back(build_.repeat(either_pair(after, true), 0, kUnbounded));
  sequence.push_back(around.close);
  build_.alternative(rule, sequence);
}

// Keys that no `properties` names: each scope's patterns that match decide, and additionalProperties where none does.
void JsonRules::add_others(const ObjectRule& object, const Regex* names, const std::vector<std::string>& known,
                           bool keywords, std::vector<Pair>& extra) {
  struct Pattern {
    size_t scope;
    const ObjectScope::Pattern* is;
  };
  std::vector<Pattern> patterns;
  for (size_t i = 0; i < object.scopes.size(); ++i)
    for (const ObjectScope::Pattern& pattern : object.scopes[i]->patterns) patterns.push_back({i, &pattern});
  if (patterns.size() > kMostPatterns)
    document_.wrong(object.scopes[0]->node, "patternProperties", "more than 8 patterns for one object",
                    Status::unsupported);

  std::vector<Regex> base{names ? *names : text_.any()};
  if (keywords) {  // what every Python takes; of Gemma's calls, all that is_bare_key() lets be written
    CodeSet first{{'A', 'Z'}, {'_', '_'}, {'a', 'z'}}, more{{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
    if (notation_ == JsonNotation::gemma) {
      CodeSet marks{{0, 0x20}, {0x7f, 0x7f}};
      for (const char mark : kNoBareKey) marks.add(uint32_t(mark), uint32_t(mark));
      marks.join();
      more = marks.complement();
      first = more.intersection(CodeSet{{'0', '9'}}.complement());
    }
    base.push_back(regexes_.concat(text_.character(first), regexes_.repeat(text_.character(more), 0, 63)));
  }
  if (!known.empty()) base.push_back(regexes_.complement(text_.every_spelling(known)));
  for (size_t chosen = 0; chosen < size_t(1) << patterns.size(); ++chosen) {
    watch_.tick(16);
    std::vector<Regex> keys = base;
    Parts parts;
    std::vector<bool> matched(object.scopes.size());
    for (size_t i = 0; i < patterns.size(); ++i) {
      const bool matches = chosen >> i & 1;
      const ObjectScope::Pattern& is = *patterns[i].is;
      keys.push_back(matches ? is.keys : regexes_.complement(is.keys));
      if (!matches) continue;
      parts.insert(parts.end(), is.value.begin(), is.value.end());
      matched[patterns[i].scope] = true;
    }
    for (size_t i = 0; i < object.scopes.size(); ++i)
      if (!matched[i] && object.scopes[i]->additional) parts.push_back({*object.scopes[i]->additional});
    if (schemas_.is_never(parts)) continue;
    const Regex language = regexes_.both(keys);
    if (patterns.size() > 0 && queries_.never_matches(language)) continue;
    extra.push_back({key_regex(language, keywords), value(parts), false});
  }
}

Symbol JsonRules::pair(const Pair& pair, bool comma) {
  const Symbol key = comma ? lexeme({literal(","), space_, pair.key}) : build_.lexeme(pair.key);
  return rule_of("property", {key, pair.value});
}

// One of the other pairs.
Symbol JsonRules::either_pair(const std::vector<Pair>& extra, bool comma) {
  const Symbol rule = build_.rule("property");
  for (const Pair& other : extra) {
    const Symbol alternative[] = {pair(other, comma)};
    build_.alternative(rule, alternative);
  }
  return rule;
}

// There is a required pair: optional ones in front of it bring the comma behind them, all others the one before them.
std::vector<Symbol> JsonRules::in_order(const std::vector<Pair>& pairs, const std::vector<Pair>& extra) {
  std::vector<Symbol> sequence;
  bool behind_required = false;
  for (const Pair& p : pairs) {
    if (p.required) {
      sequence.push_back(pair(p, behind_required));
      behind_required = true;
    } else {
      const Symbol one = behind_required ? pair(p, true) : rule_of("property", {pair(p, false), comma_});
      sequence.push_back(build_.repeat(one, 0, 1));
    }
  }
  if (!extra.empty()) sequence.push_back(build_.repeat(either_pair(extra, true), 0, kUnbounded));
  return sequence;
}

// None is required, and there is at least one: any of them may be the first.
Symbol JsonRules::first_of(const Members& members) {
  const Symbol first = build_.rule("properties");
  const std::vector<Pair>& pairs = members.pairs;
  std::optional<Symbol> rest;  // what may follow the pairs from i on
  if (!members.extra.empty()) {
    rest = build_.repeat(either_pair(members.extra, true), 0, kUnbounded);
    const Symbol others[] = {either_pair(members.extra, false), *rest};
    build_.alternative(first, others);
  }
  for (size_t i = pairs.size(); i-- > 0;) {
    std::vector<Symbol> from_here{pair(pairs[i], false)};
    if (rest) from_here.push_back(*rest);
    build_.alternative(first, from_here);
    const Symbol optional = build_.repeat(pair(pairs[i], true), 0, 1);
    rest = rest ? rule_of("properties", {optional, *rest}) : optional;
  }
  return first;
}

// minProperties and maxProperties: a rule for every place in the list and every number of pairs still wanted.
Symbol JsonRules::counted(Members& members, size_t index, bool first, uint64_t min, uint64_t max) {
  struct State {
    size_t index;
    bool first;
    uint64_t min, max;
  };
  std::vector<std::pair<Symbol, State>> open;
  const auto at = [&](State s) {
    const auto [known, added] = members.rules.try_emplace({s.index, s.first, s.min, s.max});
    if (added) {
      known->second = build_.rule("properties");
      open.emplace_back(known->second, s);
      if (members.rules.size() > kMostCountedRules)
        fail(Status::unsupported, "JSON Schema: minProperties or maxProperties of an object with too many properties");
    }
    return known->second;
  };
  const Symbol start = at({index, first, min, max});
  while (!open.empty()) {
    watch_.tick();
    const auto [rule, s] = open.back();
    open.pop_back();
    if (s.index == members.pairs.size()) {
      const bool more = !members.extra.empty() && s.max > 0 && s.min <= s.max;
      if (s.min == 0) build_.alternative(rule, {});
      if (s.min > 0 && !more) impossible(rule);
      if (!more) continue;
      std::vector<Symbol> sequence;
      uint64_t least = s.min, most = s.max;
      if (s.first) {
        sequence.push_back(either_pair(members.extra, false));
        least -= least > 0, most -= most != kUnbounded;
      } else {
        least = std::max<uint64_t>(least, 1);  // none is the alternative above
      }
      sequence.push_back(build_.repeat(either_pair(members.extra, true), least, most));
      build_.alternative(rule, sequence);
      continue;
    }
    const Pair& p = members.pairs[s.index];
    if (s.max == 0 && p.required) impossible(rule);
    if (s.max > 0) {
      const State then{s.index + 1, false, s.min - (s.min > 0), s.max == kUnbounded ? s.max : s.max - 1};
      const Symbol present[] = {pair(p, !s.first), at(then)};
      build_.alternative(rule, present);
    }
    if (!p.required) {
      const Symbol left_out[] = {at({s.index + 1, s.first, s.min, s.max})};
      build_.alternative(rule, left_out);
    }
  }
  return start;
}

}  // namespace puna::grammar
