#include "grammar/queries.h"

namespace puna::grammar {

RegexQueries::State& RegexQueries::state() {
  if (!state_ || state_->sets != arena_.sets().size()) state_ = std::make_unique<State>(arena_, max_states_, watch_);
  return *state_;
}

bool RegexQueries::matches(Regex regex, std::string_view bytes) {
  State& s = state();
  for (const char byte : bytes) regex = s.derivatives.of(regex, s.classes.of[static_cast<unsigned char>(byte)]);
  return arena_.nullable(regex);
}

bool RegexQueries::never_matches(Regex regex) { return !state().liveness.alive(regex); }

}  // namespace puna::grammar
