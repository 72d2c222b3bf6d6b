// fuzz_ads_feedback.cpp -- any bytes as the SQLite database of a feedback store: an Error, or a store whose impressions
// are sound, that takes events once, and has nothing of a person any more who is forgotten.
#include <sqlite3.h>

#include <filesystem>
#include <string_view>

#include "expect_error.h"
#include "puna/ads/feedback_store.h"
#include "scratch_folder.h"
#include "target.h"

namespace {

// Two tables of a damaged file may share a page, so that a row of one is one of the other as well: no counts hold then.
bool is_sound(const std::string& path) {
  sqlite3* db = nullptr;
  sqlite3_stmt* s = nullptr;
  const bool ok = sqlite3_open_v2(path.c_str(), &db, SQLITE_OPEN_READWRITE, nullptr) == SQLITE_OK &&
                  sqlite3_prepare_v2(db, "PRAGMA quick_check(1)", -1, &s, nullptr) == SQLITE_OK &&
                  sqlite3_step(s) == SQLITE_ROW &&
                  std::string_view(reinterpret_cast<const char*>(sqlite3_column_text(s, 0))) == "ok";
  sqlite3_finalize(s);
  sqlite3_close(db);
  return ok;
}

}  // namespace

FUZZ_TARGET(ads_feedback) {
  using namespace puna;
  using namespace puna::ads;
  static const test::ScratchFolder folder;
  for (const char* beside : {"feedback.db-wal", "feedback.db-shm", "feedback.db-journal"})
    std::filesystem::remove(folder / beside);
  const std::string path = folder.write("feedback.db", test::text_of(data, size));
  const bool sound = is_sound(path);
  test::expect_error_only([&] {
    const auto store = open_feedback(path);
    for (const StoredImpression& i : store->impressions(100, INT64_MAX))
      test::require(i.propensity > 0 && i.propensity <= 1 && i.reached <= Reached::sale && !i.segment.empty());
    const int64_t before = store->count();
    const std::vector<FeedbackEvent> events{{.kind = Reached::shown,
                                             .key = "key of the fuzzer",
                                             .impression = {},
                                             .time = 5,
                                             .segment = "s",
                                             .placement = "p",
                                             .variant = "v",
                                             .person = "somebody new",
                                             .propensity = 0.5}};
    const bool added = store->add(events).added == 1, repeated = store->add(events).repeated == 1;
    const int64_t then = store->count(), forgotten = store->forget("somebody new"), after = store->count();
    test::require(!sound || (added && repeated && then == before + 1 && forgotten == 1 && after == before));
  });
  return 0;
}
