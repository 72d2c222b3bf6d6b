// The label store: what is acknowledged is there, once, whoever writes at the same time and whoever is killed; items
// are given out once; what is no store of ours is refused.
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <thread>

#include "optional/sqlite/label_schema.h"
#include "puna/base/philox.h"
#include "puna/label/store.h"
#include "support/catch.h"
#include "support/files.h"
#include "support/killed.h"
#include "support/status.h"

using namespace puna;
using namespace puna::label;
using namespace puna::test;

namespace {

Project project_of(LabelStore& store, int items, int64_t wanted = 1) {
  Project p;
  p.name = "p";
  p.wanted = wanted;
  p = store.create(p);
  std::vector<Item> all(static_cast<size_t>(items));
  for (size_t i = 0; i < all.size(); ++i) all[i].key = "i" + std::to_string(i);
  store.put_items(p.id, all);
  return p;
}

NewLabel label_of(int64_t item, const std::string& by, const std::string& value, Kind kind = Kind::human) {
  NewLabel l;
  l.item = item;
  l.annotator = by;
  l.value = "\"" + value + "\"";
  l.kind = kind;
  return l;
}

std::vector<Label> labels_of(LabelStore& store, int64_t project, bool history = false) {
  std::vector<Label> all;
  store.each_label(project, history, [&](const Label& l) { all.push_back(l); });
  return all;
}

void execute(const std::string& path, const char* sql) {
  sqlite3* db = nullptr;
  REQUIRE(sqlite3_open(path.c_str(), &db) == SQLITE_OK);
  CHECK(sqlite3_exec(db, sql, nullptr, nullptr, nullptr) == SQLITE_OK);
  sqlite3_close(db);
}

// `processes` of them write `each` labels, `batch` a call; every label has a value of its own.
void write_from_processes(const std::string& path, int processes, int each, int batch, int items) {
  std::vector<pid_t> children;
  for (int p = 0; p < processes; ++p) {
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      try {
        const auto store = open_label_store(path);
        const Project project = store->project("p");
        for (int n = 0; n < each; n += batch) {
          std::vector<NewLabel> labels;
          for (int b = n; b < std::min(n + batch, each); ++b) {
            labels.push_back(label_of(1 + (b * 7 + p) % items, "w" + std::to_string(p),
                                      std::to_string(p) + ":" + std::to_string(b)));
            labels.back().request = labels.back().value;
            labels.back().beside = true;
          }
          store->append(project.id, labels);
          if (n % (4 * batch) == 0) store->append(project.id, labels);  // sent twice: kept once
        }
        _exit(0);
      } catch (...) {}
      _exit(1);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK((WIFEXITED(status) && WEXITSTATUS(status) == 0));
  }
}

void check_processes(int processes, int each, int batch, int items) {
  const TempFolder folder;
  project_of(*open_label_store(folder / "l.db"), items);
  write_from_processes(folder / "l.db", processes, each, batch, items);
  const auto store = open_label_store(folder / "l.db");
  std::set<std::string> values;
  const std::vector<Label> all = labels_of(*store, 1);
  for (const Label& l : all) values.insert(l.value);
  CHECK(all.size() == size_t(processes * each));  // none doubled
  CHECK(values.size() == all.size());             // none lost
}

void check_kills(int rounds, uint64_t seed) {
  const TempFolder folder;
  project_of(*open_label_store(folder / "l.db"), 10);
  std::vector<int64_t> acknowledged;  // of every round
  for (int round = 0; round < rounds; ++round) {
    const auto wanted = int64_t(1 + philox(seed, uint64_t(round)).word[0] % 40);
    acknowledged.push_back(killed_after(wanted, [&](auto acknowledge) {
      const auto store = open_label_store(folder / "l.db");
      for (int64_t n = 1;; ++n) {
        NewLabel l = label_of(1 + n % 10, "w", std::to_string(round) + ":" + std::to_string(n));
        l.beside = true;
        store->append(1, {&l, 1});
        acknowledge(n);
      }
    }));
  }
  std::set<std::string> there;
  const auto store = open_label_store(folder / "l.db");
  for (const Label& l : labels_of(*store, 1)) CHECK(there.insert(l.value).second);
  for (size_t round = 0; round < acknowledged.size(); ++round)
    for (int64_t n = 1; n <= acknowledged[round]; ++n)
      CHECK(there.count("\"" + std::to_string(round) + ":" + std::to_string(n) + "\"") == 1);
}

}  // namespace

