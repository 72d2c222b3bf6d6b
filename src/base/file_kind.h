// file_kind.h -- files that are no text, by how they begin: what is given where text is expected says what it is.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>

namespace puna {

// What can be done about it goes by this.
enum class FileFamily { packed, parquet, columns, arrow_stream, office, pdf, pointer, other, utf16, utf32, pickle };

struct FileKind {
  std::string_view bytes;  // it has these ...
  size_t at;               // ... here
  const char* name;        // "gzip", "a ZIP archive", "Parquet"
  FileFamily family;
};

// NULL: it may be text. Prose may begin with the letters of a format ("ORCHARDS"): those formats have control
// characters near them, which no text has.
const FileKind* kind_of_file(std::string_view bytes) noexcept;

// For readers of text that know no better remedy. Error{unsupported} "a.db is an SQLite database, expected JSON lines".
void require_text_file(std::string_view bytes, const std::string& file, const char* expected);

}  // namespace puna
