// label_store.cpp -- the label store as an SQLite database. Writers of this process wait at the mutex, those of others
// at SQLite's lock; each gets its turn within a commit or two.
#include <algorithm>
#include <map>
#include <mutex>

#include "base/det_math.h"
#include "base/json.h"
#include "base/json_out.h"
#include "base/nearest.h"
#include "base/shown.h"
#include "optional/sqlite/label_schema.h"
#include "puna/base/error.h"
#include "puna/label/store.h"

namespace puna::label {
namespace {

using sqlite::Statement;
using sqlite::Use;

constexpr int kApplication = 0x50556C61;  // "PUla"
constexpr int64_t kLongestValue = 64 << 20;
constexpr int kWaitMs = 60'000;

constexpr const char* kLabelColumns =
    "SELECT l.id, l.item, a.name, a.kind, l.value, l.gold, l.time, l.seconds, l.score, l.source, l.current FROM items "
    "i "
    "JOIN labels l ON l.item = i.id JOIN annotators a ON a.id = l.annotator ";

// Of annotator ?2: a label or a skip, which was not taken back.
constexpr const char* kNotSeen =
    "NOT EXISTS (SELECT 1 FROM labels l WHERE l.item = i.id AND l.annotator = ?2 AND l.current = 1 AND (l.value IS NOT "
    "NULL OR l.source IS NOT NULL)) AND NOT EXISTS (SELECT 1 FROM leases s WHERE s.item = i.id AND s.annotator = ?2) ";

// By enum Order.
constexpr const char* kOrders[] = {"i.shuffle", "i.entropy DESC, i.shuffle", "i.margin, i.shuffle",
                                   "i.disagreement DESC, i.shuffle"};

std::string list_of(const std::vector<std::string>& texts) {
  JsonList list;
  for (const std::string& t : texts) list.add(quoted(t));
  return list.str();
}

class SqliteStore final : public LabelStore {
 public:
  explicit SqliteStore(const std::string& path) : db_(path, kApplication, "label store", kLongestValue, kWaitMs) {
    prepare_schema(db_);
    db_.run("PRAGMA foreign_keys = ON");
    put_item_ = db_.prepare(
        "INSERT INTO items (project, key, data, truth, source) VALUES (?, ?, ?, ?, ?) ON CONFLICT (project, key) DO "
        "UPDATE SET data = CASE excluded.data WHEN '{}' THEN data ELSE excluded.data END, truth = "
        "coalesce(excluded.truth, truth), source = coalesce(excluded.source, source) RETURNING id");
    set_shuffle_ = db_.prepare("UPDATE items SET shuffle = ? WHERE id = ? AND shuffle = 0");
    item_of_ = db_.prepare("SELECT project FROM items WHERE id = ?");
    annotator_ = db_.prepare("SELECT id, kind FROM annotators WHERE name = ?");
    add_annotator_ = db_.prepare("INSERT INTO annotators (name, kind) VALUES (?, ?)");
    requested_ = db_.prepare("SELECT label FROM requests WHERE request = ?");
    add_request_ = db_.prepare("INSERT INTO requests VALUES (?, ?)");
    replace_ = db_.prepare("UPDATE labels SET current = 0 WHERE item = ? AND annotator = ? AND current = 1");
    add_label_ = db_.prepare(
        "INSERT INTO labels (item, annotator, value, gold, time, seconds, score, source) VALUES (?, ?, ?, ?, ?, ?, ?, "
        "?)");
    end_lease_ = db_.prepare("DELETE FROM leases WHERE item = ? AND annotator = ?");
    values_ = db_.prepare(
        "SELECT l.value, l.gold, a.kind FROM labels l JOIN annotators a ON a.id = l.annotator WHERE l.item = ? AND "
        "l.current = 1 AND l.value IS NOT NULL");
    set_counts_ = db_.prepare(
        "UPDATE items SET answers = ?1, gold = ?2, disagreement = ?3, open = (?2 = 0 AND ?1 < (SELECT wanted FROM "
        "projects p WHERE p.id = project)) WHERE id = ?4");
    find_ = db_.prepare("SELECT id, key, data, truth, source FROM items WHERE project = ? AND key = ?");
    given_to_ = db_.prepare(  // labels, skips and leases of an annotator
        "SELECT (SELECT count(*) FROM labels l JOIN items i ON i.id = l.item WHERE l.annotator = ? AND i.project = ?) "
        "+ (SELECT count(*) FROM leases s JOIN items i ON i.id = s.item WHERE s.annotator = ? AND i.project = ?)");
  }

