// completion.cpp -- what has to come: Matcher::forced and shortest_completion.
#include "grammar/matcher_impl.h"

namespace puna {

std::string Matcher::forced(size_t) { return {}; }
std::string Matcher::shortest_completion(size_t) { return {}; }

}  // namespace puna
