// expect_error.h -- what a fuzz target calls may fail, with a puna::Error and nothing else, and not with one that
// blames the library.
#pragma once
#include <cstdio>
#include <cstdlib>

#include "puna/base/error.h"
#include "target.h"

namespace puna::test {

// Whether it did not fail; then the input counts as accepted.
template <class Fn>
bool expect_error_only(Fn fn) {
  try {
    fn();
  } catch (const Error& e) {
    if (e.status() != Status::internal) return false;
    std::fprintf(stderr, "%s\n", e.what());
    std::abort();
  }
  return accepted = true;
}

// Aborts in every kind of build.
inline void require(bool promise) {
  if (!promise) std::abort();
}

}  // namespace puna::test
