#include "train/data_content.h"

#include <algorithm>

#include "base/utf8.h"
#include "puna/base/error.h"
#include "train/json_parts.h"

namespace puna::train {
namespace {

using namespace std::string_view_literals;

// Files that begin so. Where the bytes are letters, prose may begin so too: those formats have bytes near them that no text has.
struct Magic {
  std::string_view bytes;
  size_t at;
  const char* name;
  const char* remedy;
};
constexpr char kUnpack[] = "unpack it first";
constexpr char kToLines[] = "write its rows as JSON lines, with Python's datasets: Dataset.from_parquet(file).to_json('data.jsonl')";
constexpr char kFromPandas[] = "write its rows as JSON lines, with pandas: frame.to_json('data.jsonl', orient='records', lines=True)";
constexpr char kNoText[] = "training data are text or JSON";
constexpr Magic kMagics[] = {
    {"\x1F\x8B"sv, 0, "gzip", kUnpack},
    {"PK\x03\x04"sv, 0, "a ZIP archive (so are .docx, .xlsx, .npz and .pt)", kUnpack},
    {"PK\x05\x06"sv, 0, "an empty ZIP archive", kUnpack},
    {"\x28\xB5\x2F\xFD"sv, 0, "Zstandard", kUnpack},
    {"BZh"sv, 0, "bzip2", kUnpack},
    {"\x1F\x9D"sv, 0, "compress (.Z)", kUnpack},
    {"\xFD\x37zXZ\0"sv, 0, "xz", kUnpack},
    {"\x04\x22\x4D\x18"sv, 0, "LZ4", kUnpack},
    {"7z\xBC\xAF\x27\x1C"sv, 0, "a 7z archive", kUnpack},
    {"Rar!\x1A\x07"sv, 0, "a RAR archive", kUnpack},
    {"ustar"sv, 257, "a tar archive", kUnpack},
    {"PAR1"sv, 0, "Parquet", kToLines},
    {"ARROW1"sv, 0, "Arrow", kFromPandas},
    {"\xFF\xFF\xFF\xFF"sv, 0, "an Arrow stream", "write its rows as JSON lines, with Python's datasets: load_from_disk(folder).to_json('data.jsonl')"},
    {"Obj\x01"sv, 0, "Avro", kFromPandas},
    {"ORC"sv, 0, "ORC", kFromPandas},
    {"\x89HDF\r\n\x1A\n"sv, 0, "HDF5", kFromPandas},
    {"SQLite format 3\0"sv, 0, "an SQLite database", kFromPandas},
    {"\xD0\xCF\x11\xE0"sv, 0, "an old Office document", "save it as text"},
    {"%PDF-"sv, 0, "PDF", "write its text into a file first (pdftotext)"},
    {"{\\rtf"sv, 0, "RTF", "save it as text"},
    {"version https://git-lfs.github.com/spec/"sv, 0, "a Git LFS pointer, not the file itself", "fetch it (git lfs pull)"},
    {"GGUF"sv, 0, "a GGUF model", kNoText},
    {"\x93NUMPY"sv, 0, "a NumPy array", kNoText},
    {"\x89PNG"sv, 0, "a picture", kNoText},
    {"\xFF\xD8\xFF"sv, 0, "a picture", kNoText},
    {"\x7F" "ELF"sv, 0, "a program", kNoText},
    {"\xFF\xFE\0\0"sv, 0, "UTF-32", "convert it to UTF-8 (iconv -f UTF-32 -t UTF-8)"},
    {"\xFF\xFE"sv, 0, "UTF-16", "convert it to UTF-8 (iconv -f UTF-16 -t UTF-8)"},
    {"\xFE\xFF"sv, 0, "UTF-16", "convert it to UTF-8 (iconv -f UTF-16 -t UTF-8)"},
};

bool has_controls(std::string_view bytes) {
  return std::any_of(bytes.begin(), bytes.end(), [](char c) { return (c >= 0 && c < 9) || (c > 13 && c < 32 && c != 27); });
}

// Pickle's protocols 2 to 5 begin with their number and end with a full stop.
bool is_pickle(std::string_view b) { return b.size() > 2 && b[0] == '\x80' && b[1] >= 2 && b[1] <= 5 && b.back() == '.'; }

void refuse_other_files(std::string_view bytes, const std::string& name) {
  for (const Magic& m : kMagics) {
    if (bytes.size() < m.at || !bytes.substr(m.at).starts_with(m.bytes)) continue;
    const bool letters = m.bytes.size() < 5 && std::all_of(m.bytes.begin(), m.bytes.end(), [](char c) { return c > 32 && c < 127; });
    if (!letters || has_controls(bytes.substr(0, 64))) fail(Status::unsupported, "%s is %s: %s", name.c_str(), m.name, m.remedy);
  }
  if (is_pickle(bytes)) fail(Status::unsupported, "%s is a Python pickle: write its rows as JSON lines", name.c_str());
  if (bytes.size() > 9 && bytes.substr(8).starts_with("{\"") && bytes.substr(4, 4) == "\0\0\0\0"sv)
    fail(Status::unsupported, "%s is safetensors: training data are text or JSON", name.c_str());
}

// Prose begins with a brace or bracket too ("[1] See below", "[[Link]]"): a quote or a brace must follow.
bool begins_like_json(std::string_view text, const Watch& watch) {
  const size_t at = skip_space(text, 0, watch);
  if (at == text.size() || (text[at] != '{' && text[at] != '[')) return false;
  const size_t next = skip_space(text, at + 1, watch);
  if (next == text.size()) return text[at] == '{';
  return text[at] == '{' ? text[next] == '"' || text[next] == '\'' || text[next] == '}' : text[next] == '{' || text[next] == '"' || text[next] == ']';
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
  const auto line = static_cast<long long>(1 + std::count(text.begin(), text.begin() + ptrdiff_t(at), '\n'));
  if (text[at] == '\0')
    fail(Status::bad_file, "%s: byte %zu (line %lld) is 0: this is no text, or text in UTF-16; training data are UTF-8 text or JSON", name.c_str(), at, line);
  fail(Status::bad_file, "%s: byte %zu (line %lld) is not UTF-8; if this is text, convert it (iconv -f WINDOWS-1252 -t UTF-8)", name.c_str(), at, line);
}

}  // namespace

Content content_of(std::string_view bytes, const std::string& name, bool must_be_rows, const Watch& watch) {
  refuse_other_files(bytes, name);
  Content c{bytes.starts_with("\xEF\xBB\xBF") ? bytes.substr(3) : bytes, must_be_rows};
  const std::string end = ending(name);
  c.rows |= end == ".jsonl" || end == ".json" || end == ".ndjson" || end == ".jsonlines" || end == ".jl" || begins_like_json(c.text, watch);
  if (c.rows) return c;
  if (end == ".csv" || end == ".tsv")
    fail(Status::unsupported, "%s is a table: write its rows as JSON lines, with pandas: read_csv(file).to_json('data.jsonl', orient='records', lines=True)",
         name.c_str());
  if (end == ".yaml" || end == ".yml" || end == ".toml" || end == ".xml")
    fail(Status::unsupported, "%s: %s is not read: write its rows as JSON lines, or name the file .txt if it is one text", name.c_str(), end.c_str());
  require_text(c.text, name, watch);
  return c;
}

}  // namespace puna::train
