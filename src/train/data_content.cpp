#include "train/data_content.h"

#include <algorithm>

#include "base/file_kind.h"
#include "base/utf8.h"
#include "io/json_parts.h"
#include "puna/base/error.h"

namespace puna::train {

using namespace io;  // rows of JSON and their parts
namespace {

using namespace std::string_view_literals;

const char* remedy(FileFamily family) noexcept {
  using enum FileFamily;
  switch (family) {
    case packed: return "unpack it first";
    case parquet:
      return "write its rows as JSON lines, with Python's datasets: Dataset.from_parquet(file).to_json('data.jsonl')";
    case columns:
      return "write its rows as JSON lines, with pandas: frame.to_json('data.jsonl', orient='records', lines=True)";
    case arrow_stream:
      return "write its rows as JSON lines, with Python's datasets: load_from_disk(folder).to_json('data.jsonl')";
    case pickle: return "write its rows as JSON lines";
    case office: return "save it as text";
    case pdf: return "write its text into a file first (pdftotext)";
    case pointer: return "fetch it (git lfs pull)";
    case utf16: return "convert it to UTF-8 (iconv -f UTF-16 -t UTF-8)";
    case utf32: return "convert it to UTF-8 (iconv -f UTF-32 -t UTF-8)";
    case other: break;
  }
  return "training data are text or JSON";
}

void refuse_other_files(std::string_view bytes, const std::string& name) {
  if (const FileKind* const kind = kind_of_file(bytes))
    fail(Status::unsupported, "%s is %s: %s", name.c_str(), kind->name, remedy(kind->family));
}

// Prose begins with a brace or bracket too ("[1] See below", "[[Link]]"): a quote or a brace must follow.
bool begins_like_json(std::string_view text, const Watch& watch) {
  const size_t at = skip_space(text, 0, watch);
  if (at == text.size() || (text[at] != '{' && text[at] != '[')) return false;
  const size_t next = skip_space(text, at + 1, watch);
  if (next == text.size()) return text[at] == '{';
  return text[at] == '{' ? text[next] == '"' || text[next] == '\'' || text[next] == '}'
                         : text[next] == '{' || text[next] == '"' || text[next] == ']';
}

std::string ending(std::string name) {
  for (char& c : name) c = c >= 'A' && c <= 'Z' ? char(c - 'A' + 'a') : c;
  for (const std::string_view packed : {".gz"sv, ".gzip"sv})
    if (name.ends_with(packed)) name.resize(name.size() - packed.size());
  const size_t dot = name.find_last_of("./\\");
  return dot == name.npos || name[dot] != '.' ? "" : name.substr(dot);
}

void require_text(std::string_view text, const std::string& name, const Watch& watch) {
  const size_t at = find_non_text(text, watch);
  if (at == text.npos) return;
  const int64_t line = 1 + std::count(text.begin(), text.begin() + ptrdiff_t(at), '\n');
  if (text[at] == '\0')
    fail(Status::bad_file,
         "%s: byte %zu (line %jd) is 0: this is no text, or text in UTF-16; training data are UTF-8 text or JSON",
         name.c_str(), at, line);
  fail(Status::bad_file,
       "%s: byte %zu (line %jd) is not UTF-8; if this is text, convert it (iconv -f WINDOWS-1252 -t UTF-8)",
       name.c_str(), at, line);
}

}  // namespace

Content content_of(std::string_view bytes, const std::string& name, bool must_be_rows, const Watch& watch) {
  refuse_other_files(bytes, name);
  Content c{bytes.starts_with("\xEF\xBB\xBF") ? bytes.substr(3) : bytes, must_be_rows};
  const std::string end = ending(name);
  c.rows |= end == ".jsonl" || end == ".json" || end == ".ndjson" || end == ".jsonlines" || end == ".jl" ||
            begins_like_json(c.text, watch);
  if (c.rows) return c;
  if (end == ".csv" || end == ".tsv")
    fail(Status::unsupported,
         "%s is a table: write its rows as JSON lines, with pandas: read_csv(file).to_json('data.jsonl', "
         "orient='records', lines=True)",
         name.c_str());
  if (end == ".yaml" || end == ".yml" || end == ".toml" || end == ".xml")
    fail(Status::unsupported,
         "%s: %s is not read: write its rows as JSON lines, or name the file .txt if it is one text", name.c_str(),
         end.c_str());
  require_text(c.text, name, watch);
  return c;
}

}  // namespace puna::train
