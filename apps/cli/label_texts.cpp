// puna label dedup, contaminated: texts that say the same, and test items that stand in training text.
#include <algorithm>
#include <cstdio>
#include <optional>

#include "base/file_kind.h"
#include "base/json.h"
#include "base/nearest.h"
#include "base/os.h"
#include "base/utf8.h"
#include "common.h"
#include "interrupt.h"
#include "io/json_parts.h"
#include "io/json_rows.h"
#include "io/table_reader.h"
#include "label.h"
#include "puna/base/error.h"
#include "puna/eval/run.h"
#include "puna/eval/statistics.h"
#include "puna/io/checkpoint.h"
#include "puna/label/text_overlap.h"
#include "puna/text/duplicates.h"

namespace puna::cli {
namespace {

using namespace label;

// Texts with their names, and the rows that they stood in.
struct Texts {
  std::vector<std::string> names, texts;
  std::vector<std::string> rows;  // as they stood in the file

  std::vector<std::string_view> views() const { return {texts.begin(), texts.end()}; }
};

// Of a file that is text, without its byte order mark. Words are looked for in it, so it has to be one.
std::string_view text_of(const SourcePtr& source, const std::string& path, const Watch& watch) {
  const std::string_view bytes(reinterpret_cast<const char*>(source->data()), size_t(source->size()));
  require_text_file(bytes, path, "JSON lines or text in UTF-8");
  const size_t at = find_non_text(bytes, watch);
  if (at != bytes.npos)
    fail(Status::bad_file, "%s, line %jd: byte 0x%02x is no text in UTF-8", path.c_str(),
         intmax_t(1 + std::count(bytes.begin(), bytes.begin() + std::ptrdiff_t(at), '\n')),
         unsigned(static_cast<unsigned char>(bytes[at])));
  return without_bom(bytes);
}

bool is_json(std::string_view bytes) {
  const size_t at = bytes.find_first_not_of(" \t\r\n\xEF\xBB\xBF");
  return at != bytes.npos && (bytes[at] == '{' || bytes[at] == '[');
}

// The fields of an object behind each other; of several items in one text.
std::string joined(std::string_view object, const std::vector<std::string>& fields, const Watch& watch) {
  std::string all;
  const auto add = [&](std::string_view, const std::string& text) { all += (all.empty() ? "" : "\n") + text; };
  for (const std::string& f : fields)
    if (const std::string_view value = io::member(object, f, watch); !value.empty())
      io::each_text(value, "", watch, add);
  if (fields.empty()) io::each_text(object, "", watch, add);
  return all;
}

// `require_fields`: the option that names the fields, told whether they are read.
Texts of_file(const std::string& path, const std::vector<std::string>& fields,
              FunctionRef<void(bool, const char*)> require_fields, const Watch& watch) {
  const SourcePtr source = open_path_source(path);
  const std::string_view bytes = text_of(source, path, watch);
  Texts t;
  if (!is_json(bytes)) {  // a line a text
    require_fields(false, ("of JSON, and " + path + " has a text a line").c_str());
    int64_t line = 0;
    for (size_t at = 0; at < bytes.size();) {
      const size_t end = std::min(bytes.find('\n', at), bytes.size());
      t.names.push_back(std::to_string(++line));
      t.texts.emplace_back(bytes.substr(at, end - at));
      if (t.texts.back().ends_with('\r')) t.texts.back().pop_back();  // of a line that ends as on Windows
      t.rows.push_back(t.texts.back());
      at = end + 1;
      watch.tick();
    }
    return t;
  }
  io::each_row(bytes, path, watch, [&](const io::Place& place, std::string_view object) {
    std::string name;
    for (const char* key : {"item", "id", "task", "doc_id"})
      if (const std::string_view v = io::member(object, key, watch); name.empty() && !v.empty())
        name = io::is_string(v) ? io::text_of(v, watch) : std::string(v);
    t.names.push_back(name.empty() ? std::to_string(place.line) : name);
    t.texts.push_back(joined(object, fields, watch));
    if (t.texts.back().empty() && !fields.empty()) place.refuse("there is no text under '%s'", fields[0].c_str());
    t.rows.emplace_back(object);
  });
  return t;
}

Texts of_store(const LabelFlags& at, const std::vector<std::string>& fields, const Watch& watch) {
  const auto store = at.open();
  Texts t;
  store->each_item(store->project(at.project).id, [&](const Item& item) {
    t.names.push_back(item.key);
    t.texts.push_back(joined(item.data, fields, watch));
    t.rows.push_back("{\"item\":" + puna::quoted(item.key) + ",\"data\":" + item.data + "}");
  });
  return t;
}

// From a file, or from the labels' file.
struct TextFlags {
  LabelFlags at;
  std::string file;
  std::vector<std::string> fields;
  std::optional<Option> field_option;

