// fuzz_event_log.cpp -- any bytes as the SQLite database of an event log: see use_event_log().
#include <filesystem>

#include "scratch_folder.h"
#include "target.h"
#include "use_event_log.h"

FUZZ_TARGET(event_log) {
  using namespace puna;
  static const test::ScratchFolder folder;
  for (const char* beside : {"events.db-wal", "events.db-shm", "events.db-journal"})
    std::filesystem::remove(folder / beside);
  test::use_event_log(folder.write("events.db", test::text_of(data, size)));
  return 0;
}
