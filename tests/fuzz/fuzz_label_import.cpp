// fuzz_label_import.cpp -- any bytes behind a byte that says how they are read: an Error and an empty store, or labels
// that come out as JSON lines and go in again as the same.
#include "expect_error.h"
#include "puna/label/exchange.h"
#include "scratch_folder.h"
#include "target.h"

namespace {

using namespace puna;
using namespace puna::label;

std::string exported(LabelStore& store, const Project& project, Format format) {
  ExportOptions options;
  options.format = format;
  std::string text;
  export_labels(store, project, options, [&](std::string_view part) { text += part; });
  return text;
}

std::string import_and_export(std::string_view bytes, Format format, Type type) {
  const auto store = open_label_store(":memory:");
  ImportOptions options;
  options.format = format;
  options.project = "p";
  options.by = "somebody";
  if (format != Format::label_studio) options.type = type;
  options.now = 1;
  bool taken = false;
  try {
    import_labels(*store, bytes, "file", options);
    taken = true;
  } catch (...) {
    test::require(store->projects().empty());  // all or nothing
    throw;
  }
  test::require(taken && import_labels(*store, bytes, "file", options).labels == 0);  // the same file adds nothing
  const Project p = store->project("p");
  exported(*store, p, Format::csv);
  exported(*store, p, Format::label_studio);
  return exported(*store, p, Format::jsonl);
}

}  // namespace

FUZZ_TARGET(label_import) {
  if (size < 1) return 0;
  const Format format = data[0] % 3 == 0 ? Format::csv : data[0] % 3 == 1 ? Format::jsonl : Format::label_studio;
  const Type type = Type(data[0] / 3 % 6);
  const std::string_view bytes = test::text_of(data + 1, size - 1);
  test::expect_error_only([&] {
    const std::string lines = import_and_export(bytes, format, type);
    if (format != Format::label_studio && !lines.empty())
      test::require(import_and_export(lines, Format::jsonl, type) == lines);
  });
  return 0;
}
