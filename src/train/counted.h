// counted.h -- how many of a sequence's tokens are learned.
#pragma once
#include <algorithm>

#include "puna/base/error.h"
#include "puna/train/pass.h"

namespace puna::train {

// Token 0 never counts: nothing predicts it. No marks: no token counts.
inline int64_t counted_tokens(const Sequence& s) {
  return s.counted.size() < 2 ? 0 : std::count(s.counted.begin() + 1, s.counted.end(), 1);
}

}  // namespace puna::train