TEST_CASE("items and labels come back after closing, with their history", "[label]") {
  const TempFolder folder;
  {
    const auto store = open_label_store(folder / "l.db");
    const Project p = project_of(*store, 3);
    NewLabel l = label_of(1, "ann", "cat");
    l.time = 12;
    l.seconds = 1.5;
    l.source = "{\"a\":1}";
    CHECK(store->append(p.id, {&l, 1}).added == 1);
    NewLabel again = label_of(1, "ann", "dog");
    CHECK(store->append(p.id, {&again, 1}).replaced == 1);
  }
  const auto store = open_label_store(folder / "l.db");
  const Project p = store->project("");
  CHECK((p.name == "p" && p.type == Type::choice));
  const std::vector<Label> now = labels_of(*store, p.id), all = labels_of(*store, p.id, true);
  REQUIRE(now.size() == 1);
  CHECK(now[0].value == "\"dog\"");
  REQUIRE(all.size() == 2);
  CHECK((!all[0].current && all[0].time == 12 && all[0].seconds == 1.5 && all[0].source == "{\"a\":1}"));
  CHECK(store->find(p.id, "i2")->id == 3);
  CHECK(!store->find(p.id, "i3"));
  CHECK(store->schema_version() == kSchemaVersion);
}

TEST_CASE("a write that fails leaves nothing behind", "[label]") {
  const TempFolder folder;
  const auto store = open_label_store(folder / "l.db");
  const Project p = project_of(*store, 2);
  const std::vector<NewLabel> labels = {label_of(1, "a", "x"), label_of(77, "a", "x")};
  CHECK(message_of([&] { store->append(p.id, labels); }) == "there is no item 77 in this project");
  CHECK(labels_of(*store, p.id).empty());
  CHECK(status_of([&] {
          store->write([&] {
            store->append(p.id, std::span(labels).first(1));
            store->append(p.id, labels);
          });
        }) == Status::invalid_argument);
  CHECK(labels_of(*store, p.id).empty());
  CHECK(store->append(p.id, std::span(labels).first(1)).added == 1);  // and the store goes on
  NewLabel wrong_kind = label_of(1, "a", "x", Kind::model);
  CHECK(status_of([&] { store->append(p.id, {&wrong_kind, 1}); }) == Status::invalid_argument);
  CHECK(status_of([&] { store->create(p); }) == Status::invalid_argument);
}

TEST_CASE("projects are found by name, the only one without", "[label]") {
  const TempFolder folder;
  const auto store = open_label_store(folder / "l.db");
  CHECK(message_of([&] { store->project(""); }).find("no project yet") != std::string::npos);
  Project p;
  p.name = "animals";
  p.labels = {"cat", "dog \"x\""};
  p.wanted = 3;
  store->create(p);
  CHECK(store->project("").labels == p.labels);
  CHECK(message_of([&] { store->project("anmals"); }).find("did you mean 'animals'?") != std::string::npos);
  p.name = "plants";
  store->create(p);
  CHECK(message_of([&] { store->project(""); }).find("there are 2 projects") != std::string::npos);
}

