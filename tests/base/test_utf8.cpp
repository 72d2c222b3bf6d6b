// test_utf8.cpp -- what is UTF-8, what is no text, and what messages show of it.
#include "base/shown.h"
#include "base/utf8.h"
#include "support/catch.h"

using namespace puna;

TEST_CASE("UTF-8 is recognised as RFC 3629 has it", "[base]") {
  for (const char* good : {"", "abc", "\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEE\x80\x80",
                           "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF"})
    CHECK(is_utf8(good));
  for (const char* bad : {"\x80", "\xC0\x80", "\xC1\xBF", "\xC2", "\xC2z", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xEF\xBF",
                          "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF", "ok\xFE"})
    CHECK_FALSE(is_utf8(bad));
}

TEST_CASE("the first byte that is no text is found, wherever the strides between two looks at the watch end",
          "[base]") {
  CHECK(find_non_text("") == std::string::npos);
  for (const size_t before :
       {size_t(0), size_t(1), size_t(4094), size_t(4095), size_t(4096), size_t(4097), size_t(10000)}) {
    CAPTURE(before);
    const std::string text(before, 'x');
    CHECK(find_non_text(text + "\xE2\x82\xAC\xF0\x9F\x98\x80 ") == std::string::npos);
    CHECK(find_non_text(text + "\xE2\x82") == before);
    CHECK(find_non_text(text + "\xC3\xA9\xFFz") == before + 2);
    CHECK(find_non_text(text + '\0' + "\xFF") == before);
  }
}

TEST_CASE("a text from outside is shown short, whole in its characters, and without what a terminal obeys", "[base]") {
  CHECK(shown("blue") == "blue");
  CHECK(shown("\x1B[31m\nred\x7F\xFF") == "?[31m?red??");
  CHECK(shown(std::string(60, 'x')) == std::string(60, 'x'));
  CHECK(shown(std::string(61, 'x')) == std::string(60, 'x') + "...");
  CHECK(shown(std::string(59, 'x') + "\xC3\xA9") == std::string(59, 'x') + "...");
}
