// events.h -- made-up events by their number: whoever makes number n, wherever, makes the same.
#pragma once
#include "puna/recsys/event_log.h"
#include "ref/random.h"

namespace puna::test {

inline constexpr int64_t kUsers = 50, kItems = 40;

// Somebody is shown something on one of two surfaces; taste is parity. Tasks: liked, watched (a fraction; unknown for
// every fifth).
inline recsys::LoggedEvent event_of(int64_t number) {
  ref::Random random(uint64_t(number) * 7919);
  recsys::LoggedEvent e;
  e.time = 1000 + number;
  e.surface = int32_t(random.below(2));
  const int64_t user = random.below(kUsers), item = random.below(kItems);
  const double liking = user % 2 == item % 2 ? 0.9 : 0.1;
  e.ids = {{user}, {item, (item + 2) % kItems}, {}};
  e.numbers = {float(random.uniform())};
  e.values = {random.uniform() < liking ? 1.0f : 0.0f, float(liking)};
  e.known = number % 5 == 0 ? 1u : 3u;
  return e;
}

inline std::vector<recsys::LoggedEvent> events_of(int64_t first, int64_t last) {
  std::vector<recsys::LoggedEvent> all;
  for (int64_t n = first; n <= last; ++n) all.push_back(event_of(n));
  return all;
}

}  // namespace puna::test
