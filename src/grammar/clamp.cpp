// clamp.cpp -- each repetition takes a byte at least (an empty one is as good as none), so in n bytes neither a minimum
// nor a maximum above n is reached: n + 1 stands for them all. Where it takes k bytes at least, n / k + 2 does.
//
// Of an intersection that is not so: whether a text of n bytes leaves anything that matches both parts may depend on
// counts far away. But let R' be R with maxima above n + s taken away. R' matches more. Where nothing that R' can come
// to needs more than s bytes to its end, a text of n bytes and such an end are n + s bytes at most, R matches it as
// well, and so R goes on where R' does. Below a complement counts stay.
//
// A part of R' that another one is included in decides nothing and is left out: of "up to 5,000 characters" and "up to
// 100 words" the words are left, whose ends are near, as their form shows, and whose states nobody need look at.
#include "grammar/clamp.h"

#include <algorithm>
#include <cstring>
#include <set>

namespace puna::grammar {
namespace {

constexpr uint64_t kFar = uint64_t(1) << 40;  // bytes
constexpr size_t kMostStates = 256;           // of one search

uint64_t times(uint64_t bytes, uint64_t count) { return count != 0 && bytes > kFar / count ? kFar : bytes * count; }

}  // namespace

template <class Inner>
Regex Clamp::rewritten(Regex wanted, uint64_t most, bool minima_too, Known& known, Inner&& inner) {
  using Op = RegexBuilder::Op;
  std::vector<Regex> stack{wanted}, parts;
  while (!stack.empty()) {
    const Regex r = stack.back();
    if (known.contains(r)) {
      stack.pop_back();
      continue;
    }
    const Op op = arena_.op(r);
    if (op != Op::concat && op != Op::either && op != Op::repeat) {
      known[r] = inner(r);
      continue;
    }
    const size_t before = stack.size();
    for (const Regex child : arena_.children(r))
      if (!known.contains(child)) stack.push_back(child);
    if (stack.size() > before) continue;
    parts.clear();
    for (const Regex child : arena_.children(r)) parts.push_back(known[child]);
    Regex done = r;
    if (op == Op::concat) {
      done = arena_.concat(parts[0], parts[1]);
    } else if (op == Op::either) {
      done = arena_.either(parts);
    } else {
      const RegexBuilder::Bounds bounds = arena_.bounds(r);
      const uint64_t takes = extent(arena_.children(r)[0]).shortest;  // bytes, each time
      const uint64_t times = takes > 1 ? std::min(most, most / takes + 2) : most;
      done = arena_.repeat(parts[0], minima_too ? std::min(bounds.min, times) : bounds.min,
                           bounds.max > times ? kUnbounded : bounds.max);
    }
    known[r] = done;
    stack.pop_back();
  }
  return known[wanted];
}

Regex Clamp::of(Regex r) {
  return rewritten(r, bytes_ + 1, true, known_, [&](Regex inner) {
    return arena_.op(inner) == RegexBuilder::Op::both ? of_intersection(inner) : inner;
  });
}

Regex Clamp::of_intersection(Regex r) {
  const std::vector<Regex> children(arena_.children(r).begin(), arena_.children(r).end());
  const auto itself = [](Regex inner) { return inner; };
  for (const uint64_t to_the_end : {uint64_t(8), uint64_t(64)}) {
    Known known, loosely_known;
    std::vector<Regex> parts, loose;  // loose: without maxima, so that few states are left
    for (const Regex child : children) {
      parts.push_back(rewritten(child, bytes_ + to_the_end, false, known, itself));
      loose.push_back(rewritten(child, 1, false, loosely_known, itself));
    }
    if (arena_.both(parts) == r) return r;
    for (size_t i = 0; i < parts.size(); ++i) {
      if (parts[i] == children[i]) continue;
      const auto decides = [&](size_t j) {
        return j != i && loose[j] != arena_.all() && is_included(loose[j], parts[i]);
      };
      for (size_t j = 0; j < parts.size(); ++j) {
        if (!decides(j)) continue;
        parts[i] = loose[i] = arena_.all();
        break;
      }
    }
    const Regex relaxed = arena_.both(parts);
    if (!ends_within(relaxed, to_the_end)) continue;
    return arena_.plain(relaxed) ? rewritten(relaxed, bytes_ + 1, true, known_, itself) : relaxed;
  }
  return r;
}

// May say no where it is so.
bool Clamp::is_included(Regex r, Regex in) {
  if (const auto known = included_.find({r, in}); known != included_.end()) return known->second;
  const bool is_star =
      arena_.op(in) == RegexBuilder::Op::repeat && arena_.bounds(in) == RegexBuilder::Bounds{0, kUnbounded};
  const bool included = is_star ? is_included_by_parts(r, in) : is_included_by_states(r, in);
  included_[{r, in}] = included;
  return included;
}

// In x*: a sequence, alternatives, a repetition are where their parts are. What is left are single characters, of which
// a part is none; they have few states.
bool Clamp::is_included_by_parts(Regex wanted, Regex star) {
  using Op = RegexBuilder::Op;
  std::vector<Regex> stack{wanted};
  while (!stack.empty()) {
    const Regex r = stack.back();
    const Op op = arena_.op(r);
    const bool has_parts = op == Op::concat || op == Op::either || op == Op::repeat;
    const size_t before = stack.size();
    if (has_parts && !included_.contains({r, star}))
      for (const Regex child : arena_.children(r))
        if (!included_.contains({child, star})) stack.push_back(child);
    if (stack.size() > before) continue;
    stack.pop_back();
    if (included_.contains({r, star})) continue;
    bool by_parts = has_parts;
    if (has_parts)
      for (const Regex child : arena_.children(r)) by_parts = by_parts && included_[{child, star}];
    included_[{r, star}] = op == Op::empty || by_parts || is_included_by_states(r, star);
  }
  return included_[{wanted, star}];
}

bool Clamp::is_included_by_states(Regex r, Regex in) {
  const Regex parts[] = {r, arena_.complement(in)};
  std::vector<Regex> states{arena_.both(parts)};
  if (arena_.nullable(states[0])) return false;
  std::set<Regex> seen(states.begin(), states.end());
  for (size_t n = 0; n < states.size(); ++n)
    for (int c = 0; c < classes_.count; ++c) {
      const Regex next = derivatives_.of(states[n], c);
      if (next == arena_.nothing() || !seen.insert(next).second) continue;
      if (arena_.nullable(next) || states.size() == kMostStates) return false;
      states.push_back(next);
    }
  return true;
}

Clamp::Extent Clamp::extent(Regex wanted) {
  std::vector<Regex> stack{wanted};
  while (!stack.empty()) {
    const Regex r = stack.back();
    const size_t before = stack.size();
    if (!extents_.contains(r))
      for (const Regex child : arena_.children(r))
        if (!extents_.contains(child)) stack.push_back(child);
    if (stack.size() > before) continue;
    if (!extents_.contains(r)) extents_[r] = extent_of(r);
    stack.pop_back();
  }
  return extents_[wanted];
}

// The children's are known.
Clamp::Extent Clamp::extent_of(Regex r) const {
  using Op = RegexBuilder::Op;
  const std::span<const Regex> children = arena_.children(r);
  const auto of_child = [&](size_t i) { return extents_.at(children[i]); };
  switch (arena_.op(r)) {
    case Op::empty: return {0, 0};
    case Op::bytes: return {1, 1};
    case Op::concat: {
      const Extent a = of_child(0), b = of_child(1);
      return {std::min(a.shortest + b.shortest, kFar), std::max(std::min(a.end + b.shortest, kFar), b.end)};
    }
    case Op::either: {
      Extent all{kFar, 0};
      for (size_t i = 0; i < children.size(); ++i) {
        all.shortest = std::min(all.shortest, of_child(i).shortest);
        all.end = std::max(all.end, of_child(i).end);
      }
      return all;
    }
    case Op::repeat: {
      const Extent x = of_child(0);
      const uint64_t min = arena_.bounds(r).min;
      return {times(x.shortest, min), std::min(x.end + times(x.shortest, min == 0 ? 0 : min - 1), kFar)};
    }
    case Op::both: {
      uint64_t shortest = 0;
      for (size_t i = 0; i < children.size(); ++i) shortest = std::max(shortest, of_child(i).shortest);
      return {shortest, kFar};
    }
    case Op::nothing:
    case Op::complement:
    case Op::multiple: break;
  }
  return {0, kFar};
}

// Whether all that the expression comes to and that matches anything matches something of up to so many bytes. May say
// no where it is so.
bool Clamp::ends_within(Regex r, uint64_t bytes) {
  if (arena_.plain(r) && extent(r).end <= bytes) return true;
  const auto [answer, is_new] = ends_within_.try_emplace({r, bytes}, false);
  if (!is_new) return answer->second;
  std::vector<Regex> states{r};
  std::vector<std::vector<uint32_t>> from(1);  // by state: those that lead to it
  std::map<Regex, uint32_t> numbers{{r, 0}};
  for (uint32_t n = 0; n < states.size(); ++n)
    for (int c = 0; c < classes_.count; ++c) {
      const Regex next = derivatives_.of(states[n], c);
      if (next == arena_.nothing()) continue;
      const auto [number, first_seen] = numbers.try_emplace(next, uint32_t(states.size()));
      if (first_seen) {
        if (states.size() == kMostStates) return false;
        states.push_back(next);
        from.emplace_back();
      }
      auto& before = from[number->second];
      if (before.empty() || before.back() != n) before.push_back(n);
    }
  // Breadth first from those that match nothing, backwards. States that this does not reach are dead.
  std::vector<uint64_t> distance(states.size(), UINT64_MAX);
  std::vector<uint32_t> todo;
  for (uint32_t n = 0; n < states.size(); ++n)
    if (arena_.nullable(states[n])) {
      distance[n] = 0;
      todo.push_back(n);
    }
  for (size_t i = 0; i < todo.size(); ++i)
    for (const uint32_t n : from[todo[i]])
      if (distance[n] == UINT64_MAX) {
        distance[n] = distance[todo[i]] + 1;
        if (distance[n] > bytes) return false;
        todo.push_back(n);
      }
  return answer->second = true;
}

std::string written_down(const RegexBuilder& arena, Regex wanted, int most_nodes) {
  using Op = RegexBuilder::Op;
  std::string text;
  std::vector<std::pair<Regex, uint32_t>> known;  // sorted by expression: its place in the text
  std::vector<Regex> stack{wanted};
  const auto find = [&](Regex r) {
    const auto at = std::ranges::lower_bound(known, r, {}, [](const auto& entry) { return entry.first; });
    return at != known.end() && at->first == r ? at->second : kNone;
  };
  const auto put = [&](const auto& value) {
    char bytes[sizeof value];
    memcpy(bytes, &value, sizeof value);
    text.append(bytes, sizeof value);
  };
  uint32_t count = 0;
  while (!stack.empty()) {
    const Regex r = stack.back();
    if (find(r) != kNone) {
      stack.pop_back();
      continue;
    }
    const std::span<const Regex> children = arena.children(r);
    if (stack.size() + children.size() > size_t(4 * most_nodes)) return {};
    const size_t before = stack.size();
    for (size_t i = children.size(); i-- > 0;)
      if (find(children[i]) == kNone) stack.push_back(children[i]);
    if (stack.size() > before) continue;
    if (int(count) == most_nodes) return {};
    const Op op = arena.op(r);
    put(op);
    put(uint32_t(children.size()));
    for (const Regex child : children) put(find(child));
    switch (op) {
      case Op::bytes: put(arena.set(r).bits); break;
      case Op::repeat: put(arena.bounds(r)); break;
      case Op::multiple: put(arena.multiple(r)); break;
      case Op::nothing:
      case Op::empty:
      case Op::concat:
      case Op::either:
      case Op::both:
      case Op::complement: break;
      default: return {};  // one that this does not know
    }
    known.insert(std::ranges::lower_bound(known, r, {}, [](const auto& entry) { return entry.first; }), {r, count++});
    stack.pop_back();
  }
  return text;
}

}  // namespace puna::grammar
