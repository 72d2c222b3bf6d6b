// test_file_error.cpp -- names from hostile files: what is UTF-8, and what a message shows of them.
#include "io/file_error.h"
#include "support/catch.h"

using puna::io::display;
using puna::io::is_utf8;

TEST_CASE("UTF-8 is recognised as RFC 3629 has it", "[io]") {
  for (const char* good : {"", "abc", "\xC2\x80", "\xDF\xBF",
                           "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEE\x80\x80", "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF"})
    CHECK(is_utf8(good));
  for (const char* bad : {"\x80", "\xC0\x80", "\xC1\xBF", "\xC2", "\xC2z", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xEF\xBF", "\xF0\x8F\xBF\xBF",
                          "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF", "ok\xFE"})
    CHECK_FALSE(is_utf8(bad));
}

TEST_CASE("a message shows names safely and briefly", "[io]") {
  CHECK(display("blk.0.attn_q.weight") == "blk.0.attn_q.weight");
  CHECK(display("\x1B[31mred\n") == "\\x1B[31mred\\x0A");
  CHECK(display("\xC3\xA9\xFF") == "\xC3\xA9\\xFF");
  CHECK(display(std::string("a\0b", 3)) == "a\\x00b");
  const std::string cut = display(std::string(100000, 'x'));
  CHECK(cut.size() < 110);
  CHECK(cut.substr(cut.size() - 3) == "...");
}

TEST_CASE("an error keeps the tail of a long path and the whole sentence", "[io]") {
  const std::string path = "/" + std::string(4000, 'd') + "/model.gguf";
  CHECK_THROWS_WITH(puna::io::fail_in(path, puna::Status::bad_file, "field %d is wrong", 7),
                    Catch::Contains("/model.gguf'") && Catch::Contains("field 7 is wrong"));
}
