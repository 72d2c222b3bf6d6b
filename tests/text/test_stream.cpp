// test_stream.cpp -- StreamDecoder: however the bytes are cut, the text is the same, valid UTF-8, and as early as it
// can be.
#include "puna/text/tokenizer.h"
#include "support/catch.h"

using namespace puna;

namespace {
std::string whole(const std::string& bytes) {
  StreamDecoder d;
  const std::string text = d.push(bytes);
  return text + d.flush();
}
}  // namespace

TEST_CASE("Malformed bytes become U+FFFD by maximal subparts, wherever the stream is cut", "[text]") {
  const std::string R = "\xEF\xBF\xBD";
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"plain", "plain"},
      {"h\xC3\xA9llo \xF0\x9F\x98\x80!", "h\xC3\xA9llo \xF0\x9F\x98\x80!"},
      {"\xFF\xC0\x80", R + R + R},
      {"\xE2\x28\xA1", R + "(" + R},
      {"\xF0\x9F\x98"
       "A",
       R + "A"},
      {"\xED\xA0\x80", R + R + R},  // a surrogate
      {"\xED\xA0", R + R},
      {"\xF4\x90\x80\x80", R + R + R + R},  // above U+10FFFF
      {"\x61\xF1\x80\x80\xE1\x80\xC2\x62\x80\x63\x80\xBF\x64",
       "a" + R + R + R + "b" + R + "c" + R + R + "d"},  // Unicode 16.0, table 3-8
      {"\xE2\x82", R},
  };
  for (const auto& [bytes, text] : cases) {
    CHECK(whole(bytes) == text);
    for (size_t cut = 0; cut <= bytes.size(); ++cut) {
      StreamDecoder d;
      std::string got = d.push(bytes.substr(0, cut));
      got += d.push(bytes.substr(cut));
      CHECK(got + d.flush() == text);
    }
    StreamDecoder by_byte;
    std::string got;
    for (const char c : bytes) got += by_byte.push({&c, 1});
    CHECK(got + by_byte.flush() == text);
  }
}

TEST_CASE("Nothing is held back that is complete, and flush leaves the decoder fresh", "[text]") {
  StreamDecoder d;
  CHECK(d.push("a\xC3\xA9\xE2") == "a\xC3\xA9");
  CHECK(d.push("\x82") == "");
  CHECK(d.push("\xAC") == "\xE2\x82\xAC");
  CHECK(d.flush() == "");
  CHECK(d.push("\xF0\x9F") == "");
  CHECK(d.flush() == "\xEF\xBF\xBD");
  CHECK(d.push("b") == "b");
}
