#include "puna/train/data.h"

#include <algorithm>

#include "io/json_parts.h"
#include "puna/base/error.h"
#include "train/counted.h"
#include "train/data_content.h"
#include "train/sequence_writer.h"

namespace puna::train {

using namespace io;  // rows of JSON and their parts
namespace {

void add_rows(std::vector<Sequence>& to, SequenceWriter& writer, std::string_view rows, const std::string& name,
              DataReport* report) {
  each_row(rows, name, writer.watch(), [&](const Place& place, std::string_view object) {
    if (report) ++report->lines;
    Row row(place, object, report, writer.watch());
    const Example e = read_example(row, writer.chat_text());
    if (e.kind == Example::Kind::text) return writer.text(to, e.text, place.text());
    Sequence s = writer.answer(place, e);
    if (!writer.fits(place, s)) return;
    writer.keep(s);
    to.push_back(std::move(s));
  });
}

}  // namespace

void add_text(std::vector<Sequence>& to, const TextCodec& codec, std::string_view text, const DataOptions& options,
              DataReport* report) {
  SequenceWriter(codec, options, report).text(to, text, "the text");
}

void add_jsonl(std::vector<Sequence>& to, const TextCodec& codec, std::string_view lines, const std::string& name,
               const DataOptions& options, DataReport* report) {
  SequenceWriter writer(codec, options, report);
  add_rows(to, writer, content_of(lines, name, /*must_be_rows=*/true, writer.watch()).text, name, report);
}

void add_data(std::vector<Sequence>& to, const TextCodec& codec, std::string_view bytes, const std::string& name,
              const DataOptions& options, DataReport* report) {
  SequenceWriter writer(codec, options, report);
  const Content content = content_of(bytes, name, false, writer.watch());
  if (skip_space(content.text, 0, writer.watch()) == content.text.size())
    fail(Status::bad_file, "%s: there is nothing in it", name.c_str());
  if (content.rows) return add_rows(to, writer, content.text, name, report);
  // Lines end as in Python's text files.
  std::string lines;
  if (content.text.find('\r') != content.text.npos) {
    lines.reserve(content.text.size());
    for (size_t i = 0; i < content.text.size(); ++i) {
      if ((i & 4095) == 0) writer.watch().tick(32);
      if (content.text[i] != '\r')
        lines += content.text[i];
      else if (i + 1 == content.text.size() || content.text[i + 1] != '\n')
        lines += '\n';
    }
    if (report) report->note("ends of lines (CR, CR LF) are read as LF", name);
  }
  writer.text(to, lines.empty() ? content.text : lines, name);
}

void add_file(std::vector<Sequence>& to, const TextCodec& codec, const std::string& path, const DataOptions& options,
              DataReport* report) {
  const SourcePtr source = open_path_source(path);
  add_data(to, codec, {reinterpret_cast<const char*>(source->data()), size_t(source->size())}, path, options, report);
}

void add_preferences(std::vector<Preference>& to, const TextCodec& codec, std::string_view lines,
                     const std::string& name, const DataOptions& options, DataReport* report) {
  SequenceWriter writer(codec, options, report);
  each_row(content_of(lines, name, /*must_be_rows=*/true, writer.watch()).text, name, writer.watch(),
           [&](const Place& place, std::string_view object) {
             if (report) ++report->lines;
             Row row(place, object, report, writer.watch());
             const auto side = [&](const char* column) {
               return writer.answer(place, read_side(row, column, writer.chat_text()));
             };
             Preference pair{side("chosen"), side("rejected")};
             if (pair.chosen.tokens == pair.rejected.tokens && report)
               report->note("pairs whose two answers are the same are left out", place.text());
             if (pair.chosen.tokens == pair.rejected.tokens) return;
             if (!writer.fits(place, pair.chosen) || !writer.fits(place, pair.rejected)) return;
             writer.keep(pair.chosen);
             writer.keep(pair.rejected);
             to.push_back(std::move(pair));
           });
}

std::string text_of_data(std::string_view bytes, const std::string& name, const Watch& watch) {
  const Content content = content_of(bytes, name, false, watch);
  if (!content.rows) return std::string(content.text);
  std::string all;
  each_row(content.text, name, watch, [&](const Place&, std::string_view object) {
    each_member(object, watch, [&](const std::string& column, std::string_view value) {
      constexpr std::string_view kSaid[] = {"text",         "prompt",      "completion", "messages", "conversations",
                                            "conversation", "instruction", "input",      "output",   "system",
                                            "history",      "tools",       "documents"};
      if (std::find(std::begin(kSaid), std::end(kSaid), column) == std::end(kSaid)) return;
      each_text(value, column, watch, [&](std::string_view key, const std::string& said) {
        if (key == "role" || key == "from" || key == "type" || key == "id" || key == "tool_call_id") return;
        all += said;
        all += '\n';
      });
    });
  });
  return all;
}

}  // namespace puna::train
