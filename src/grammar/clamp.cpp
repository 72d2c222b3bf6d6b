// clamp.cpp -- each repetition takes a byte at least (an empty one is as good as none), so in n bytes neither a minimum
// nor a maximum above n is reached. Below an intersection or a complement counts stay: whether those match anything at
// all may depend on them.
#include "grammar/clamp.h"

#include <algorithm>
#include <cstring>

namespace puna::grammar {

Regex Clamp::of(Regex wanted) {
  using Op = RegexBuilder::Op;
  std::vector<Regex> stack{wanted}, parts;
  while (!stack.empty()) {
    const Regex r = stack.back();
    if (known_.size() < arena_.size()) known_.resize(arena_.size(), kNone);
    if (known_[size_t(r)] != kNone) {
      stack.pop_back();
      continue;
    }
    const Op op = arena_.op(r);
    if (op != Op::concat && op != Op::either && op != Op::repeat) {
      known_[size_t(r)] = uint32_t(r);
      continue;
    }
    const size_t before = stack.size();
    for (const Regex child : arena_.children(r))
      if (known_[size_t(child)] == kNone) stack.push_back(child);
    if (stack.size() > before) continue;
    parts.clear();
    for (const Regex child : arena_.children(r)) parts.push_back(Regex(known_[size_t(child)]));
    Regex clamped = r;
    if (op == Op::concat) {
      clamped = arena_.concat(parts[0], parts[1]);
    } else if (op == Op::either) {
      clamped = arena_.either(parts);
    } else {
      const RegexBuilder::Bounds bounds = arena_.bounds(r);
      clamped = arena_.repeat(parts[0], std::min(bounds.min, most_),
                              bounds.max == kUnbounded ? kUnbounded : std::min(bounds.max, most_));
    }
    known_[size_t(r)] = uint32_t(clamped);
    stack.pop_back();
  }
  return Regex(known_[size_t(wanted)]);
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