  Texts read(const Watch& watch) const {
    const std::vector<std::string> names = split_names(fields);
    if (file.empty()) return of_store(at, names, watch);
    return of_file(
        file, names, [&](bool read, const char* where) { field_option->require_read(read, where); }, watch);
  }
  void add(const Verb& verb, const Option& file_option) {
    at.add(verb, "a labels' file: the items of its project", file_option);
    field_option = verb.option("--field", fields, "keys whose texts are compared: question,answer (default: all)");
  }
};

// ---- dedup ----

struct DedupFlags {
  TextFlags from;
  DuplicateOptions options;
  std::string out;
  float similarity = 0.8f;
  bool json = false;
};

void run_dedup(DedupFlags& f) {
  f.options.similarity = double(f.similarity);
  Texts t;
  Duplicates d;
  stoppable([&](const Watch& watch) {
    t = f.from.read(watch);
    const std::vector<std::string_view> views = t.views();
    d = find_duplicates(views, f.options, watch);
  });
  std::string kept;
  int64_t first = 0;
  for (size_t i = 0; i < t.texts.size(); ++i) {
    if (d.group[i] != int64_t(i)) continue;
    ++first;
    kept += t.rows[i] + "\n";
  }
  if (!f.out.empty()) write_text(f.out, kept);
  std::string lines;
  for (const Duplicate& l : d.links) {
    char similarity[40];
    snprintf(similarity, sizeof similarity, "%.4f", l.similarity);
    lines += f.json ? "{\"first\":" + puna::quoted(t.names[size_t(l.first)]) +
                          ",\"second\":" + puna::quoted(t.names[size_t(l.second)]) + ",\"similarity\":" + similarity +
                          "}\n"
                    : std::string(similarity) + "  " + printable(t.names[size_t(l.first)]) + "  " +
                          printable(t.names[size_t(l.second)]) + "\n";
  }
  print(lines);
  fprintf(stderr, "puna: %zu texts, %jd near-duplicates (similarity %.2f or more), %jd kept; %jd pairs compared%s\n",
          t.texts.size(), intmax_t(int64_t(t.texts.size()) - first), double(f.similarity), intmax_t(first),
          intmax_t(d.candidates), d.without_words > 0 ? "; some texts have no words" : "");
}

void add_label_dedup(const Verb& label_group) {
  const auto f = std::make_shared<DedupFlags>();
  const Verb verb(label_group, "dedup", "Near-duplicates by MinHash, each pair compared exactly");
  f->from.add(verb, verb.option("FILE", f->from.file, "JSON lines, or a text a line; without one the items of --db"));
  verb.option("--similarity", f->similarity, "Jaccard, of sets of five words in a row (default 0.8)").within(0.1, 1);
  verb.option("--seed", f->options.seed, "of the hashes (default 1)");
  verb.output("--out", f->out, "a file for the rows that stay: the first of each group");
  verb.flag("--json", f->json, "the pairs as JSON lines");
  verb.run([f] { run_dedup(*f); });
}

// ---- contaminated ----

struct ContaminatedFlags {
  TextFlags from;
  std::vector<std::string> training;
  std::string scores, metric;
  bool json = false;
};

void search(ContaminationIndex& index, const std::string& path, const Watch& watch) {
  const SourcePtr source = open_path_source(path);
  const std::string_view bytes = text_of(source, path, watch);
  if (!is_json(bytes)) return index.search(bytes, path, watch);
  io::each_row(bytes, path, watch, [&](const io::Place& place, std::string_view object) {
    index.search(joined(object, {}, watch), place.text(), watch);
  });
}

struct Side {
  std::vector<double> scores;
  std::string text() const {
    if (scores.size() < 2) return std::to_string(scores.size()) + " items";
    const eval::MeanEstimate e = eval::clustered_mean(scores, {});
    char line[120];
    snprintf(line, sizeof line, "%zu items, %.4f +- %.4f", scores.size(), e.mean, e.error);
    return line;
  }
};

void print_scores(const ContaminatedFlags& f, const Texts& items, const std::vector<ContaminationIndex::Hit>& hits) {
  eval::RunOptions options;
  options.metric = f.metric;
  const eval::Run run = eval::read_run(f.scores, options);
  if (run.tasks.size() != 1)
    fail(Status::invalid_argument, "%s has %zu tasks, expected one", f.scores.c_str(), run.tasks.size());
  std::vector<std::string> dirty_names;
  for (const auto& h : hits) dirty_names.push_back(items.names[size_t(h.item)]);
  std::sort(dirty_names.begin(), dirty_names.end());
  std::vector<std::string> names = items.names;
  std::sort(names.begin(), names.end());
  Side clean, dirty;
  for (const eval::ScoredItem& item : run.tasks[0].items) {
    if (!std::binary_search(names.begin(), names.end(), item.item))
      fail(Status::invalid_argument, "%s, line %jd: there is no item '%s'", f.scores.c_str(), item.line,
           printable(item.item).c_str());
    (std::binary_search(dirty_names.begin(), dirty_names.end(), item.item) ? dirty : clean)
        .scores.push_back(item.score);
  }
  print("clean         " + clean.text() + "\ncontaminated  " + dirty.text() + "  (" + run.tasks[0].metric + ")\n");
}

void run_contaminated(const ContaminatedFlags& f) {
  Texts t;
  std::vector<ContaminationIndex::Hit> hits;
  int64_t too_short = 0;
  stoppable([&](const Watch& watch) {
    t = f.from.read(watch);
    const std::vector<std::string_view> views = t.views();
    ContaminationIndex index(views, {}, watch);
    for (const std::string& path : f.training) search(index, path, watch);
    hits = index.hits();
    too_short = index.too_short();
  });
  std::string lines;
  for (const auto& h : hits)
    lines += f.json ? "{\"item\":" + puna::quoted(t.names[size_t(h.item)]) +
                          ",\"document\":" + puna::quoted(h.document) + ",\"words\":" + puna::quoted(h.words) + "}\n"
                    : printable(t.names[size_t(h.item)]) + "  in " + printable(h.document) + ": " + printable(h.words) +
                          "\n";
  print(lines);
  if (!f.scores.empty()) print_scores(f, t, hits);
  fprintf(stderr, "puna: %zu of %zu items are contaminated; %jd have fewer than 8 words and were not looked for\n",
          hits.size(), t.texts.size(), intmax_t(too_short));
}

void add_label_contaminated(const Verb& label_group) {
  const auto f = std::make_shared<ContaminatedFlags>();
  const Verb verb(label_group, "contaminated", "Test items of which 13 words in a row stand in the training text");
  verb.option("TRAINING", f->training, "files of training text: JSON lines, or plain text").required();
  f->from.add(verb, verb.option("--items", f->from.file,
                                "the test items: JSON lines, or a text a line; without them those of --db"));
  verb.option("--scores", f->scores, "a run on these items (as of eval compare): scores of clean and other ones");
  verb.option("--metric", f->metric, "of --scores (default: its first)")
      .read_when([f] { return !f->scores.empty(); }, "with --scores");
  verb.flag("--json", f->json, "what was found as JSON lines");
  verb.run([f] { run_contaminated(*f); });
}

}  // namespace

void add_label_texts(const Verb& label_group) {
  add_label_dedup(label_group);
  add_label_contaminated(label_group);
}

}  // namespace puna::cli
