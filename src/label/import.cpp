#include <algorithm>
#include <iterator>

#include "base/nearest.h"
#include "base/shown.h"
#include "io/json_parts.h"
#include "io/json_rows.h"
#include "label/importer.h"
#include "label/named.h"

namespace puna::label {
namespace {

constexpr size_t kLabelsAtOnce = 4096;  // labels a call of the store

std::string stem_of(const std::string& path) {
  std::string name = path.substr(path.find_last_of("/\\") + 1);
  if (const size_t dot = name.rfind('.'); dot != name.npos && dot > 0) name.resize(dot);
  return name.empty() ? "labels" : name;
}

bool ends_with(std::string_view name, std::string_view ending) { return name.ends_with(ending); }

// A task of Label Studio has "data", an object, and "annotations" or "predictions", lists.
bool is_task(std::string_view object, const Watch& watch) {
  const auto is_list = [&](const char* key) { return io::is_array(io::member(object, key, watch)); };
  return io::is_object(io::member(object, "data", watch)) && (is_list("annotations") || is_list("predictions"));
}

Format format_of_bytes(std::string_view bytes, const std::string& file, const Watch& watch) {
  const size_t at = bytes.find_first_not_of(" \t\r\n\xEF\xBB\xBF");
  if (at == bytes.npos) fail(Status::bad_file, "%s is empty", file.c_str());
  const bool json_name = ends_with(file, ".json") || ends_with(file, ".jsonl") || ends_with(file, ".ndjson");
  if (bytes[at] != '{' && bytes[at] != '[' && !json_name) return Format::csv;
  if (bytes[at] != '[') return Format::jsonl;
  struct Found {};  // the first row is enough
  Format format = Format::jsonl;
  try {
    io::each_row(bytes, file, watch, [&](const io::Place&, std::string_view object) {
      if (is_task(object, watch)) format = Format::label_studio;
      throw Found();
    });
  } catch (const Found&) {}
  return format;
}

// A task of Label Studio says itself what it is made of.
void refuse_names(const ImportOptions& o, const std::string& file) {
  const std::pair<const char*, bool> given[] = {{"--item", !o.item.empty()},           {"--label", !o.label.empty()},
                                                {"--annotator", !o.annotator.empty()}, {"--truth", !o.truth.empty()},
                                                {"--gold", !o.gold.empty()},           {"--data", !o.data.empty()}};
  for (const auto& [option, is] : given)
    if (is)
      fail(Status::invalid_argument, "%s is not read here: %s has Label Studio's tasks, whose parts have fixed names",
           option, file.c_str());
}

}  // namespace

Format format_of(std::string_view name) { return named<Format>(kFormatNames, "format", name); }

Importer::Importer(LabelStore& store, std::string_view bytes, const std::string& file, const ImportOptions& options,
                   const Watch& watch)
    : options(options), file(file), bytes(bytes), watch(watch), store_(store) {
  file_hash_ = hex_of(hash_of(bytes));
}

void Importer::open_project(Type type) {
  const std::vector<Project> all = store_.projects();
  const auto is_asked = [&](const Project& p) { return p.name == options.project; };
  if (options.project.empty() && all.size() > 1) {
    store_.project("");  // says that one has to be named
  } else if (options.project.empty() && all.size() == 1) {
    report.project = all[0];
  } else if (const auto found = std::find_if(all.begin(), all.end(), is_asked); found != all.end()) {
    report.project = *found;
  } else {
    Project p;
    p.name = options.project.empty() ? stem_of(file) : options.project;
    p.type = options.type.value_or(type);
    p.labels = options.labels;
    p.wanted = options.wanted;
    report.project = store_.create(p);
    report.made = true;
  }
  if (!report.made && options.type && *options.type != report.project.type)
    fail(Status::invalid_argument, "project '%s' has labels of the type %s, not %s", shown(report.project.name).c_str(),
         kTypeNames[int(report.project.type)], kTypeNames[int(*options.type)]);
}

int64_t Importer::item(int64_t line, const std::string& key, const std::string& data, const std::string& truth,
                       const std::string& source) {
  const uint64_t hash = hash_of(data);
  const auto found = known_.find(key);
  if (found != known_.end()) {
    const Known& before = found->second;
    if (!truth.empty() && !before.truth.empty() && truth != before.truth)
      refuse(line, "item '" + shown(key) + "' has the truth " + shown(truth) + ", and " + shown(before.truth) +
                       " in line " + std::to_string(before.truth_line));
    const bool new_data = !data.empty() && hash != before.data;
    if (!new_data && (truth.empty() || !before.truth.empty()) && source.empty()) return before.id;
  }
  Item item;
  item.key = key;
  item.data = data;
  item.truth = truth;
  item.source = source;
  store_.put_items(report.project.id, {&item, 1});
  if (found == known_.end()) ++report.items;
  report.truths += !truth.empty();
  Known& known = known_[key];
  known.id = item.id;
  if (!data.empty()) known.data = hash;
  if (!truth.empty() && known.truth.empty()) known.truth_line = line;
  if (!truth.empty()) known.truth = truth;
  watch.tick();
  return item.id;
}

void Importer::require_one_gold(int64_t line, int64_t item, const std::string& value) {
  if (value.empty() || project().type == Type::text || project().type == Type::spans) return;
  const auto [before, is_first] = golds_.emplace(item, Gold{value, line});
  if (is_first || before->second.value == value) return;
  const auto named = std::find_if(known_.begin(), known_.end(), [&](const auto& k) { return k.second.id == item; });
  refuse(line, "item '" + shown(named == known_.end() ? "" : named->first) + "' has the gold label " + shown(value) +
                   ", and " + shown(before->second.value) + " in line " + std::to_string(before->second.line) +
                   ": expected one");
}

const std::string& Importer::by() {
  by_used_ = true;
  return options.by;
}

void Importer::label(int64_t line, NewLabel label) {
  if (label.gold || label.kind == Kind::gold) require_one_gold(line, label.item, label.value);
  label.request = file_hash_ + ":" + std::to_string(report.project.id) + ":" + std::to_string(given_++);
  label.beside = true;
  if (label.time == 0) label.time = options.now;
  labels_.push_back(std::move(label));
  watch.tick();
  if (labels_.size() >= kLabelsAtOnce) flush();
}

void Importer::gold(int64_t line, int64_t item, const std::string& value) {
  NewLabel l;
  l.item = item;
  l.annotator = "gold";
  l.kind = Kind::gold;
  l.value = value;
  ++report.golds;
  label(line, std::move(l));
}

void Importer::flush() {
  const Written written = store_.append(report.project.id, labels_);
  report.labels += written.added;
  report.repeated += written.repeated;
  labels_.clear();
}

void Importer::note(const std::string& what) { ++notes_[what]; }
void Importer::not_read(std::string_view key) {
  if (unread_.size() < 32 || unread_.count(std::string(key))) ++unread_[std::string(key)];
}
std::vector<std::string> Importer::known_names() const {
  std::vector<std::string> names = {"item", "task",  "annotator", "worker", "label", "answer",  "labels",
                                    "data", "truth", "gold",      "kind",   "time",  "seconds", "score"};
  for (const std::string* asked : {&options.item, &options.annotator, &options.label, &options.truth, &options.gold})
    if (!asked->empty()) names.push_back(*asked);
  return names;
}
void Importer::refuse(int64_t line, const std::string& what) const {
  fail(Status::bad_file, "%s, line %jd: %s", file.c_str(), line, what.c_str());
}

ImportReport Importer::finish() {
  flush();
  if (report.repeated > 0)
    report.notes.push_back(std::to_string(report.repeated) +
                           " labels were there already, from this very file: not added again");
  if (!options.by.empty() && !by_used_) report.notes.push_back("--by is not read: no label is without an annotator");
  for (const auto& [what, rows] : notes_) report.notes.push_back(what + ": " + std::to_string(rows) + " rows");
  if (!unread_.empty()) {
    std::string names;
    const std::vector<std::string> known = known_names();
    for (const auto& [key, rows] : unread_) {
      const std::string_view last = std::string_view(key).substr(key.starts_with("labels.") ? 7 : 0);
      const std::string near = did_you_mean(last, known);
      names += (names.empty() ? "'" : ", '") + shown(key) + "'" + (near.empty() ? "" : " (" + near.substr(2) + ")");
    }
    report.notes.push_back("not read: " + names + " (--data takes them into the items)");
  }
  return std::move(report);
}

ImportReport import_labels(LabelStore& store, std::string_view bytes, const std::string& file,
                           const ImportOptions& options, const Watch& watch) {
  const Format format = options.format == Format::automatic ? format_of_bytes(bytes, file, watch) : options.format;
  if (format == Format::label_studio) refuse_names(options, file);
  ImportReport report;
  store.write([&] {
    Importer to(store, bytes, file, options, watch);
    if (format == Format::csv)
      import_table(to);
    else if (format == Format::jsonl)
      import_json_lines(to);
    else if (format == Format::label_studio)
      import_label_studio(to);
    else
      fail(Status::invalid_argument, "%s files are written, not read", kFormatNames[int(format)]);
    report = to.finish();
  });
  return report;
}

}  // namespace puna::label
