// puna label: people's labels in one file, how good they are, and data made of them.
#include "label.h"

#include <chrono>
#include <cstdio>
#include <optional>

#include "base/json.h"
#include "base/os.h"
#include "common.h"
#include "label/values.h"
#include "puna/base/error.h"
#include "verbs.h"

namespace puna::cli {

namespace {

constexpr const char* kUsualStore = "labels.db";

}  // namespace

void LabelFlags::add_db(const Verb& verb, const char* help) { verb.option("--db", db, help).usual(kUsualStore); }
void LabelFlags::add(const Verb& verb) {
  add_db(verb, "the labels' file");
  verb.option("--project", project, "of its projects (default: the only one)");
}
void LabelFlags::add(const Verb& verb, const char* help, const Option& instead) {
  const auto is_read = [instead] { return !instead.given(); };
  verb.option("--db", db, help).usual(kUsualStore).read_when(is_read, "where no file of texts is given");
  verb.option("--project", project, "of its projects (default: the only one)")
      .read_when(is_read, "where no file of texts is given");
}

std::string LabelFlags::file() const { return db.empty() ? kUsualStore : db; }
std::string LabelFlags::path() const {
  if (db.empty()) fprintf(stderr, "puna: no --db: %s of this folder\n", kUsualStore);
  return file();
}

std::unique_ptr<label::LabelStore> LabelFlags::open(bool make) const {
  const std::string file = path();
  if (!make && !os::is_file(file))
    fail(Status::invalid_argument, "--db %s is not there: puna label create or import makes it", file.c_str());
  return label::open_label_store(file);
}

int64_t milliseconds_now() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

void say_notes(const std::vector<std::string>& notes) {
  for (const std::string& n : notes) fprintf(stderr, "puna: note: %s\n", n.c_str());
}

std::vector<std::string> split_names(const std::vector<std::string>& words) {
  std::vector<std::string> names;
  for (const std::string& word : words)
    for (size_t at = 0; at <= word.size();) {
      const size_t comma = std::min(word.find(',', at), word.size());
      if (comma > at) names.push_back(word.substr(at, comma - at));
      at = comma + 1;
    }
  return names;
}

void say_if_random(label::LabelStore& store, const label::Project& project, label::Order order) {
  if ((order != label::Order::entropy && order != label::Order::margin) || store.has_uncertainty(project.id)) return;
  fprintf(stderr,
          "puna: note: --order %s is random in project '%s' as yet: of none of its items is known how uncertain it is; "
          "puna label infer --save keeps that\n",
          label::kOrderNames[int(order)], printable(project.name).c_str());
}

namespace {

using namespace label;

// ---- next ----

struct NextFlags {
  LabelFlags at;
  std::string by, kind = "human", order = "random";
  int64_t gold_every = 0, lease = 600;
};

void run_next(const NextFlags& f) {
  const auto store = f.at.open();
  const Project project = store->project(f.at.project);
  AssignOptions options;
  options.order = order_of(f.order);
  say_if_random(*store, project, options.order);
  options.gold_every = f.gold_every;
  options.lease_ms = f.lease * 1000;
  const std::optional<Item> item = store->next(project.id, f.by, kind_of(f.kind), options, milliseconds_now());
  if (!item) {
    fprintf(stderr, "puna: nothing is left for '%s'\n", printable(f.by).c_str());
    return;
  }
  print("{\"item\":" + puna::quoted(item->key) + ",\"data\":" + item->data + "}\n");
}

void add_label_next(const Verb& label_group) {
  const auto f = std::make_shared<NextFlags>();
  const Verb verb(label_group, "next", "The next item for an annotator, which nobody else gets meanwhile");
  f->at.add(verb);
  verb.option("--by", f->by, "the annotator").required();
  verb.option("--kind", f->kind, "human (default), model or gold");
  verb.option("--order", f->order, "random (default), entropy, margin (both after infer --save) or disagreement");
  verb.option("--gold-every", f->gold_every, "every n-th item is one whose label is certain (default 0: none)")
      .within(0, 1e6);
  verb.option("--lease", f->lease, "seconds until another may get it (default 600)").within(1, 1e7);
  verb.run([f] { run_next(*f); });
}

// ---- add ----

struct AddFlags {
  LabelFlags at;
  std::string item, value, by, kind = "human", skip, request;
  float seconds = -1;
};

void run_add(const AddFlags& f, bool has_value) {
  if (has_value != f.skip.empty()) usage_error_missing("VALUE or --skip, and not both");
  const auto store = f.at.open();
  const Project project = store->project(f.at.project);
  const std::optional<Item> item = store->find(project.id, f.item);
  if (!item)
    fail(Status::invalid_argument, "there is no item '%s' in project '%s'", printable(f.item).c_str(),
         printable(project.name).c_str());
  NewLabel l;
  l.item = item->id;
  l.annotator = f.by;
  l.kind = kind_of(f.kind);
  l.time = milliseconds_now();
  l.request = f.request;
  if (f.seconds >= 0) l.seconds = double(f.seconds);
  if (!f.skip.empty()) l.source = skipped_source(f.skip);
  if (has_value)
    if (const std::string wrong = check_word(project, f.value, l.value); !wrong.empty())
      fail(Status::invalid_argument, "the value %s", wrong.c_str());
  const Written written = store->append(project.id, {&l, 1});
  fprintf(stderr, "puna: %s%s\n", written.repeated > 0 ? "that request is there already" : "kept",
          written.replaced > 0 ? " in place of an earlier label, which is history" : "");
}

void add_label_add(const Verb& label_group) {
  const auto f = std::make_shared<AddFlags>();
  const Verb verb(label_group, "add", "Label an item; the annotator's earlier label becomes history");
  f->at.add(verb);
  verb.option("ITEM", f->item, "its name").required();
  const Option value = verb.option("VALUE", f->value, "cat; cat|dog; left, right, tie; 4; a text; spans in JSON");
  verb.option("--by", f->by, "the annotator").required();
  verb.option("--kind", f->kind, "human (default), model or gold: gold labels are certain");
  verb.option("--skip", f->skip, "a reason instead of a value: the annotator does not get the item again");
  verb.option("--seconds", f->seconds, "that it took").within(0, 1e7);
  verb.option("--request", f->request, "a name of this request: two of one name are one label");
  verb.run([f, value] { run_add(*f, value.given()); });
}

// ---- stats ----

struct StatsFlags {
  LabelFlags at;
  bool json = false;
};

void run_stats(const StatsFlags& f) {
  const auto store = f.at.open();
  const Project p = store->project(f.at.project);
  const StoreStats s = store->stats(p.id, milliseconds_now());
  if (f.json) {
    OrderedJson annotators = OrderedJson::array();
    for (const auto& a : s.annotators)
      annotators.push_back(
          {{"name", a.name}, {"kind", kKindNames[int(a.kind)]}, {"labels", a.labels}, {"seconds", a.seconds}});
    const OrderedJson all = {{"project", p.name},      {"type", kTypeNames[int(p.type)]},
                             {"wanted", p.wanted},     {"items", s.items},
                             {"finished", s.finished}, {"gold", s.gold_items},
                             {"truth", s.with_truth},  {"labels", s.labels},
                             {"history", s.history},   {"skipped", s.skipped},
                             {"leased", s.leased},     {"annotators", annotators}};
    return print(json_text(all) + "\n");
  }
  print_format("%s: %s, %jd labels an item wanted\n", printable(p.name).c_str(), kTypeNames[int(p.type)], p.wanted);
  print_format("  items        %jd, %jd finished, %jd gold, %jd with a truth, %jd being labelled\n", s.items,
               s.finished, s.gold_items, s.with_truth, s.leased);
  print_format("  labels       %jd, %jd in the history, %jd skipped or kept without a value\n", s.labels, s.history,
               s.skipped);
  constexpr size_t kMostShown = 20;
  for (size_t i = 0; i < s.annotators.size() && i < kMostShown; ++i) {
    const auto& a = s.annotators[i];
    print_format("  %-12s %jd labels, %s", printable(a.name).c_str(), a.labels, kKindNames[int(a.kind)]);
    print(a.seconds > 0 ? ", " + std::to_string(int64_t(a.seconds)) + " s\n" : "\n");
  }
  if (s.annotators.size() > kMostShown) print_format("  and %zu more\n", s.annotators.size() - kMostShown);
}

void add_label_stats(const Verb& label_group) {
  const auto f = std::make_shared<StatsFlags>();
  const Verb verb(label_group, "stats", "How far the labelling is, and who labelled how much");
  f->at.add(verb);
  verb.flag("--json", f->json, "one line of JSON");
  verb.run([f] { run_stats(*f); });
}

}  // namespace

void add_label_work(const Verb& label_group) {
  add_label_next(label_group);
  add_label_add(label_group);
  add_label_stats(label_group);
}

void add_label(CLI::App& app) {
  const Verb label_group(app, "label", "Labels by people: give out items, collect, judge and export labels");
  label_group.require_verb();
  label_group.refuse_empty_texts();
  add_label_files(label_group);
  add_label_work(label_group);
  add_label_serve(label_group);
  add_label_quality(label_group);
  add_label_texts(label_group);
}

}  // namespace puna::cli
