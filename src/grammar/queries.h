// queries.h -- questions that a front end asks about expressions while it builds them.
#pragma once
#include <memory>
#include <string_view>

#include "grammar/derivative.h"
#include "grammar/liveness.h"
#include "grammar/regex.h"

namespace puna::grammar {

class RegexQueries {
 public:
  RegexQueries(RegexBuilder& arena, uint64_t max_states, const Watch& watch)
      : arena_(arena), max_states_(max_states), watch_(watch) {}

  bool matches(Regex regex, std::string_view bytes);
  bool never_matches(Regex regex);  // may look at many of its derivatives

 private:
  // Derivatives are by classes of bytes, which the next set may split: then all is begun anew.
  struct State {
    State(RegexBuilder& arena, uint64_t max_states, const Watch& watch)
        : sets(arena.sets().size()),
          classes(arena.sets()),
          derivatives(arena, classes),
          liveness(arena, derivatives, classes, max_states, &watch) {}
    size_t sets;
    ByteClasses classes;
    Derivatives derivatives;
    Liveness liveness;
  };
  State& state();

  RegexBuilder& arena_;
  uint64_t max_states_;
  const Watch& watch_;
  std::unique_ptr<State> state_;
};

}  // namespace puna::grammar