  void write(FunctionRef<void()> work) override {
    const Lock lock(mutex_);
    if (writing_) return work();
    struct Writing {
      bool& now;
      ~Writing() { now = false; }
    } const writing{writing_ = true};
    db_.transaction(work);
  }

  Project create(const Project& project) override {
    PUNA_REQUIRE(!project.name.empty(), "a project needs a name");
    Project made = project;
    made.id = 0;
    write([&] {
      require_free(made);
      const Statement insert = db_.prepare("INSERT INTO projects (name, type, labels, wanted) VALUES (?, ?, ?, ?)");
      const std::string labels = list_of(project.labels);
      Use(db_, insert).bind(project.name).bind(kTypeNames[int(project.type)]).bind(labels).bind(project.wanted).run();
      made.id = sqlite3_last_insert_rowid(db_.handle());
    });
    return made;
  }

  std::vector<Project> projects() override {
    const Lock lock(mutex_);
    std::vector<Project> all;
    const Statement s = db_.prepare("SELECT id, name, type, labels, wanted FROM projects ORDER BY id");
    const Use use(db_, s);
    while (use.step()) {
      Project p;
      p.id = use.integer(0);
      p.name = use.text(1);
      p.type = type_of(use.text(2));
      p.wanted = use.integer(4);
      Json labels = parse_json(use.text(3), "labels of a project");
      const JsonGuard guard(labels);
      if (!labels.is_array()) fail(Status::bad_file, "%s: the labels of a project are no list", db_.path().c_str());
      for (const Json& l : labels) {
        if (!l.is_string()) fail(Status::bad_file, "%s: a label of a project is no text", db_.path().c_str());
        p.labels.push_back(l.get<std::string>());
      }
      all.push_back(std::move(p));
    }
    return all;
  }

  void update(const Project& project) override {
    write([&] {
      require_free(project);
      const Statement set = db_.prepare("UPDATE projects SET name = ?, labels = ?, wanted = ? WHERE id = ?");
      const std::string labels = list_of(project.labels);
      Use(db_, set).bind(project.name).bind(labels).bind(project.wanted).bind(project.id).run();
      const Statement open = db_.prepare("UPDATE items SET open = (gold = 0 AND answers < ?) WHERE project = ?");
      Use(db_, open).bind(project.wanted).bind(project.id).run();
    });
  }

  void put_items(int64_t project, std::span<Item> items) override {
    write([&] {
      for (Item& item : items) {
        PUNA_REQUIRE(!item.key.empty(), "an item needs a name");
        {
          Use use(db_, put_item_);
          use.bind(project).bind(item.key).bind(item.data.empty() ? "{}" : std::string_view(item.data));
          use.bind_or_null(item.truth).bind_or_null(item.source);
          if (!use.step()) fail(Status::bad_file, "%s: an item could not be added", db_.path().c_str());
          item.id = use.integer(0);
        }
        Use(db_, set_shuffle_).bind(shuffle_of(item.id)).bind(item.id).run();
      }
    });
  }

  Written append(int64_t project, std::span<const NewLabel> labels) override {
    Written written;
    if (labels.empty()) return written;
    write([&] {
      written = Written();
      std::map<int64_t, bool> touched;
      for (const NewLabel& label : labels) {
        if (!label.request.empty() && has_request(label.request)) {
          ++written.repeated;
          continue;
        }
        if (touched.emplace(label.item, true).second) require_item(project, label.item);
        add(label, written);
      }
      for (const auto& [item, is] : touched) count(item);
    });
    return written;
  }

  std::optional<Item> find(int64_t project, std::string_view key) override {
    const Lock lock(mutex_);
    Use use(db_, find_);
    use.bind(project).bind(key);
    if (!use.step()) return std::nullopt;
    return item_in(use);
  }

  Item item(int64_t id) override {
    const Lock lock(mutex_);
    const Statement s = db_.prepare("SELECT id, key, data, truth, source FROM items WHERE id = ?");
    Use use(db_, s);
    use.bind(id);
    if (!use.step()) fail(Status::invalid_argument, "there is no item %jd", id);
    return item_in(use);
  }

