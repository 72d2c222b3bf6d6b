// puna label create, import, export.
#include <cstdio>
#include <map>
#include <optional>

#include "base/json.h"
#include "base/os.h"
#include "common.h"
#include "interrupt.h"
#include "label.h"
#include "puna/base/error.h"
#include "puna/io/checkpoint.h"
#include "puna/label/exchange.h"
#include "puna/label/infer.h"

namespace puna::cli {
namespace {

using namespace label;

// ---- create ----

struct CreateFlags {
  LabelFlags at;
  std::string name, type = "choice";
  std::vector<std::string> labels;
  int64_t wanted = 1;
};

// What failed leaves no new store behind, unless somebody else has written to it meanwhile. Who waits for this
// transaction to end is told that the file has gone.
void write_new(const LabelFlags& at, FunctionRef<void(LabelStore&)> write) {
  const bool is_new = !os::is_file(at.file());
  const auto store = at.open(true);
  try {
    write(*store);
  } catch (const Error&) {
    if (is_new)
      store->write([&] {
        if (!store->projects().empty()) return;
        for (const char* ending : {"", "-wal", "-shm"}) std::remove((at.file() + ending).c_str());
      });
    throw;
  }
}

void run_create(const CreateFlags& f) {
  Project p;
  p.name = f.name;
  p.type = type_of(f.type);
  p.labels = split_names(f.labels);
  p.wanted = f.wanted;
  write_new(f.at, [&](LabelStore& store) { store.create(p); });
}

void add_label_create(const Verb& label_group) {
  const auto f = std::make_shared<CreateFlags>();
  const Verb verb(label_group, "create", "Make a project");
  verb.option("NAME", f->name, "of the project").required();
  f->at.add_db(verb, "the labels' file, made where there is none");
  verb.option("--type", f->type, "choice (default), multi_choice, pairwise, rating, text or spans");
  verb.option("--labels", f->labels, "the labels that may be given, in order: good,bad (default: any)");
  verb.option("--wanted", f->wanted, "labels an item, by people (default 1)").within(1, 1e6);
  verb.run([f] { run_create(*f); });
}

// ---- import ----

struct ImportFlags {
  LabelFlags at;
  ImportOptions options;
  std::string file, format = "auto", type, kind = "human";
  std::vector<std::string> data, labels;
  std::optional<Option> labels_option, wanted_option;
};

// What is said of a new project must be so of one that is there.
void require_same_project(const ImportFlags& f, LabelStore& store) {
  const std::vector<Project> all = store.projects();
  for (const Project& p : all) {
    if (f.at.project.empty() ? all.size() > 1 : p.name != f.at.project) continue;
    const std::string where = "of a new project: " + printable(p.name) + " is there, with other ";
    f.labels_option->require_read(f.options.labels == p.labels, (where + "labels").c_str());
    f.wanted_option->require_read(f.options.wanted == p.wanted,
                                  (where + "numbers (it wants " + std::to_string(p.wanted) + " an item)").c_str());
  }
}

void run_import(ImportFlags& f) {
  ImportOptions& o = f.options;
  o.format = format_of(f.format);
  o.project = f.at.project;
  if (!f.type.empty()) o.type = type_of(f.type);
  o.kind = kind_of(f.kind);
  o.data = split_names(f.data);
  o.labels = split_names(f.labels);
  o.now = milliseconds_now();
  const SourcePtr source = open_path_source(f.file);
  const std::string_view bytes(reinterpret_cast<const char*>(source->data()), size_t(source->size()));
  ImportReport r;
  write_new(f.at, [&](LabelStore& store) {
    require_same_project(f, store);
    r = stoppable([&](const Watch& watch) { return import_labels(store, bytes, f.file, o, watch); });
  });
  say_notes(r.notes);
  print_format("%s: %jd rows, %jd items, %jd labels%s", printable(r.project.name).c_str(), r.rows, r.items, r.labels,
               r.made ? " (a new project)" : "");
  if (r.golds > 0) print_format(", %jd of them gold", r.golds);
  if (r.truths > 0) print_format(", %jd truths", r.truths);
  if (r.carried > 0) print_format(", %jd annotations kept that are no labels", r.carried);
  print("\n");
}

void add_label_import(const Verb& label_group) {
  const auto f = std::make_shared<ImportFlags>();
  const Verb verb(label_group, "import",
                  "Items and labels from CSV, JSON lines or Label Studio's JSON: all of a file or none");
  verb.option("FILE", f->file,
              "CSV with the columns item (or task), annotator (or worker), label (or answer), truth, gold; JSON lines "
              "with these keys; a list of Label Studio's tasks")
      .required();
  f->at.add(verb);
  verb.option("--format", f->format, "auto (default), csv, jsonl or label-studio");
  verb.option("--type", f->type, "of a new project: choice, multi_choice, pairwise, rating, text or spans");
  f->labels_option =
      verb.option("--labels", f->labels, "of a new project: the labels that may be given (default: any)");
  f->wanted_option =
      verb.option("--wanted", f->options.wanted, "of a new project: labels an item (default 1)").within(1, 1e6);
  verb.option("--item", f->options.item, "the column or key of items, where it has another name");
  verb.option("--annotator", f->options.annotator, "that of annotators");
  verb.option("--label", f->options.label, "that of labels");
  verb.option("--truth", f->options.truth, "that of truths: what accuracies are measured against");
  verb.option("--gold", f->options.gold, "that of gold labels: what inference takes for certain");
  verb.option("--data", f->data, "columns or keys that become the items' data: text,title (* = all that are left)");
  verb.option("--by", f->options.by, "the annotator of a file that names none");
  verb.option("--kind", f->kind, "of the annotators: human (default), model or gold");
  verb.run([f] { run_import(*f); });
}

// ---- export ----

struct ExportFlags {
  LabelFlags at;
  ExportOptions options;
  std::string out = "-", format = "jsonl", method = "majority";
  float confidence = 0;
  std::vector<Option> of_decisions;
};

void run_export(ExportFlags& f) {
  const auto store = f.at.open();
  const Project project = store->project(f.at.project);
  f.options.format = format_of(f.format);
  std::map<std::string, std::string> resolved;
  const bool decides =
      (f.options.format == Format::sft && project.type != Type::text) || f.options.format == Format::dpo;
  for (const Option& o : f.of_decisions)
    o.require_read(decides, "where labels are decided: a project of texts has one completion an answer");
  if (decides && project.type != Type::spans) {
    const label::Answers answers = answers_of(*store, project, false);
    InferOptions infer_options;
    infer_options.method = method_of(f.method);
    if (answers.answers.empty() && answers.count_gold() == 0)
      fail(Status::invalid_argument, "project '%s' has no labels", printable(project.name).c_str());
    std::vector<int32_t> labels = answers.gold;
    if (!answers.answers.empty() && answers.labels.size() >= 2) {
      const label::Inference inference =
          stoppable([&](const Watch& watch) { return infer(answers, infer_options, watch); });
      for (size_t i = 0; i < labels.size(); ++i)
        labels[i] = inference.confidence(int64_t(i)) >= double(f.confidence) ? inference.label[i] : kUnknown;
    } else if (!answers.answers.empty()) {
      for (const label::Answer& a : answers.answers) labels[size_t(a.item)] = a.label;
    }
    for (size_t i = 0; i < labels.size(); ++i)
      if (labels[i] != kUnknown) resolved[answers.items[i]] = puna::quoted(answers.labels[size_t(labels[i])]);
    f.options.resolved = [&](const Item& item) {
      const auto found = resolved.find(item.key);
      return found == resolved.end() ? std::string() : found->second;
    };
  }
  ExportReport r;
  std::string block;  // lines go out many at a time
  const auto run = [&](auto put) {
    constexpr size_t kBlock = 1 << 20;
    const auto write = [&](std::string_view text) {
      block += text;
      if (block.size() < kBlock) return;
      put(block);
      block.clear();
    };
    r = stoppable([&](const Watch& watch) { return export_labels(*store, project, f.options, write, watch); });
    put(block);
  };
  if (f.out == "-") {
    run([](std::string_view text) { print(text); });
  } else {
    os::AtomicFile file(f.out);
    run([&](std::string_view text) { file.write(text.data(), text.size()); });
    file.commit();
  }
  say_notes(r.notes);
  fprintf(stderr, "puna: %jd items, %jd labels as %s\n", intmax_t(r.items), intmax_t(r.labels), f.format.c_str());
}

void add_label_export(const Verb& label_group) {
  const auto f = std::make_shared<ExportFlags>();
  const Verb verb(label_group, "export", "Labels as JSON lines, CSV or Label Studio's JSON, or as lines for training");
  f->at.add(verb);
  verb.option("--format", f->format, "jsonl (default), csv, label-studio, sft or dpo");
  verb.output("--out", f->out, "a file (default: standard output)");
  const auto trains = [f] { return f->format == "sft" || f->format == "dpo"; };
  const auto is_dpo = [f] { return f->format == "dpo"; };
  f->of_decisions = {verb.option("--method", f->method,
                                 "sft, dpo: how labels are decided: majority (default), ds, onecoin, mace, glad")
                         .read_when(trains, "with --format sft or dpo"),
                     verb.option("--confidence", f->confidence, "sft, dpo: leave out what is less certain (default 0)")
                         .within(0, 1)
                         .read_when(trains, "with --format sft or dpo")};
  verb.option("--prompt", f->options.prompt, "sft, dpo: the key of the data with the prompt (default prompt)")
      .read_when(trains, "with --format sft or dpo");
  verb.option("--left", f->options.left, "dpo: the key with the left answer (default left)")
      .read_when(is_dpo, "with --format dpo");
  verb.option("--right", f->options.right, "dpo: the key with the right answer (default right)")
      .read_when(is_dpo, "with --format dpo");
  verb.flag("--history", f->options.history, "jsonl: labels that were replaced too")
      .read_when([f] { return f->format == "jsonl"; }, "with --format jsonl");
  verb.run([f] { run_export(*f); });
}

}  // namespace

void add_label_files(const Verb& label_group) {
  add_label_create(label_group);
  add_label_import(label_group);
  add_label_export(label_group);
}

}  // namespace puna::cli