TEST_CASE("an item is given to as many as are wanted, and to nobody twice", "[label]") {
  const TempFolder folder;
  const auto store = open_label_store(folder / "l.db");
  const Project p = project_of(*store, 6, 2);
  AssignOptions o;
  o.lease_ms = 1000;
  std::map<int64_t, std::set<std::string>> given;
  for (const char* who : {"a", "b", "c"})
    for (int n = 0; n < 6; ++n)
      if (const auto item = store->next(p.id, who, Kind::human, o, 50)) CHECK(given[item->id].insert(who).second);
  CHECK(given.size() == 6);
  for (const auto& [item, who] : given) CHECK(who.size() == 2);
  CHECK(!store->next(p.id, "c", Kind::human, o, 50));
  CHECK(store->stats(p.id, 50).leased == 12);
  // The leases are over: others may have them.
  CHECK(store->stats(p.id, 1050).leased == 0);
  const auto item = store->next(p.id, "d", Kind::human, o, 1050);
  REQUIRE(item);
  NewLabel l = label_of(item->id, "d", "x"), skip = label_of(item->id, "e", "");
  store->append(p.id, {&l, 1});
  CHECK(store->stats(p.id, 1050).leased == 0);  // its work is done
  l.annotator = "f";
  store->append(p.id, {&l, 1});
  for (int n = 0; n < 6; ++n)
    if (const auto other = store->next(p.id, "g", Kind::human, o, 1050)) CHECK(other->id != item->id);  // finished
}

TEST_CASE("a skipped item does not come again to the same annotator; a released one does", "[label]") {
  const TempFolder folder;
  const auto store = open_label_store(folder / "l.db");
  const Project p = project_of(*store, 1);
  const auto item = store->next(p.id, "a", Kind::human, {}, 1);
  REQUIRE(item);
  store->release(item->id, "a");
  REQUIRE(store->next(p.id, "a", Kind::human, {}, 1));
  NewLabel skip = label_of(item->id, "a", "");
  skip.value = "";
  skip.source = "{\"skipped\":\"unclear\"}";
  store->append(p.id, {&skip, 1});
  CHECK(!store->next(p.id, "a", Kind::human, {}, 1));
  CHECK(store->next(p.id, "b", Kind::human, {}, 1));
  CHECK(store->stats(p.id, 1).skipped == 1);
}

TEST_CASE("items are given out by uncertainty, margin, disagreement; gold ones every n-th time", "[label]") {
  const TempFolder folder;
  const auto store = open_label_store(folder / "l.db");
  const Project p = project_of(*store, 8, 10);
  const std::vector<Uncertainty> uncertain = {{3, 0.9, 0.5}, {4, 0.1, 0.01}, {5, 0.5, 0.3}};
  store->set_uncertainty(p.id, uncertain);
  const std::vector<NewLabel> split = {label_of(6, "x", "cat"), label_of(6, "y", "dog"), label_of(7, "x", "cat"),
                                       label_of(7, "y", "cat")};
  store->append(p.id, split);
  const auto first = [&](Order order, const char* who) {
    AssignOptions o;
    o.order = order;
    return store->next(p.id, who, Kind::human, o, 1)->id;
  };
  CHECK(first(Order::entropy, "a") == 3);
  CHECK(first(Order::entropy, "a") == 5);
  CHECK(first(Order::margin, "b") == 4);
  CHECK(first(Order::disagreement, "c") == 6);
  NewLabel gold = label_of(8, "judge", "cat", Kind::gold);
  store->append(p.id, {&gold, 1});
  CHECK(store->stats(p.id, 1).gold_items == 1);
  AssignOptions o;
  o.gold_every = 3;
  std::vector<int64_t> got;
  for (int n = 0; n < 6; ++n) {
    const auto item = store->next(p.id, "d", Kind::human, o, 1);
    REQUIRE(item);
    got.push_back(item->id);
  }
  CHECK(got[2] == 8);  // the third; there is no second gold item for the sixth
  CHECK(std::count(got.begin(), got.end(), 8) == 1);
}

TEST_CASE("the order of random assignment is not that of the file", "[label]") {
  const TempFolder folder;
  const auto store = open_label_store(folder / "l.db");
  const Project p = project_of(*store, 40);
  std::vector<int64_t> order;
  while (const auto item = store->next(p.id, "a", Kind::human, {}, 1)) order.push_back(item->id);
  CHECK(order.size() == 40);
  CHECK(!std::is_sorted(order.begin(), order.end()));
}

