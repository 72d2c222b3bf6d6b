// taken.h -- whether the input was taken for what it says it is, as far as the target looks. mutate.py tells the share: where it is small, mutants are
// noise that fails at the first check; where it is near 100 %, they are hardly wrong.
#pragma once

namespace puna::test {

inline bool taken = false;

}  // namespace puna::test