  void each_item(int64_t project, FunctionRef<void(const Item&)> visit) override {
    const Lock lock(mutex_);
    const Statement s = db_.prepare("SELECT id, key, data, truth, source FROM items WHERE project = ? ORDER BY id");
    Use use(db_, s);
    use.bind(project);
    while (use.step()) visit(item_in(use));
  }

  void each_label(int64_t project, bool history, FunctionRef<void(const Label&)> visit) override {
    const Lock lock(mutex_);
    const Statement s = db_.prepare(
        (kLabelColumns + std::string("WHERE i.project = ? AND (l.current = 1 OR ?) ORDER BY i.id, l.id")).c_str());
    Use use(db_, s);
    use.bind(project).bind(int64_t(history));
    while (use.step()) visit(label_in(use));
  }

  std::optional<Item> next(int64_t project, const std::string& annotator, Kind kind, const AssignOptions& options,
                           int64_t now) override {
    PUNA_REQUIRE(options.lease_ms > 0, "a lease of %jd ms, expected more than 0", options.lease_ms);
    std::optional<Item> found;
    write([&] {
      Use(db_, db_.prepare("DELETE FROM leases WHERE until <= ?")).bind(now).run();
      const int64_t who = annotator_id(annotator, kind);
      if (options.gold_every > 0 && wants_gold(project, who, options.gold_every)) found = gold_item(project, who);
      if (!found) found = open_item(project, who, options.order);
      if (!found) return;
      Use(db_, db_.prepare("INSERT INTO leases VALUES (?, ?, ?)"))
          .bind(found->id)
          .bind(who)
          .bind(now + options.lease_ms)
          .run();
    });
    return found;
  }

  void release(int64_t item, const std::string& annotator) override {
    write([&] {
      Use(db_,
          db_.prepare("DELETE FROM leases WHERE item = ? AND annotator = (SELECT id FROM annotators WHERE name = ?)"))
          .bind(item)
          .bind(annotator)
          .run();
    });
  }

  void hold(int64_t item, const std::string& annotator, int64_t until) override {
    write([&] {
      Use(db_, db_.prepare("INSERT OR REPLACE INTO leases SELECT ?, id, ? FROM annotators WHERE name = ?"))
          .bind(item)
          .bind(until)
          .bind(annotator)
          .run();
    });
  }

  std::vector<Item> held(int64_t project, const std::string& annotator, int64_t now, int64_t until) override {
    std::vector<Item> all;
    write([&] {
      all.clear();
      {
        const Statement s = db_.prepare(
            "SELECT i.id, i.key, i.data, i.truth, i.source FROM leases s JOIN items i ON i.id = s.item JOIN annotators "
            "a ON a.id = s.annotator WHERE i.project = ? AND a.name = ? AND s.until > ? ORDER BY s.until DESC, "
            "i.shuffle");
        Use use(db_, s);
        use.bind(project).bind(annotator).bind(now);
        while (use.step()) all.push_back(item_in(use));
      }
      const Statement renew = db_.prepare(
          "UPDATE leases SET until = ? WHERE item = ? AND annotator = (SELECT id FROM annotators WHERE name = ?)");
      for (const Item& item : all) Use(db_, renew).bind(until).bind(item.id).bind(annotator).run();
    });
    return all;
  }

  std::optional<Label> last(int64_t project, const std::string& annotator) override {
    const Lock lock(mutex_);
    const Statement s = db_.prepare(
        (kLabelColumns + std::string("WHERE i.project = ? AND l.annotator = (SELECT id FROM annotators WHERE name = ?) "
                                     "AND l.current = 1 AND (l.value IS NOT NULL OR l.source IS NOT NULL) ORDER BY "
                                     "l.id DESC LIMIT 1"))
            .c_str());
    Use use(db_, s);
    use.bind(project).bind(annotator);
    if (!use.step()) return std::nullopt;
    return label_in(use);
  }

  void set_uncertainty(int64_t project, std::span<const Uncertainty> items) override {
    write([&] {
      const Statement set = db_.prepare("UPDATE items SET entropy = ?, margin = ? WHERE id = ? AND project = ?");
      for (const Uncertainty& u : items)
        Use(db_, set).bind(std::optional(u.entropy)).bind(std::optional(u.margin)).bind(u.item).bind(project).run();
    });
  }