TEST_CASE("a request that is sent again is kept once", "[label]") {
  const TempFolder folder;
  const auto store = open_label_store(folder / "l.db");
  const Project p = project_of(*store, 1);
  NewLabel l = label_of(1, "a", "x");
  l.request = "r1";
  CHECK(store->append(p.id, {&l, 1}).added == 1);
  const Written again = store->append(p.id, {&l, 1});
  CHECK((again.added == 0 && again.repeated == 1));
  CHECK(labels_of(*store, p.id, true).size() == 1);
}

TEST_CASE("threads and processes write at once, and nothing is lost or doubled", "[label]") {
  check_processes(8, 50, 5, 50);
  const TempFolder folder;
  const auto store = open_label_store(folder / "l.db");
  const Project p = project_of(*store, 4);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int n = 0; n < 10; ++n) {
        NewLabel l = label_of(1 + n % 4, "t" + std::to_string(t), std::to_string(n));
        l.beside = true;
        store->append(p.id, {&l, 1});
      }
    });
  for (std::thread& t : threads) t.join();
  CHECK(labels_of(*store, p.id).size() == 40);
}

TEST_CASE("a process that is killed loses no acknowledged label", "[label]") { check_kills(6, 1); }

TEST_CASE("100,000 labels of 8 processes are all there, once", "[label][slow]") {
  check_processes(8, 12'500, 50, 20'000);
}

TEST_CASE("processes are killed at 200 moments, and every acknowledged label is there", "[label][slow]") {
  check_kills(200, 2);
}

TEST_CASE("a store of an older version is brought up to date, one of a newer version refused", "[label]") {
  const TempFolder folder;
  const std::string path = folder / "old.db";
  {
    sqlite::Database db(path, 0x50556C61, "label store", 1 << 20, 100);
    prepare_schema(db, 1);
    CHECK(db.number("PRAGMA user_version") == 1);
    db.run(
        "INSERT INTO projects VALUES (1, 'p', 'choice', '[]', 1); INSERT INTO items (project, key, data, answers) "
        "VALUES (1, 'a', '{}', 1), (1, 'b', '{}', 0); INSERT INTO annotators VALUES (1, 'w', 'human'); INSERT INTO "
        "labels (item, annotator, value, gold, time) VALUES (1, 1, '\"x\"', 0, 5)");
  }
  {
    const auto store = open_label_store(path);
    CHECK(store->schema_version() == kSchemaVersion);
    CHECK(labels_of(*store, 1).size() == 1);
    const auto item = store->next(1, "v", Kind::human, {}, 1);  // a has what it wants
    REQUIRE(item);
    CHECK(item->key == "b");
    CHECK(!store->next(1, "v", Kind::human, {}, 1));
  }
  execute(path, ("PRAGMA user_version = " + std::to_string(kSchemaVersion + 1)).c_str());
  CHECK(status_of([&] { open_label_store(path); }) == Status::unsupported);
}

TEST_CASE("what is no store of ours is refused before any of it is computed", "[label]") {
  const TempFolder folder;
  write_file(folder / "text", std::string(5000, 'x'));
  CHECK(status_of([&] { open_label_store(folder / "text"); }) == Status::bad_file);
  execute(folder / "other", "CREATE TABLE labels (a)");
  CHECK(status_of([&] { open_label_store(folder / "other"); }) == Status::bad_file);
  CHECK(status_of([&] { open_label_store(folder / "no/such/folder"); }) == Status::io);
  const char* const statements[] = {
      "CREATE TRIGGER t AFTER INSERT ON labels BEGIN DELETE FROM labels; END",
      "DROP INDEX open_random",
      "DROP TABLE leases; CREATE VIEW leases AS SELECT 1 AS item, 1 AS annotator, 1 AS until",
      "CREATE INDEX i ON items (instr(hex(zeroblob(2000000)), hex(zeroblob(999999)) || '1'))",
      "ALTER TABLE items ADD COLUMN more TEXT",
  };
  for (const char* sql : statements) {
    CAPTURE(sql);
    const std::string path = folder / "l" + std::to_string(folder.file_count());
    open_label_store(path);
    execute(path, sql);
    CHECK(status_of([&] { open_label_store(path); }) == Status::bad_file);
  }
}
