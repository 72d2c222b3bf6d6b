// clamp.cpp -- each repetition takes a byte at least (an empty one is as good as none), so in n bytes neither a minimum
// nor a maximum above n is reached: n + 1 stands for them all.
//
// Of an intersection that is not so: whether a text of n bytes leaves anything that matches both parts may depend on
// counts far away. But let R' be R with maxima above n + s taken away. R' matches more. Where nothing that R' can come
// to needs more than s bytes to its end, a text of n bytes and such an end are n + s bytes at most, R matches it as
// well, and so R goes on where R' does. Below a complement counts stay.
#include "grammar/clamp.h"

#include <algorithm>
#include <cstring>

namespace puna::grammar {

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
      done = arena_.repeat(parts[0], minima_too ? std::min(bounds.min, most) : bounds.min,
                           bounds.max > most ? kUnbounded : bounds.max);
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
  for (const uint64_t to_the_end : {uint64_t(8), uint64_t(64)}) {
    Known known;
    std::vector<Regex> parts;
    for (const Regex child : children)
      parts.push_back(rewritten(child, bytes_ + to_the_end, false, known, [](Regex inner) { return inner; }));
    const Regex relaxed = arena_.both(parts);
    if (relaxed == r) return r;
    if (ends_within(relaxed, to_the_end)) return relaxed;
  }
  return r;
}

// Whether all that the expression comes to and that matches anything matches something of up to so many bytes. May say
// no where it is so.
bool Clamp::ends_within(Regex r, uint64_t bytes) {
  constexpr size_t kMostStates = 256;
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
