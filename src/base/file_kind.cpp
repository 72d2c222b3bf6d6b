#include "base/file_kind.h"

#include <algorithm>

#include "puna/base/error.h"

namespace puna {
namespace {

using namespace std::string_view_literals;
using enum FileFamily;

constexpr FileKind kKinds[] = {
    {"\x1F\x8B"sv, 0, "gzip", packed},
    {"PK\x03\x04"sv, 0, "a ZIP archive (so are .docx, .xlsx, .npz and .pt)", packed},
    {"PK\x05\x06"sv, 0, "an empty ZIP archive", packed},
    {"\x28\xB5\x2F\xFD"sv, 0, "Zstandard", packed},
    {"BZh"sv, 0, "bzip2", packed},
    {"\x1F\x9D"sv, 0, "compress (.Z)", packed},
    {"\xFD\x37zXZ\0"sv, 0, "xz", packed},
    {"\x04\x22\x4D\x18"sv, 0, "LZ4", packed},
    {"7z\xBC\xAF\x27\x1C"sv, 0, "a 7z archive", packed},
    {"Rar!\x1A\x07"sv, 0, "a RAR archive", packed},
    {"ustar"sv, 257, "a tar archive", packed},
    {"PAR1"sv, 0, "Parquet", parquet},
    {"ARROW1"sv, 0, "Arrow", columns},
    {"\xFF\xFF\xFF\xFF"sv, 0, "an Arrow stream", arrow_stream},
    {"Obj\x01"sv, 0, "Avro", columns},
    {"ORC"sv, 0, "ORC", columns},
    {"\x89HDF\r\n\x1A\n"sv, 0, "HDF5", columns},
    {"SQLite format 3\0"sv, 0, "an SQLite database", columns},
    {"\xD0\xCF\x11\xE0"sv, 0, "an old Office document", office},
    {"{\\rtf"sv, 0, "RTF", office},
    {"%PDF-"sv, 0, "PDF", pdf},
    {"version https://git-lfs.github.com/spec/"sv, 0, "a Git LFS pointer, not the file itself", pointer},
    {"GGUF"sv, 0, "a GGUF model", other},
    {"\x93NUMPY"sv, 0, "a NumPy array", other},
    {"\x89PNG"sv, 0, "a picture", other},
    {"\xFF\xD8\xFF"sv, 0, "a picture", other},
    {"\x7F"
     "ELF"sv,
     0, "a program", other},
    {"\xFF\xFE\0\0"sv, 0, "UTF-32", utf32},
    {"\xFF\xFE"sv, 0, "UTF-16", utf16},
    {"\xFE\xFF"sv, 0, "UTF-16", utf16},
};
constexpr FileKind kPickle = {{}, 0, "a Python pickle", pickle}, kSafetensors = {{}, 0, "safetensors", other};

bool has_controls(std::string_view bytes) noexcept {
  return std::any_of(bytes.begin(), bytes.end(),
                     [](char c) { return (c >= 0 && c < 9) || (c > 13 && c < 32 && c != 27); });
}

// Prose that has them there by chance is to be thought of.
bool may_be_prose(const FileKind& kind) noexcept {
  return (kind.at != 0 || kind.bytes.size() < 5) &&
         std::all_of(kind.bytes.begin(), kind.bytes.end(), [](char c) { return c > 32 && c < 127; });
}

// Protocols 2 to 5 begin with their number and end with a full stop.
bool is_pickle(std::string_view b) noexcept {
  return b.size() > 2 && b[0] == '\x80' && b[1] >= 2 && b[1] <= 5 && b.back() == '.';
}

bool is_safetensors(std::string_view b) noexcept {
  return b.size() > 9 && b.substr(8).starts_with("{\"") && b.substr(4, 4) == "\0\0\0\0"sv;
}

}  // namespace

const FileKind* kind_of_file(std::string_view bytes) noexcept {
  for (const FileKind& kind : kKinds)
    if (bytes.size() >= kind.at && bytes.substr(kind.at).starts_with(kind.bytes) &&
        (!may_be_prose(kind) || has_controls(bytes.substr(0, 64))))
      return &kind;
  return is_pickle(bytes) ? &kPickle : is_safetensors(bytes) ? &kSafetensors : nullptr;
}

void require_text_file(std::string_view bytes, const std::string& file, const char* expected) {
  if (const FileKind* const kind = kind_of_file(bytes))
    fail(Status::unsupported, "%s is %s, expected %s", file.c_str(), kind->name, expected);
}

}  // namespace puna
