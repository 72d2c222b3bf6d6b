// What a data file is, by its bytes: people's files are named as they like, and nothing that is no text is learned as
// if it were.
#include "train/data_fixture.h"

using namespace puna;
using namespace puna::test;
using namespace std::string_literals;

namespace {

std::string refused(const std::string& name, const std::string& bytes) {
  Reading r;
  r.name = name;
  return r.refusal(bytes);
}

}  // namespace

TEST_CASE("JSON lines are recognised under any file name", "[train]") {
  for (const char* name :
       {"T.JSONL", "t.jsonl", "t.ndjson", "t.json", "t.txt", "t", "t.csv", "-", "x.d/t", "t.JsonL.GZ"}) {
    Reading r;
    r.name = name;
    CAPTURE(name);
    CHECK(r.rows("{\"prompt\": \"ab\", \"completion\": \"cd\"}\n") == Lines{"ab{cd$}"});
  }
}

TEST_CASE("a byte-order mark and Windows' ends of lines change no row", "[train]") {
  Reading r;
  const std::string bom = "\xEF\xBB\xBF", row = "{\"prompt\": \"ab\", \"completion\": \"cd\"}";
  CHECK(r.rows(bom + row + "\r\n\r\n" + row + "\r\n") == Lines{"ab{cd$}", "ab{cd$}"});
  CHECK(r.rows(row + "\n" + bom + row) == Lines{"ab{cd$}", "ab{cd$}"});  // two files behind each other
  CHECK(r.rows(bom + "[" + row + "]") == Lines{"ab{cd$}"});
}

TEST_CASE("prose is learned without its byte-order mark, with lines that end in LF", "[train]") {
  Reading r;
  r.name = "t.txt";
  CHECK(r.rows("\xEF\xBB\xBFone\r\ntwo\rthree\n") == Lines{"{one\ntwo\nthree\n$}"});
  CHECK(says(r.told(), {"ends of lines", "t.txt"}));
  for (const char* prose : {"[1] See below", "[[Link]]", "{{Infobox}}", "{ x }", "BZh! said he", "ORCHARDS",
                            "GGUF is a format", "PAR1 is one too", "\"Yes,\" he said.", "3"}) {
    CAPTURE(prose);
    CHECK(r.rows(prose) == Lines{"{" + std::string(prose) + "$}"});
  }
}

TEST_CASE("what is neither text nor JSON is refused by its name", "[train]") {
  const auto zeros = std::string(300, '\0');
  std::string tar = zeros;
  tar.replace(257, 5, "ustar");
  const std::pair<const char*, std::string> files[] = {
      {"gzip", "\x1F\x8B\x08"s + zeros},
      {"ZIP", "PK\x03\x04"s + zeros},
      {"Zstandard", "\x28\xB5\x2F\xFD"s},
      {"bzip2", "BZh9"s + zeros},
      {"xz", "\xFD\x37zXZ\0\0"s},
      {"Parquet", "PAR1\x15\x04\x15"s + zeros + "PAR1"},
      {"Arrow", "ARROW1\0\0"s},
      {"Arrow stream", "\xFF\xFF\xFF\xFF\x10"s},
      {"pickle", "\x80\x04\x95."s},
      {"PDF", "%PDF-1.7\n"s},
      {"tar", tar},
      {"7z", "7z\xBC\xAF\x27\x1C"s},
      {"SQLite", "SQLite format 3\0"s},
      {"HDF5", "\x89HDF\r\n\x1A\n"s},
      {"RTF", "{\\rtf1 text}"s},
      {"Git LFS", "version https://git-lfs.github.com/spec/v1\noid sha256:0\n"s},
      {"UTF-16", "\xFF\xFE{\0\"\0"s},
      {"UTF-16", "\xFE\xFF\0{\0\""s},
      {"UTF-32", "\xFF\xFE\0\0{\0\0\0"s},
      {"safetensors", "\x02\0\0\0\0\0\0\0{\"a\":{}}"s},
      {"GGUF", "GGUF\x03\0\0\0"s},
      {"Avro", "Obj\x01\x04"s}};
  for (const auto& [name, bytes] : files)
    for (const char* file : {"data", "data.txt", "data.jsonl"}) {
      CAPTURE(name, file);
      CHECK(says(refused(file, bytes), {file, name}));
    }
}

TEST_CASE("text in another encoding is refused where it stops being UTF-8", "[train]") {
  CHECK(says(refused("t.txt", "fine\ncaf\xE9\n"), {"t.txt", "byte 8", "line 2", "not UTF-8", "iconv"}));
  CHECK(says(refused("t.txt", "a\0b\0c\0"s), {"byte 1", "UTF-16"}));
  CHECK(says(refused("t.jsonl", "{\"text\": \"caf\xE9\"}"), {"line 1, column", "UTF-8"}));
  CHECK(says(refused("t.jsonl", "{\"text\": \"a\0b\"}"s), {"line 1, column", "NUL"}));
}

TEST_CASE("tables and markup by their names are refused with what to do instead, empty files too", "[train]") {
  CHECK(says(refused("t.csv", "prompt,completion\na,b\n"), {"t.csv", "table", "to_json"}));
  CHECK(says(refused("t.TSV", "prompt\tcompletion\na\tb\n"), {"table"}));
  CHECK(says(refused("t.yaml", "- prompt: a\n"), {".yaml"}));
  for (const char* nothing : {"", " \n", "\xEF\xBB\xBF"})
    CHECK(says(refused("t.txt", nothing), {"t.txt", "nothing in it"}));
}

TEST_CASE("a file named as JSON that is prose is an error with its place", "[train]") {
  CHECK(says(refused("t.jsonl", "Call me Ishmael.\n"), {"t.jsonl, line 1, column 1", "not valid JSON"}));
  CHECK(says(refused("t.txt", "{'text': 'a'}"), {"t.txt, line 1, column 2", "double quotes"}));
}
