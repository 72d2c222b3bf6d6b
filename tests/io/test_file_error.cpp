// test_file_error.cpp -- names from hostile files: what a message shows of them.
#include "io/file_error.h"
#include "support/catch.h"

using puna::io::display;

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
