// last_logits.h -- a session's logits as values that outlive its next call.
#pragma once
#include <vector>

#include "puna/runtime/session.h"

namespace puna::test {

inline std::vector<float> last_logits(const Session& s) { return {s.logits().begin(), s.logits().end()}; }

}  // namespace puna::test
