// fuzz_ads_feedback.cpp -- any bytes as the SQLite database of a feedback store: an Error, or a store whose impressions
// are sound, that takes events once, and has nothing of a person any more who is forgotten.
#include <filesystem>

#include "expect_error.h"
#include "puna/ads/feedback_store.h"
#include "scratch_folder.h"
#include "sound_pages.h"
#include "target.h"

FUZZ_TARGET(ads_feedback) {
  using namespace puna;
  using namespace puna::ads;
  static const test::ScratchFolder folder;
  for (const char* beside : {"feedback.db-wal", "feedback.db-shm", "feedback.db-journal"})
    std::filesystem::remove(folder / beside);
  const std::string path = folder.write("feedback.db", test::text_of(data, size));
  const bool sound = test::has_sound_pages(path);
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
