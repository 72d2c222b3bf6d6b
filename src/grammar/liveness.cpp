// liveness.cpp -- depth first through the derivatives until one that is alive for sure. Where the search ends without,
// all that it saw is dead; where it finds one, all on the way to it is alive. Both are kept.
#include "grammar/liveness.h"

#include <algorithm>

#include "puna/base/error.h"

namespace puna::grammar {

Liveness::Found Liveness::at_once(Regex r) const noexcept {
  if (arena_.plain(r)) return r == arena_.nothing() ? is_dead : is_alive;
  if (arena_.nullable(r)) return is_alive;
  return size_t(r) < found_.size() ? Found(found_[size_t(r)]) : unknown;
}

// A smaller expression that is alive exactly where this one is: of a sequence the part in doubt, of x{2,} x.
Regex Liveness::reduced(Regex r) const noexcept {
  for (;;) {
    const std::span<const Regex> x = arena_.children(r);
    if (arena_.op(r) == RegexBuilder::Op::concat && at_once(x[1]) == is_alive)
      r = x[0];
    else if (arena_.op(r) == RegexBuilder::Op::concat && at_once(x[0]) == is_alive)
      r = x[1];
    else if (arena_.op(r) == RegexBuilder::Op::repeat && !arena_.nullable(r))
      r = x[0];
    else
      return r;
  }
}

bool Liveness::search(Regex wanted) {
  if (const Found found = at_once(wanted); found != unknown) return found == is_alive;
  struct State {
    Regex regex;
    size_t from;   // the state that led here
    int next = 0;  // class to try; alternatives have been pushed all at once
  };
  std::vector<State> seen{{wanted, 0}};
  std::vector<size_t> stack{0};
  InternTable table;
  const auto find = [&](Regex r) {
    return table.find(mixed(0, uint64_t(r)), [&](uint32_t n) { return seen[n].regex == r; });
  };
  table.reserve_one();
  table.insert(mixed(0, uint64_t(wanted)), 0);
  size_t witness = SIZE_MAX;
  uint64_t steps = 0;
  const auto visit = [&](Regex r, size_t from) {
    const Found found = at_once(r);
    if (found == is_alive) witness = from;
    if (found != unknown || find(r) != kNone) return;
    if (watch_) watch_->tick(4);
    PUNA_REQUIRE(seen.size() < max_states_,
                 "whether an intersection or a negation matches anything takes more than the limit of %ju states",
                 max_states_);
    PUNA_REQUIRE(seen.size() % 64 != 0 || arena_.bytes_held() + derivatives_.bytes_held() <= max_bytes_,
                 "whether an intersection or a negation matches anything takes more than the limit of %ju bytes",
                 max_bytes_);
    table.reserve_one();
    table.insert(mixed(0, uint64_t(r)), uint32_t(seen.size()));
    stack.push_back(seen.size());
    seen.push_back({r, from});
  };
  while (!stack.empty() && witness == SIZE_MAX) {
    const size_t at = stack.back();
    const Regex r = seen[at].regex;
    const Regex smaller = reduced(r);
    if (smaller != r || arena_.op(r) == RegexBuilder::Op::either) {
      stack.pop_back();
      if (smaller != r) {
        visit(smaller, at);
        continue;
      }
      const std::vector<Regex> children(arena_.children(r).begin(), arena_.children(r).end());
      for (const Regex child : children) {
        visit(child, at);
        if (witness != SIZE_MAX) break;
      }
      continue;
    }
    if (seen[at].next == classes_.count) {
      stack.pop_back();
      continue;
    }
    if (watch_) watch_->tick();
    PUNA_REQUIRE(
        ++steps <= 16 * max_states_,
        "whether an intersection or a negation matches anything takes more than 16 times the limit of %ju steps",
        max_states_);
    visit(derivatives_.of(r, seen[at].next++), at);
  }
  found_.resize(std::max<size_t>(found_.size(), arena_.size()), unknown);
  if (witness == SIZE_MAX) {
    for (const State& state : seen) found_[size_t(state.regex)] = is_dead;
    return false;
  }
  for (size_t at = witness;; at = seen[at].from) {
    found_[size_t(seen[at].regex)] = is_alive;
    if (at == 0) return true;
  }
}

bool Liveness::goes_on(Regex r) {
  if (arena_.plain(r)) return r != arena_.nothing() && r != arena_.empty();
  if (!arena_.nullable(r)) return alive(r);
  for (int c = 0; c < classes_.count; ++c)
    if (alive(derivatives_.of(r, c))) return true;
  return false;
}

}  // namespace puna::grammar
