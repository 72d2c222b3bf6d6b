// regex_arena.cpp -- RegexBuilder: the arena of expressions and the laws by which they are simplified.
#include <algorithm>

#include "grammar/regex.h"
#include "puna/base/error.h"

namespace puna::grammar {

RegexBuilder::RegexBuilder(uint64_t max_nodes, const Watch* watch)
    : max_nodes_(std::min<uint64_t>(max_nodes, UINT32_MAX / 2)), watch_(watch) {
  const ByteSet none;
  intern({.op = Op::nothing, .nullable = false, .plain = true, .first = 0, .x = {}, .a = 0, .b = 0, .hash = 1}, none);
  intern({.op = Op::empty, .nullable = true, .plain = true, .first = 0, .x = {}, .a = 0, .b = 0, .hash = 2}, none);
  all_ = repeat(bytes(ByteSet::any()), 0, kUnbounded);
}

uint32_t RegexBuilder::set_number(const ByteSet& set) {
  uint64_t hash = 0;
  for (const uint64_t word : set.bits) hash = mixed(hash, word);
  const uint32_t known = set_table_.find(hash, [&](uint32_t n) { return sets_[n] == set; });
  if (known != kNone) return known;
  set_table_.reserve_one();
  sets_.push_back(set);
  set_table_.insert(hash, uint32_t(sets_.size() - 1));
  return uint32_t(sets_.size() - 1);
}

uint32_t RegexBuilder::bounds_number(Bounds bounds) {
  const uint64_t hash = mixed(mixed(0, bounds.min), bounds.max);
  const uint32_t known = bounds_table_.find(hash, [&](uint32_t n) { return bounds_[n] == bounds; });
  if (known != kNone) return known;
  bounds_table_.reserve_one();
  bounds_.push_back(bounds);
  bounds_table_.insert(hash, uint32_t(bounds_.size() - 1));
  return uint32_t(bounds_.size() - 1);
}

// Of all but either() and both().
Regex RegexBuilder::intern(Node node, const ByteSet& first) {
  const uint32_t known = node_table_.find(node.hash, [&](uint32_t n) {
    const Node& other = nodes_[n];
    return other.op == node.op && other.x == node.x && other.a == node.a && other.b == node.b;
  });
  if (known != kNone) return Regex(known);
  tick(0);
  PUNA_REQUIRE(nodes_.size() < max_nodes_, "the regular expressions have more than the limit of %ju nodes", max_nodes_);
  node.first = set_number(first);
  node_table_.reserve_one();
  nodes_.push_back(node);
  node_table_.insert(node.hash, uint32_t(nodes_.size() - 1));
  return Regex(nodes_.size() - 1);
}

// `parts`: two or more, in order, no two equal.
Regex RegexBuilder::intern_many(Op op, std::span<const Regex> parts) {
  uint64_t hash = mixed(uint64_t(op), parts.size());
  for (const Regex part : parts) hash = mixed(hash, hash_of(part));
  const uint32_t known = node_table_.find(
      hash, [&](uint32_t n) { return nodes_[n].op == op && std::ranges::equal(children(Regex(n)), parts); });
  if (known != kNone) return Regex(known);
  tick(parts.size());
  PUNA_REQUIRE(nodes_.size() + children_.size() / 4 < max_nodes_,
               "the regular expressions have more than the limit of %ju nodes", max_nodes_);
  const bool all_of = op == Op::both;
  bool nullable = all_of, plain = op == Op::either;
  ByteSet first;
  if (all_of) first = ByteSet::any();
  for (const Regex part : parts) {
    nullable = all_of ? nullable && this->nullable(part) : nullable || this->nullable(part);
    plain = plain && this->plain(part);
    all_of ? first &= this->first(part) : first |= this->first(part);
  }
  Node node{.op = op,
            .nullable = nullable,
            .plain = plain,
            .first = set_number(first),
            .x = {},
            .a = 0,
            .b = 0,
            .hash = hash};
  node.a = uint32_t(children_.size());
  node.b = uint32_t(parts.size());
  node_table_.reserve_one();
  children_.insert(children_.end(), parts.begin(), parts.end());
  nodes_.push_back(node);  // children without a node, should this fail, are never looked at
  node_table_.insert(hash, uint32_t(nodes_.size() - 1));
  return Regex(nodes_.size() - 1);
}

std::span<const Regex> RegexBuilder::children(Regex r) const noexcept {
  const Node& node = nodes_[size_t(r)];
  switch (node.op) {
    case Op::concat: return {node.x.data(), 2};
    case Op::complement:
    case Op::repeat: return {node.x.data(), 1};
    case Op::either:
    case Op::both: return {children_.data() + node.a, node.b};
    default: return {};
  }
}

Regex RegexBuilder::bytes(const ByteSet& set) {
  if (set.none()) return nothing();
  const uint32_t number = set_number(set);
  uint64_t hash = 3;
  for (const uint64_t word : set.bits) hash = mixed(hash, word);
  return intern(
      {.op = Op::bytes, .nullable = false, .plain = true, .first = 0, .x = {}, .a = number, .b = 0, .hash = hash}, set);
}

// x{1,2} x? y = x{1,3} y: what is repeated in a row is one counter, not a chain of which every suffix may come next.
// nothing(): they are not the same, or one letter twice.
Regex RegexBuilder::joined_repetitions(Regex a, Regex b) {
  const auto repeated = [this](Regex r) { return op(r) == Op::repeat ? children(r)[0] : r; };
  const auto times = [this](Regex r) { return op(r) == Op::repeat ? bounds(r) : Bounds{1, 1}; };
  const auto head = [this](Regex r) { return op(r) == Op::concat ? children(r)[0] : r; };
  const auto behind = [this](Regex r) { return op(r) == Op::concat ? children(r)[1] : empty(); };
  const Regex one = repeated(a);
  if (a == head(b) && op(a) == Op::bytes && set(a).count() == 1) return nothing();
  Bounds sum = times(a);
  while (b != empty() && one == repeated(head(b))) {
    const Bounds more = times(head(b));
    if (sum.min > kLargestMaximum || more.min > kLargestMaximum) break;
    sum.min += more.min;
    sum.max = sum.max == kUnbounded || more.max == kUnbounded ? kUnbounded : sum.max + more.max;
    b = behind(b);
    tick(0);
  }
  if (sum == times(a)) return nothing();
  const Regex joined = repeat(one, sum.min, sum.max);
  return b == empty() ? joined : chain(joined, b);
}

Regex RegexBuilder::concat(Regex a, Regex b) {
  if (a == nothing() || b == nothing()) return nothing();
  if (a == empty()) return b;
  if (b == empty()) return a;
  const Regex joined = joined_repetitions(a, b);
  return joined != nothing() ? joined : chain(a, b);
}

// Neither is empty() or nothing(), and b does not go on with a.
Regex RegexBuilder::chain(Regex a, Regex b) {
  ByteSet begins = first(a);
  if (nullable(a)) begins |= first(b);
  return intern({.op = Op::concat,
                 .nullable = nullable(a) && nullable(b),
                 .plain = plain(a) && plain(b),
                 .first = 0,
                 .x = {a, b},
                 .a = 0,
                 .b = 0,
                 .hash = mixed(mixed(4, hash_of(a)), hash_of(b))},
                begins);
}

Regex RegexBuilder::concat(std::span<const Regex> parts) {
  for (const Regex part : parts)
    if (part == nothing()) return nothing();
  Regex joined = empty();
  for (size_t i = parts.size(); i-- > 0;) joined = concat(parts[i], joined);
  return joined;
}

Regex RegexBuilder::literal(std::string_view text) {
  Regex joined = empty();
  for (size_t i = text.size(); i-- > 0;) {
    ByteSet one;
    one.add(uint8_t(text[i]));
    joined = concat(bytes(one), joined);
  }
  return joined;
}

// By content, so that equal lists are equal in every arena.
void RegexBuilder::sort_parts(std::vector<Regex>& parts) const {
  std::sort(parts.begin(), parts.end(),
            [&](Regex a, Regex b) { return hash_of(a) != hash_of(b) ? hash_of(a) < hash_of(b) : a < b; });
  parts.erase(std::unique(parts.begin(), parts.end()), parts.end());
}

Regex RegexBuilder::either(std::span<const Regex> parts) {
  std::vector<Regex> kept;
  ByteSet joined;
  bool with_empty = false, nullable_part = false;
  const auto take = [&](Regex part) {
    if (op(part) == Op::bytes) {
      joined |= set(part);
    } else if (part == empty()) {
      with_empty = true;
    } else if (part != nothing()) {
      nullable_part = nullable_part || nullable(part);
      kept.push_back(part);
    }
  };
  for (const Regex part : parts) {
    if (part == all()) return part;
    if (op(part) == Op::either) {
      for (const Regex inner : children(part)) take(inner);
    } else {
      take(part);
    }
  }
  tick(kept.size());
  if (!joined.none()) kept.push_back(bytes(joined));
  if (with_empty && !nullable_part) kept.push_back(empty());
  sort_parts(kept);
  if (kept.empty()) return nothing();
  return kept.size() == 1 ? kept[0] : intern_many(Op::either, kept);
}

Regex RegexBuilder::both(std::span<const Regex> parts) {
  std::vector<Regex> kept;
  ByteSet joined = ByteSet::any(), begins = ByteSet::any();
  bool one_byte = false, all_nullable = true;
  const auto take = [&](Regex part) {
    begins &= first(part);
    all_nullable = all_nullable && nullable(part);
    if (op(part) == Op::bytes) {
      joined &= set(part);
      one_byte = true;
    } else if (part != all()) {
      kept.push_back(part);
    }
  };
  for (const Regex part : parts) {
    if (op(part) == Op::both) {
      for (const Regex inner : children(part)) take(inner);
    } else {
      take(part);
    }
  }
  tick(kept.size());
  if (begins.none()) return all_nullable && !kept.empty() ? empty() : nothing();
  if (one_byte) {
    if (joined.none()) return nothing();
    kept.push_back(bytes(joined));
  }
  sort_parts(kept);
  if (kept.empty()) return all();
  return kept.size() == 1 ? kept[0] : intern_many(Op::both, kept);
}

Regex RegexBuilder::complement(Regex regex) {
  if (op(regex) == Op::complement) return children(regex)[0];
  if (regex == nothing()) return all();
  if (regex == all()) return nothing();
  return intern({.op = Op::complement,
                 .nullable = !nullable(regex),
                 .plain = false,
                 .first = 0,
                 .x = {regex, Regex(0)},
                 .a = 0,
                 .b = 0,
                 .hash = mixed(5, hash_of(regex))},
                ByteSet::any());
}

Regex RegexBuilder::repeat(Regex regex, uint64_t min, uint64_t max) {
  PUNA_REQUIRE(min <= max, "a repetition of at least %ju and at most %ju times", min, max);
  if (max == 0 || regex == empty()) return empty();
  if (regex == nothing()) return min == 0 ? empty() : nothing();
  if (nullable(regex)) min = 0;
  if (max >= kLargestMaximum) max = kUnbounded;
  if (min == 1 && max == 1) return regex;
  if (min == 0 && max == 1 && nullable(regex)) return regex;
  if (op(regex) == Op::repeat && min <= 1 && max == kUnbounded) {  // (x*)*
    const Bounds inner = bounds(regex);
    if (inner.min <= 1) return repeat(children(regex)[0], min == 0 || inner.min == 0 ? 0 : 1, kUnbounded);
  }
  const ByteSet begins = first(regex);
  return intern({.op = Op::repeat,
                 .nullable = min == 0,
                 .plain = plain(regex),
                 .first = 0,
                 .x = {regex, Regex(0)},
                 .a = 0,
                 .b = bounds_number({min, max}),
                 .hash = mixed(mixed(mixed(6, hash_of(regex)), min), max)},
                begins);
}

size_t RegexBuilder::bytes_held() const noexcept {
  return nodes_.size() * sizeof(Node) + children_.size() * sizeof(Regex) + sets_.size() * sizeof(ByteSet) +
         bounds_.size() * sizeof(Bounds) + multiples_.size() * sizeof(Multiple) + node_table_.bytes() +
         set_table_.bytes() + bounds_table_.bytes();
}

// Children first: a stack of what is under way, since a chain of concat() may be as long as the text that made it.
Regex RegexBuilder::import(const RegexBuilder& from, Regex wanted, std::vector<uint32_t>& known) {
  known.resize(std::max<size_t>(known.size(), from.size()), kNone);
  std::vector<Regex> stack{wanted}, parts;
  while (!stack.empty()) {
    const Regex r = stack.back();
    if (known[size_t(r)] != kNone) {
      stack.pop_back();
      continue;
    }
    const std::span<const Regex> children = from.children(r);
    const size_t before = stack.size();
    for (const Regex child : children)
      if (known[size_t(child)] == kNone) stack.push_back(child);
    if (stack.size() > before) continue;
    parts.clear();
    for (const Regex child : children) parts.push_back(Regex(known[size_t(child)]));
    Regex made = nothing();
    switch (from.op(r)) {
      case Op::nothing: break;
      case Op::empty: made = empty(); break;
      case Op::bytes: made = bytes(from.set(r)); break;
      case Op::concat: made = concat(parts[0], parts[1]); break;
      case Op::either: made = either(parts); break;
      case Op::both: made = both(parts); break;
      case Op::complement: made = complement(parts[0]); break;
      case Op::repeat: made = repeat(parts[0], from.bounds(r).min, from.bounds(r).max); break;
      case Op::multiple:
        decimal_multiple(1, 0);  // its digits are classes here as well
        made = intern_multiple(from.multiple(r));
        break;
    }
    known[size_t(r)] = uint32_t(made);
    stack.pop_back();
  }
  return Regex(known[size_t(wanted)]);
}

}  // namespace puna::grammar
