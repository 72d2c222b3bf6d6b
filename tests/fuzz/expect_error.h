// expect_error.h -- what a fuzz target calls may fail, with a puna::Error and nothing else.
#pragma once
#include "puna/base/error.h"

namespace puna::test {

template <class Fn>
void expect_error_only(Fn fn) {
  try {
    fn();
  } catch (const Error&) {
  }
}

}  // namespace puna::test
