// The store of feedback: events in any order and twice give the same impressions, and who is forgotten is in no file of
// it any more, nor is anybody's id.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "puna/ads/feedback_store.h"
#include "support/catch.h"
#include "support/files.h"
#include "support/status.h"

using namespace puna;
using namespace puna::ads;
using namespace puna::test;

namespace {

FeedbackEvent shown(const std::string& key, const std::string& person, int64_t time, const std::string& variant = "v") {
  return {.kind = Reached::shown,
          .key = key,
          .impression = {},
          .time = time,
          .segment = "students",
          .placement = "feed",
          .variant = variant,
          .person = person,
          .propensity = 0.25};
}
FeedbackEvent result(Reached kind, const std::string& key, const std::string& impression, int64_t time) {
  FeedbackEvent e;
  e.kind = kind;
  e.key = key;
  e.impression = impression;
  e.time = time;
  return e;
}

// All bytes of the database and of what SQLite keeps beside it.
std::string bytes_of(const std::string& path) {
  std::string all;
  for (const char* suffix : {"", "-wal", "-journal"}) {
    std::ifstream file(path + suffix, std::ios::binary);
    all.append(std::istreambuf_iterator<char>(file), {});
  }
  return all;
}

std::vector<int> reached(FeedbackStore& store, int64_t window, int64_t now) {
  std::vector<int> kinds;
  for (const StoredImpression& i : store.impressions(window, now)) kinds.push_back(int(i.reached));
  return kinds;
}

}  // namespace

TEST_CASE("a key that another event has is an error that names the event, and nothing is added", "[ads]") {
  const TempFolder folder;
  const auto store = open_feedback(folder.path() + "/store");
  store->add(std::vector<FeedbackEvent>{shown("i1", "ann", 100), result(Reached::click, "c1", "i1", 110)});
  FeedbackEvent likelier = shown("i1", "ann", 100);
  likelier.propensity = 0.5;
  for (const FeedbackEvent& e : {shown("i1", "bob", 100), shown("i1", "ann", 101), shown("i1", "ann", 100, "w"),
                                 likelier, result(Reached::sale, "c1", "i1", 110),
                                 result(Reached::click, "c1", "i2", 110), result(Reached::click, "c1", "i1", 111)}) {
    const std::vector<FeedbackEvent> events{shown("i2", "ann", 100), e};
    CHECK(message_of([&] { store->add(events); }) ==
          "event 1: its key '" + e.key + "' is that of another event, which differs from it");
    CHECK(store->count() == 2);
  }
  try {
    store->add(std::vector<FeedbackEvent>{shown("i2", "ann", 100), shown("i1", "bob", 100)});
    FAIL("it was added");
  } catch (const FeedbackError& e) {  // the number is a value, not only words
    CHECK(e.event() == 1);
    CHECK(std::string(e.why()).starts_with("its key 'i1' is that of another event"));
    CHECK(e.status() == Status::invalid_argument);
  }
  const std::vector<FeedbackEvent> twins{shown("i3", "ann", 1), shown("i3", "ann", 2)};
  CHECK(message_of([&] { store->add(twins); }).find("event 1: ") == 0);
  CHECK(store->count() == 2);
}

TEST_CASE("results count for their impression within its window, whatever the order, once", "[ads]") {
  const TempFolder folder;
  std::vector<FeedbackEvent> events{shown("i1", "ann", 100),
                                    shown("i2", "bob", 200),
                                    shown("i3", "ann", 300),
                                    result(Reached::click, "c1", "i1", 110),
                                    result(Reached::sale, "s1", "i1", 140),
                                    result(Reached::sale, "s2", "i2", 251),     // too late
                                    result(Reached::click, "c3", "i3", 299),    // before it was shown
                                    result(Reached::lead, "l3", "i3", 350),     // just in time
                                    result(Reached::click, "x", "nobody", 1)};  // of nothing
  for (int order = 0; order < 3; ++order) {
    const auto store = open_feedback(folder.path() + "/store" + std::to_string(order));
    const FeedbackCounts first = store->add(events);
    CHECK(first.added == 9);
    const FeedbackCounts again = store->add(events);
    CHECK(again.added == 0);
    CHECK(again.repeated == 9);
    CHECK(reached(*store, 50, INT64_MAX) == std::vector<int>{3, 0, 2});
    CHECK(reached(*store, 10, INT64_MAX) == std::vector<int>{1, 0, 0});
    CHECK(reached(*store, 50, 250) == std::vector<int>{3, 0});  // the third is too young
    const auto all = store->impressions(50, INT64_MAX);
    CHECK(all[0].person == all[2].person);
    CHECK(all[0].person != all[1].person);
    CHECK(all[0].segment == "students");
    CHECK(all[0].propensity == 0.25);
    std::rotate(events.begin(), events.begin() + 4, events.end());
  }
}

