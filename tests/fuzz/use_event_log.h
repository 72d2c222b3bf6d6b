// use_event_log.h -- for fuzz targets of an event log's files: an Error, or a log that gives its events, takes new ones
// and has them when it is opened again.
#pragma once
#include "expect_error.h"
#include "puna/recsys/event_log.h"

namespace puna::test {

inline recsys::LoggedEvent some_event() {
  recsys::LoggedEvent e;
  e.known = 1;
  e.ids = {{1, 2}, {}};
  e.numbers = {0.5f};
  e.values = {1};
  return e;
}

inline void use_event_log(const std::string& path) {
  expect_error_only([&] {
    const recsys::LoggedEvent event = some_event();
    recsys::LoggedEvent keyed = event;
    keyed.key = "a key";
    int64_t last = 0;
    {
      const auto log = recsys::open_event_log(path);
      std::vector<recsys::LoggedEvent> events;
      expect_error_only([&] { log->read(events, 0, 100); });
      expect_error_only([&] { log->read(events, 1, 1); });
      require(events.size() <= 101);
      int64_t repeated = 0;
      last = log->append({&event, 1});
      log->append({&keyed, 1}, &repeated);
      require(repeated == 0 || repeated == 1);
      last = log->append({&event, 1});
      require(log->last() == last);
      std::vector<recsys::LoggedEvent> got;
      require(log->read(got, last - 1, 5) == 1 && got[0] == event);
    }
    const auto again = recsys::open_event_log(path);
    require(again->last() == last);
  });
}

}  // namespace puna::test
