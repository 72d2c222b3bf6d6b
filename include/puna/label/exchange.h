// exchange.h -- labels from files and to files.
//   CSV            a row an answer: item (or task), annotator (or worker), label (or answer), truth, gold; other
//                  columns by options
//   JSON lines     {"item", "data": {...}, "truth", "gold", "labels": [{"annotator", "label", ...}]}, or a line an
//                  answer
//   Label Studio   a list of tasks with annotations and predictions; what has no place here is kept word for word, and
//                  is there again in an export
//   SFT, DPO       lines for training: {"prompt", "completion"}; {"prompt", "chosen", "rejected"}
#pragma once
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "puna/base/watch.h"
#include "puna/label/answers.h"
#include "puna/label/store.h"

namespace puna::label {

enum class Format { automatic, csv, jsonl, label_studio, sft, dpo };
inline constexpr const char* kFormatNames[] = {"auto", "csv", "jsonl", "label-studio", "sft", "dpo"};
Format format_of(std::string_view name);

struct ImportOptions {
  Format format = Format::automatic;  // by what the file begins with
  std::string project;                // made when it is not there; "" = the only one, or one named after the file
  std::optional<Type> type;           // of a project that is made; Label Studio's files say it, others are choices
  std::vector<std::string> labels;    // of a project that is made; empty: any
  int64_t wanted = 1;
  // Names of columns or keys where they are not those above; "" = those above.
  std::string item, annotator, label, truth, gold;
  std::vector<std::string> data;  // columns or keys that become the items' data; {"*"}: all that mean nothing else
  std::string by;                 // the annotator of a file that names none
  Kind kind = Kind::human;        // of annotators
  int64_t now = 0;                // milliseconds since 1970
};

struct ImportReport {
  Project project;
  bool made = false;
  int64_t rows = 0, items = 0, labels = 0, repeated = 0, truths = 0, golds = 0, carried = 0;
  std::vector<std::string> notes;  // what was left out, and why
};

// All of a file or nothing of it. The same file a second time adds no label. Error{bad_file} with line and column, also
// for an item with two gold labels or truths; {invalid_argument} for a name that no column or key has.
ImportReport import_labels(LabelStore& store, std::string_view bytes, const std::string& file,
                           const ImportOptions& options, const Watch& watch = Watch());

struct ExportOptions {
  Format format = Format::jsonl;
  std::string prompt = "prompt", left = "left", right = "right";  // keys of the items' data: sft, dpo
  // sft, dpo: the value that an item's labels come to, "" = undecided. Not called for others.
  std::function<std::string(const Item&)> resolved;
  bool history = false;  // jsonl: labels that were replaced too
};

struct ExportReport {
  int64_t items = 0, labels = 0;
  std::vector<std::string> notes;  // what was left out, and why
};

ExportReport export_labels(LabelStore& store, const Project& project, const ExportOptions& options,
                           FunctionRef<void(std::string_view)> write, const Watch& watch = Watch());

// The current labels of a project as answers: gold labels are gold, the last of an item where several are, labels of
// models answers if wanted.
// Error{unsupported} for texts and spans, which have no classes.
Answers answers_of(LabelStore& store, const Project& project, bool with_models, const Watch& watch = Watch());

}  // namespace puna::label