TEST_CASE("a person who is forgotten is nowhere in the files, and no id of anybody ever was", "[ads]") {
  // Which pages are split, and so where copies of a row stay, depends on the store's secret: several stores.
  for (int round = 0; round < 12; ++round) {
    const TempFolder folder;
    const std::string path = folder.path() + "/store";
    std::string hash;
    {
      const auto store = open_feedback(path);
      std::vector<FeedbackEvent> events;
      for (int i = 0; i < 500; ++i) {
        const std::string key = "impression-" + std::to_string(i);
        events.push_back(shown(key, i % 5 == 0 ? "alice@example.org" : "person" + std::to_string(i), i));
        if (i % 10 == 0) events.push_back(result(Reached::sale, "sale-" + std::to_string(i), key, i + 1));
      }
      store->add(events);
      const uint64_t alice = store->impressions(10, INT64_MAX)[0].person;
      hash.assign(reinterpret_cast<const char*>(&alice), sizeof alice);
      CHECK(bytes_of(path).find(hash) != std::string::npos);
      CHECK(bytes_of(path).find("alice") == std::string::npos);
      CHECK(bytes_of(path).find("impression-") == std::string::npos);
      CHECK(store->forget("nobody") == 0);
      CHECK(store->forget("alice@example.org") == 150);  // 100 impressions, 50 sales
      CHECK(bytes_of(path).find(hash) == std::string::npos);
      CHECK(store->impressions(10, INT64_MAX).size() == 400);
      CHECK(store->count() == 400);
      CHECK(store->forget("alice@example.org") == 0);
      // What comes of hers later is of nobody.
      store->add(std::vector<FeedbackEvent>{result(Reached::click, "late", "impression-0", 5)});
      CHECK(store->impressions(10, INT64_MAX).size() == 400);
    }
    const auto again = open_feedback(path);
    CHECK(again->impressions(10, INT64_MAX).size() == 400);
    CHECK(bytes_of(path).find(hash) == std::string::npos);
  }
}

#ifndef _WIN32  // where a file that is open cannot be removed
TEST_CASE("what is told to a store whose file was removed is an error, and not lost in silence", "[ads]") {
  const TempFolder folder;
  const std::string path = folder.path() + "/store";
  const auto store = open_feedback(path);
  store->add(std::vector<FeedbackEvent>{shown("i", "ann", 0)});
  std::filesystem::rename(path, path + ".moved");
  CHECK(status_of([&] { store->add(std::vector<FeedbackEvent>{shown("j", "ann", 1)}); }) == Status::io);
  std::filesystem::rename(path + ".moved", path);
  store->add(std::vector<FeedbackEvent>{shown("j", "ann", 1)});
  CHECK(store->count() == 2);
}
#endif

TEST_CASE("two stores know the same person by different hashes", "[ads]") {
  const TempFolder folder;
  uint64_t person[2];
  for (int i = 0; i < 2; ++i) {
    const auto store = open_feedback(folder.path() + "/store" + std::to_string(i));
    store->add(std::vector<FeedbackEvent>{shown("i", "ann", 0)});
    person[i] = store->impressions(0, INT64_MAX)[0].person;
  }
  CHECK(person[0] != person[1]);
}

TEST_CASE("what is wrong with an event is said, and nothing of the call is kept; other databases are refused",
          "[ads]") {
  const TempFolder folder;
  const std::string path = folder.path() + "/store";
  const auto store = open_feedback(path);
  std::vector<FeedbackEvent> events{shown("a", "ann", 0), shown("b", "bob", 1)};
  events[1].propensity = 0;
  CHECK(message_of([&] { store->add(events); }) == "event 1: its propensity is no probability above 0");
  events[1] = shown("b", "", 1);
  CHECK(message_of([&] { store->add(events); }) == "event 1: its person has no, or more than 256 bytes");
  events[1] = result(Reached::click, "b", "", 1);
  CHECK(status_of([&] { store->add(events); }) == Status::invalid_argument);
  CHECK(store->count() == 0);
  CHECK(status_of([&] { (void)store->impressions(-1, 0); }) == Status::invalid_argument);
  write_file(folder.path() + "/text", "this is no database, but a text that is long enough to look at");
  CHECK(status_of([&] { (void)open_feedback(folder.path() + "/text"); }) == Status::bad_file);
}