  bool has_uncertainty(int64_t project) override {
    const Lock lock(mutex_);
    const Statement any = db_.prepare("SELECT 1 FROM items WHERE project = ? AND (entropy > 0 OR margin < 1) LIMIT 1");
    Use use(db_, any);
    use.bind(project);
    return use.step();
  }

  StoreStats stats(int64_t project, int64_t now) override {
    const Lock lock(mutex_);
    StoreStats s;
    {
      const Statement all = db_.prepare(
          "SELECT count(*), coalesce(sum(gold), 0), coalesce(sum(open = 0 AND gold = 0), 0), count(truth) FROM items "
          "WHERE project = ?");
      Use use(db_, all);
      use.bind(project);
      if (use.step()) {
        s.items = use.integer(0);
        s.gold_items = use.integer(1);
        s.finished = use.integer(2);
        s.with_truth = use.integer(3);
      }
    }
    {
      const Statement leased = db_.prepare(
          "SELECT count(*) FROM leases l JOIN items i ON i.id = l.item WHERE i.project = ? AND l.until > ?");
      Use use(db_, leased);
      use.bind(project).bind(now);
      if (use.step()) s.leased = use.integer(0);
    }
    const Statement by = db_.prepare(
        "SELECT a.name, a.kind, sum(l.current = 1 AND l.value IS NOT NULL), sum(l.current = 0), sum(l.current = 1 AND "
        "l.value IS NULL AND l.source IS NOT NULL), total(l.seconds) FROM items i JOIN labels l ON l.item = i.id JOIN "
        "annotators a ON a.id = "
        "l.annotator WHERE i.project = ? GROUP BY a.id ORDER BY 3 DESC, 1");
    Use use(db_, by);
    use.bind(project);
    while (use.step()) {
      s.annotators.push_back({std::string(use.text(0)), kind_of(use.text(1)), use.integer(2), use.real(5)});
      s.labels += use.integer(2);
      s.history += use.integer(3);
      s.skipped += use.integer(4);
    }
    return s;
  }

  int64_t schema_version() override {
    const Lock lock(mutex_);
    return db_.number("PRAGMA user_version");
  }

 private:
  using Lock = std::lock_guard<std::recursive_mutex>;  // write() calls what locks as well

  Item item_in(const Use& use) const {
    Item item;
    item.id = use.integer(0);
    item.key = use.text(1);
    item.data = use.text(2);
    item.truth = use.text(3);
    item.source = use.text(4);
    return item;
  }

  Label label_in(const Use& use) const {
    Label l;
    l.id = use.integer(0);
    l.item = use.integer(1);
    l.annotator = use.text(2);
    l.kind = kind_of(use.text(3));
    l.value = use.text(4);
    l.gold = use.integer(5) != 0;
    l.time = use.integer(6);
    if (!use.is_null(7)) l.seconds = use.real(7);
    if (!use.is_null(8)) l.score = use.real(8);
    l.source = use.text(9);
    l.current = use.integer(10) != 0;
    return l;
  }

  void require_free(const Project& project) {
    PUNA_REQUIRE(project.wanted >= 1, "%jd labels an item are wanted, expected at least 1", project.wanted);
    std::vector<std::string> sorted = project.labels;
    std::sort(sorted.begin(), sorted.end());
    const auto twice = std::adjacent_find(sorted.begin(), sorted.end());
    if (twice != sorted.end())
      fail(Status::invalid_argument, "the label '%s' stands twice among the labels of project '%s'",
           shown(*twice).c_str(), shown(project.name).c_str());
    for (const Project& p : projects())
      if (p.name == project.name && p.id != project.id)
        fail(Status::invalid_argument, "there is a project '%s' already", shown(p.name).c_str());
  }

  void require_item(int64_t project, int64_t item) {
    Use use(db_, item_of_);
    use.bind(item);
    if (!use.step() || use.integer(0) != project)
      fail(Status::invalid_argument, "there is no item %jd in this project", item);
  }

  bool has_request(const std::string& request) {
    Use use(db_, requested_);
    return use.bind(request).step();
  }

