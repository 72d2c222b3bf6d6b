#include "optional/sqlite/label_schema.h"

#include "puna/base/error.h"
#include "puna/base/philox.h"

namespace puna::label {
namespace {

using sqlite::Database;
using sqlite::Statement;
using sqlite::Use;

// What takes a database from version n to n + 1. A step is never changed: databases that it made exist.
constexpr const char* kSteps[kSchemaVersion] = {
    // 1: what was labelled how, by whom
    "CREATE TABLE projects (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, type TEXT NOT NULL, labels TEXT NOT "
    "NULL, wanted INTEGER NOT NULL) STRICT;"
    "CREATE TABLE annotators (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, kind TEXT NOT NULL) STRICT;"
    "CREATE TABLE items (id INTEGER PRIMARY KEY, project INTEGER NOT NULL REFERENCES projects, key TEXT NOT NULL, data "
    "TEXT NOT NULL, truth TEXT, source TEXT, answers INTEGER NOT NULL DEFAULT 0, gold INTEGER NOT NULL DEFAULT 0, "
    "UNIQUE (project, key)) STRICT;"
    "CREATE TABLE labels (id INTEGER PRIMARY KEY, item INTEGER NOT NULL REFERENCES items, annotator INTEGER NOT NULL "
    "REFERENCES annotators, value TEXT, gold INTEGER NOT NULL, time INTEGER NOT NULL, seconds REAL, score REAL, source "
    "TEXT, current INTEGER NOT NULL DEFAULT 1) STRICT;"
    "CREATE TABLE requests (request TEXT PRIMARY KEY, label INTEGER NOT NULL REFERENCES labels) STRICT, WITHOUT ROWID;"
    "CREATE INDEX labels_by_item ON labels (item, annotator);",
    // 2: who is at work on what, and in which order items are given out
    "ALTER TABLE items ADD COLUMN open INTEGER NOT NULL DEFAULT 1;"
    "ALTER TABLE items ADD COLUMN shuffle INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE items ADD COLUMN entropy REAL NOT NULL DEFAULT 0;"
    "ALTER TABLE items ADD COLUMN margin REAL NOT NULL DEFAULT 1;"
    "ALTER TABLE items ADD COLUMN disagreement REAL NOT NULL DEFAULT 0;"
    "CREATE TABLE leases (item INTEGER NOT NULL REFERENCES items, annotator INTEGER NOT NULL REFERENCES annotators, "
    "until INTEGER NOT NULL, PRIMARY KEY (item, annotator)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX leases_by_end ON leases (until);"
    "CREATE INDEX labels_by_annotator ON labels (annotator);"
    "CREATE INDEX open_random ON items (project, shuffle) WHERE open = 1;"
    "CREATE INDEX open_entropy ON items (project, entropy DESC, shuffle) WHERE open = 1;"
    "CREATE INDEX open_margin ON items (project, margin, shuffle) WHERE open = 1;"
    "CREATE INDEX open_disagreement ON items (project, disagreement DESC, shuffle) WHERE open = 1;"
    "CREATE INDEX gold_items ON items (project, shuffle) WHERE gold = 1;"
    "UPDATE items SET open = (gold = 0 AND answers < (SELECT wanted FROM projects WHERE projects.id = project));",
};

void shuffle_items(const Database& db) {
  const Statement all = db.prepare("SELECT id FROM items"),
                  set = db.prepare("UPDATE items SET shuffle = ? WHERE id = ?");
  std::vector<int64_t> ids;
  {
    const Use use(db, all);
    while (use.step()) ids.push_back(use.integer(0));
  }
  for (const int64_t id : ids) Use(db, set).bind(shuffle_of(id)).bind(id).run();
}

void step_to(const Database& db, int version) {
  db.run(kSteps[version - 1]);
  if (version == 2) shuffle_items(db);
  db.run(("PRAGMA user_version = " + std::to_string(version)).c_str());
}

// The same steps in a database of their own.
std::vector<std::pair<std::string, std::string>> schema_of(int version) {
  sqlite3* memory = nullptr;
  const bool opened = sqlite3_open(":memory:", &memory) == SQLITE_OK;
  const std::unique_ptr<sqlite3, sqlite::Finalize> owned(memory);
  std::vector<std::pair<std::string, std::string>> all;
  sqlite3_stmt* s = nullptr;
  for (int v = 0; v < version && opened; ++v) sqlite3_exec(memory, kSteps[v], nullptr, nullptr, nullptr);
  if (!opened || sqlite3_prepare_v2(memory, "SELECT type || ' ' || name, sql FROM sqlite_schema ORDER BY 1", -1, &s,
                                    nullptr) != SQLITE_OK)
    fail(Status::out_of_memory, "the schema of version %d could not be made", version);
  const Statement statement(s);
  const auto text = [&](int column) {
    const auto* const at = reinterpret_cast<const char*>(sqlite3_column_text(s, column));
    return std::string(at ? at : "");
  };
  while (sqlite3_step(s) == SQLITE_ROW) all.emplace_back(text(0), text(1));
  return all;
}

void require_ours(const Database& db, int64_t version) {
  if (version < 1 || version > kSchemaVersion)
    fail(version > kSchemaVersion ? Status::unsupported : Status::bad_file,
         "%s is of version %jd, and this program reads versions 1 to %d", db.path().c_str(), version, kSchemaVersion);
  const auto there = db.schema(), ours = schema_of(int(version));
  for (size_t i = 0; i < std::max(there.size(), ours.size()); ++i)
    if (i >= there.size() || i >= ours.size() || there[i] != ours[i])
      fail(Status::bad_file, "%s: its schema has '%.100s' where a label store of ours has '%.100s'", db.path().c_str(),
           i < there.size() ? there[i].first.c_str() : "nothing", i < ours.size() ? ours[i].first.c_str() : "nothing");
}

}  // namespace

void prepare_schema(Database& db, int version) {
  if (!db.is_new()) require_ours(db, db.number("PRAGMA user_version"));
  if (!db.is_new() && db.number("PRAGMA user_version") >= version) return;
  db.transaction([&] {
    if (db.number("PRAGMA application_id") == 0) db.mark_ours();
    for (auto v = int(db.number("PRAGMA user_version")); v < version; ++v) step_to(db, v + 1);
    require_ours(db, version);
  });
}

int64_t shuffle_of(int64_t item) { return philox(0, uint64_t(item)).word[0]; }

}  // namespace puna::label
