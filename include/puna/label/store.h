// store.h -- labels on the disk: projects, their items, who labelled them how, and who is at work on what. Labels are
// never overwritten: a new one takes the place of the annotator's last, which stays as history.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "puna/base/function_ref.h"
#include "puna/base/watch.h"

namespace puna::label {

// What a label is. Its value is JSON: "cat"; ["cat", "dog"]; "left", "right" or "tie"; 4; "free text";
// [{"start": 0, "end": 3, "label": "name"}], offsets in UTF-16 units.
enum class Type { choice, multi_choice, pairwise, rating, text, spans };
inline constexpr const char* kTypeNames[] = {"choice", "multi_choice", "pairwise", "rating", "text", "spans"};
Type type_of(std::string_view name);  // Error{invalid_argument} naming the nearest

enum class Kind { human, model, gold };
inline constexpr const char* kKindNames[] = {"human", "model", "gold"};
Kind kind_of(std::string_view name);  // likewise

struct Project {
  int64_t id = 0;
  std::string name;
  Type type = Type::choice;
  std::vector<std::string> labels;  // that may be given, in order; empty: any
  int64_t wanted = 1;               // labels an item, by people
};

struct Item {
  int64_t id = 0;
  std::string key;     // its name in the project
  std::string data;    // a JSON object: what people look at
  std::string truth;   // a value, "" = none: accuracies are measured against it, inference never sees it
  std::string source;  // JSON that an import keeps for an export: what we have no place for
};

struct Label {
  int64_t id = 0, item = 0;
  std::string annotator;
  Kind kind = Kind::human;               // of an annotator that is new; of one that is known it must be the same
  std::string value;                     // "" = none: withdrawn, skipped, or only `source`
  bool gold = false;                     // certain; always, of an annotator of kind gold
  int64_t time = 0;                      // milliseconds since 1970
  std::optional<double> seconds, score;  // that it took; a model's confidence
  std::string source;                    // as of items
  bool current = true;                   // no later one took its place
};

struct NewLabel : Label {
  std::string request;  // of its sender's, "" = none: two labels of one request are one
  bool beside = false;  // false: it takes the place of the annotator's last on this item
};

struct Written {
  int64_t added = 0, repeated = 0;  // repeated: requests that were there already
  int64_t replaced = 0;
};

enum class Order { random, entropy, margin, disagreement };
inline constexpr const char* kOrderNames[] = {"random", "entropy", "margin", "disagreement"};
Order order_of(std::string_view name);

struct AssignOptions {
  Order order = Order::random;
  int64_t gold_every = 0;      // every n-th item of an annotator is one whose label is certain; 0 = none
  int64_t lease_ms = 600'000;  // how long nobody else gets the item in its place
};

struct Uncertainty {
  int64_t item;
  double entropy, margin;  // of a model's or an inference's probabilities
};

struct StoreStats {
  int64_t items = 0, gold_items = 0, finished = 0, with_truth = 0;
  int64_t labels = 0, history = 0, skipped = 0, leased = 0;
  struct OfAnnotator {
    std::string name;
    Kind kind;
    int64_t labels;
    double seconds;  // together, where known
  };
  std::vector<OfAnnotator> annotators;  // by labels, most first
};

// Safe to call from several threads, and from several processes on one file: writers wait for each other.
class LabelStore {
 public:
  virtual ~LabelStore() = default;
  // Everything that `work` writes is one transaction: all of it is on the disk when this returns, or none.
  virtual void write(FunctionRef<void()> work) = 0;

  virtual Project create(const Project& project) = 0;  // Error{invalid_argument} when the name is taken
  virtual std::vector<Project> projects() = 0;
  // "" = the only one. Error{invalid_argument} when there is none, naming the nearest.
  Project project(std::string_view name);
  virtual void update(const Project& project) = 0;  // name, labels and wanted of the one with this id

  // Items by their keys: new ones are added; of known ones data, truth and source are replaced where they are given.
  // Sets every id.
  virtual void put_items(int64_t project, std::span<Item> items) = 0;
  // Labels of items of one project. When it returns they are on the disk and stay there after a crash. All or none:
  // Error{invalid_argument} for an item that is not there.
  virtual Written append(int64_t project, std::span<const NewLabel> labels) = 0;

  virtual std::optional<Item> find(int64_t project, std::string_view key) = 0;
  virtual Item item(int64_t id) = 0;  // Error{invalid_argument} when there is none
  // By id. Do not write inside.
  virtual void each_item(int64_t project, FunctionRef<void(const Item&)> visit) = 0;
  // By item, then in the order they came; history: those that were replaced too.
  virtual void each_label(int64_t project, bool history, FunctionRef<void(const Label&)> visit) = 0;

  // The next item for an annotator: one that it has not seen, that still wants labels, and on which fewer are at work
  // than it wants. Nobody else gets it in its place until the lease is over. `now`: milliseconds since 1970.
  virtual std::optional<Item> next(int64_t project, const std::string& annotator, Kind kind,
                                   const AssignOptions& options, int64_t now) = 0;
  virtual void release(int64_t item, const std::string& annotator) = 0;
  // The item is the annotator's until then, whoever else works on it: one that it takes back to answer again.
  virtual void hold(int64_t item, const std::string& annotator, int64_t until) = 0;
  // What the annotator holds, what was taken up last first; all of it is held until `until` from now on.
  virtual std::vector<Item> held(int64_t project, const std::string& annotator, int64_t now, int64_t until) = 0;
  // The annotator's last label or skip that counts: what an undo takes back. A label that was taken back (one without a
  // value and a source) takes its place; then `next` may give it the item again.
  virtual std::optional<Label> last(int64_t project, const std::string& annotator) = 0;
  virtual void set_uncertainty(int64_t project, std::span<const Uncertainty> items) = 0;
  // Whether any item is uncertain by what was set. Where none is, the orders by entropy and margin are random.
  virtual bool has_uncertainty(int64_t project) = 0;

  virtual StoreStats stats(int64_t project, int64_t now) = 0;
  virtual int64_t schema_version() = 0;
};

// An SQLite database (created where there is none), journal mode WAL, every commit flushed to the disk. A database of
// an older version is brought up to date in one transaction; one of a newer version is Error{unsupported}. Linked into
// programs that ask for the CMake target puna_sqlite, never into libpuna. Error{io}, {bad_file} when it is something
// else.
std::unique_ptr<LabelStore> open_label_store(const std::string& path);

}  // namespace puna::label