  int64_t annotator_id(const std::string& name, Kind kind) {
    PUNA_REQUIRE(!name.empty(), "an annotator needs a name");
    {
      Use use(db_, annotator_);
      if (use.bind(name).step()) {
        if (use.text(1) != kKindNames[int(kind)])
          fail(Status::invalid_argument, "annotator '%s' is of the kind %s, not %s", shown(name).c_str(),
               std::string(use.text(1)).c_str(), kKindNames[int(kind)]);
        return use.integer(0);
      }
    }
    Use(db_, add_annotator_).bind(name).bind(kKindNames[int(kind)]).run();
    return sqlite3_last_insert_rowid(db_.handle());
  }

  void add(const NewLabel& label, Written& written) {
    const int64_t who = annotator_id(label.annotator, label.kind);
    if (!label.beside) {
      Use(db_, replace_).bind(label.item).bind(who).run();
      written.replaced += sqlite3_changes(db_.handle());
    }
    Use(db_, add_label_)
        .bind(label.item)
        .bind(who)
        .bind_or_null(label.value)
        .bind(int64_t(label.gold || label.kind == Kind::gold))
        .bind(label.time)
        .bind(label.seconds)
        .bind(label.score)
        .bind_or_null(label.source)
        .run();
    ++written.added;
    const int64_t id = sqlite3_last_insert_rowid(db_.handle());
    if (!label.request.empty()) Use(db_, add_request_).bind(label.request).bind(id).run();
    Use(db_, end_lease_).bind(label.item).bind(who).run();
  }

  // What an item's current labels say of it: how many people answered, whether it is gold, the entropy of the answers.
  void count(int64_t item) {
    std::map<std::string, double, std::less<>> votes;
    double answers = 0;
    bool gold = false;
    {
      Use use(db_, values_);
      use.bind(item);
      while (use.step()) {
        gold |= use.integer(1) != 0;
        if (use.integer(1) != 0 || use.text(2) == kKindNames[int(Kind::model)]) continue;
        answers += 1;
        const auto found = votes.find(use.text(0));
        if (found != votes.end())
          found->second += 1;
        else
          votes.emplace(use.text(0), 1);
      }
    }
    double entropy = 0;
    for (const auto& [value, n] : votes) entropy -= n / answers * det::log(n / answers);
    Use(db_, set_counts_).bind(int64_t(answers)).bind(int64_t(gold)).bind(std::optional(entropy)).bind(item).run();
  }

  bool wants_gold(int64_t project, int64_t who, int64_t every) {
    Use use(db_, given_to_);
    use.bind(who).bind(project).bind(who).bind(project);
    return use.step() && use.integer(0) % every == every - 1;
  }

  std::optional<Item> one_of(const Statement& s, int64_t project, int64_t who) {
    Use use(db_, s);
    use.bind(project).bind(who);
    if (!use.step()) return std::nullopt;
    return item_in(use);
  }

  std::optional<Item> gold_item(int64_t project, int64_t who) {
    const std::string sql =
        std::string("SELECT i.id, i.key, i.data, i.truth, i.source FROM items i WHERE i.project = ") +
        "?1 AND i.gold = 1 AND " + kNotSeen + "ORDER BY i.shuffle LIMIT 1";
    return one_of(db_.prepare(sql.c_str()), project, who);
  }

  std::optional<Item> open_item(int64_t project, int64_t who, Order order) {
    const std::string sql =
        std::string("SELECT i.id, i.key, i.data, i.truth, i.source FROM items i WHERE i.project = ?1 AND i.open = 1 ") +
        "AND " + kNotSeen +
        "AND i.answers + (SELECT count(*) FROM leases s WHERE s.item = i.id) < (SELECT wanted FROM projects p WHERE "
        "p.id = ?1) ORDER BY " +
        kOrders[int(order)] + " LIMIT 1";
    return one_of(db_.prepare(sql.c_str()), project, who);
  }

  std::recursive_mutex mutex_;
  bool writing_ = false;
  sqlite::Database db_;
  Statement put_item_, set_shuffle_, item_of_, annotator_, add_annotator_, requested_, add_request_, replace_,
      add_label_, end_lease_, values_, set_counts_, find_, given_to_;
};

}  // namespace

std::unique_ptr<LabelStore> open_label_store(const std::string& path) { return std::make_unique<SqliteStore>(path); }

}  // namespace puna::label
