// Objects: known properties in the schema's order, then others. A comma belongs to the pair behind it, but before the
// first required pair it belongs to the pair in front: so a list of optional and required pairs needs no cases.
#include <algorithm>

#include "base/shown.h"
#include "grammar/json_schema/json_rules.h"

namespace puna::grammar {
namespace {

constexpr size_t kMostPatterns = 8;           // of one object: their combinations are told apart
constexpr size_t kMostCountedRules = 20'000;  // (property, how many are still wanted)

// What a call's bare key may be where it is written and read (chat/tools): more than Python's identifiers, since
// schemas have keys such as "user-id" and "$ref".
bool is_bare_key(std::string_view name) {
  return !name.empty() && name.size() <= 256 && !(name[0] >= '0' && name[0] <= '9') &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return uint8_t(c) > 0x20 && c != 0x7f &&
                  std::string_view("=(),:[]{}'\"#\\").find(c) == std::string_view::npos;
         });
}

bool contains(const std::vector<std::string>& list, const std::string& name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

}  // namespace

struct JsonRules::Members {
  const std::vector<Pair>& pairs;
  const std::vector<Pair>& extra;
  std::map<std::tuple<size_t, bool, uint64_t, uint64_t>, Symbol> rules;
};

void JsonRules::write_object(Symbol rule, const ObjectRule& object, const Brackets& around) {
  const bool gemma = notation_ == JsonNotation::gemma;
  std::vector<std::string> known;
  std::set<std::string_view> met;
  const auto add = [&](const std::vector<std::string>& names) {
    for (const std::string& name : names)
      if (met.insert(name).second) known.push_back(name);
  };
  for (const ObjectScope& scope : object.scopes) add(scope.names);
  add(object.required);
  const std::set<std::string_view> wanted(object.required.begin(), object.required.end());

  std::optional<Regex> names;
  if (!object.names.empty()) {
    std::vector<Regex> ways;
    for (const Alternative& a : schemas_.alternatives(object.names))
      if (a.types & kString) ways.push_back(schemas_.string_language(a.string));
    names = regexes_.either(ways);
  }

  std::vector<Pair> pairs, extra;
  for (const std::string& name : known) {
    watch_.tick(16);
    const bool required = wanted.count(name) > 0;
    const std::string spelling = text_.spelling(name);
    const Parts parts = schemas_.of_property(object, name);
    const bool never =
        contains(object.absent, name) || (names && !queries_.matches(*names, spelling)) || schemas_.is_never(parts);
    if (never && required) return;
    if (around.keywords && !gemma && !never && !is_bare_key(name)) {
      if (required)
        document_.wrong(object.scopes.empty() ? document_.root() : object.scopes[0].node, "properties",
                        "'" + shown(name) + "' is required and cannot be a keyword of a Python call",
                        Status::unsupported);
      continue;
    }
    if (!never)
      pairs.push_back(
          {key_regex(literal(spelling), gemma ? is_bare_key(name) : around.keywords), value(parts), required});
  }
  std::vector<std::string> spoken_for = known;
  spoken_for.insert(spoken_for.end(), object.absent.begin(), object.absent.end());
  add_others(object, names ? &*names : nullptr, spoken_for, gemma || around.keywords, extra);

  const size_t required = object.required.size();
  const uint64_t min = object.min > required ? object.min : 0;
  const uint64_t max = extra.empty() && object.max >= pairs.size() ? kUnbounded : object.max;
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

// Keys that no `properties` names: each scope's patterns that match decide, and additionalProperties where none does.
void JsonRules::add_others(const ObjectRule& object, const Regex* names, const std::vector<std::string>& known,
                           bool keywords, std::vector<Pair>& extra) {
  struct Pattern {
    size_t scope;
    Regex keys;
    Node value;
  };
  std::vector<Pattern> patterns;
  for (size_t i = 0; i < object.scopes.size(); ++i)
    for (const ObjectScope::Pattern& pattern : object.scopes[i].patterns)
      patterns.push_back({i, pattern.keys, pattern.value});
  if (patterns.size() > kMostPatterns)
    document_.wrong(object.scopes[0].node, "patternProperties", "more than 8 patterns for one object",
                    Status::unsupported);

  std::vector<Regex> base{names ? *names : text_.any()};
  if (keywords) {  // what every Python takes
    const CodeSet first{{'A', 'Z'}, {'_', '_'}, {'a', 'z'}}, more{{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
    base.push_back(regexes_.concat(text_.character(first), regexes_.repeat(text_.character(more), 0, 63)));
  }
  if (!known.empty()) {
    std::vector<Regex> spellings;
    for (const std::string& name : known) spellings.push_back(text_.every_spelling(name));
    base.push_back(regexes_.complement(regexes_.either(spellings)));
  }
  for (size_t chosen = 0; chosen < size_t(1) << patterns.size(); ++chosen) {
    watch_.tick(16);
    std::vector<Regex> keys = base;
    Parts parts;
    std::vector<bool> matched(object.scopes.size());
    for (size_t i = 0; i < patterns.size(); ++i) {
      const bool matches = chosen >> i & 1;
      keys.push_back(matches ? patterns[i].keys : regexes_.complement(patterns[i].keys));
      if (matches) parts.push_back({patterns[i].value}), matched[patterns[i].scope] = true;
    }
    for (size_t i = 0; i < object.scopes.size(); ++i)
      if (!matched[i] && object.scopes[i].additional) parts.push_back({*object.scopes[i].additional});
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
