// fuzz_event_log_files.cpp -- any bytes as an event log's database with what SQLite finds beside it: the database,
// -wal, -shm and -journal, each but the last behind its size. See use_event_log().
#include <filesystem>

#include "scratch_folder.h"
#include "target.h"
#include "use_event_log.h"

FUZZ_TARGET(event_log_files) {
  using namespace puna;
  static const test::ScratchFolder folder;
  std::string_view parts[4];
  test::split_by_sizes(test::text_of(data, size), parts);
  constexpr const char* kFiles[] = {"events.db", "events.db-wal", "events.db-shm", "events.db-journal"};
  for (size_t i = 0; i < std::size(kFiles); ++i) {
    std::filesystem::remove(folder / kFiles[i]);
    if (!parts[i].empty()) folder.write(kFiles[i], parts[i]);
  }
  test::use_event_log(folder / kFiles[0]);
  return 0;
}
