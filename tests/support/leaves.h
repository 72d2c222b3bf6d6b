// leaves.h -- work that asks a Watch may be left at each of its questions.
#pragma once
#include <functional>

#include "puna/base/watch.h"
#include "support/catch.h"
#include "support/status.h"

namespace puna::test {

// `work` asks, and whichever question is answered with no is its end.
inline void check_leaves(const char* what, const std::function<void(const Watch&)>& work) {
  CAPTURE(what);
  const auto asked_until = [&](int last, int& asked) {
    const auto go_on = [&] { return ++asked != last; };
    return status_of([&] { work(Watch(go_on, std::chrono::microseconds(0))); });
  };
  int whole = 0;
  REQUIRE(asked_until(-1, whole) == Status::ok);
  REQUIRE(whole > 1);
  for (int last = 1; last <= whole; last += 1 + whole / 37) {
    int asked = 0;
    CHECK(asked_until(last, asked) == Status::cancelled);
    CHECK(asked == last);
  }
}

}  // namespace puna::test
