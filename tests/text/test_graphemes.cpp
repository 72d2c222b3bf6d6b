// Grapheme clusters: cut as another implementation of Unicode 16.0 cuts them (tests/data/text/make_graphemes.py), and
// counted as platforms count.
#include <sstream>

#include "base/os.h"
#include "base/utf8.h"
#include "puna/text/graphemes.h"
#include "support/catch.h"

using namespace puna;

namespace {

std::vector<std::string> clusters_of(const std::string& text) {
  std::vector<std::string> clusters;
  for (size_t at = 0; at < text.size();) {
    const size_t end = grapheme_end(text, at);
    REQUIRE(end > at);
    REQUIRE(end <= text.size());
    clusters.push_back(text.substr(at, end - at));
    at = end;
  }
  return clusters;
}

}  // namespace

TEST_CASE("texts are cut into grapheme clusters as Unicode says", "[text][golden]") {
  std::istringstream lines(os::read_file(PUNA_SOURCE_DIR "/tests/data/text/graphemes.txt", 1 << 20));
  int64_t cases = 0;
  for (std::string line; std::getline(lines, line); ++cases) {
    CAPTURE(line);
    std::string text;
    std::vector<std::string> want;
    std::istringstream words(line);
    bool joined = true;
    for (std::string word; words >> word;) {
      if (word == "\u00f7" || word == "\u00d7") {
        joined = word == "\u00d7";
        continue;
      }
      if (!joined) want.emplace_back();
      append_utf8(want.back(), uint32_t(std::stoul(word, nullptr, 16)));
    }
    for (const std::string& w : want) text += w;
    CHECK(clusters_of(text) == want);
    CHECK(text_length(text).graphemes == int64_t(want.size()));
    // What begins at a boundary depends on nothing in front of it.
    for (size_t at = 0, i = 0; i < want.size(); at += want[i++].size())
      CHECK(grapheme_end(std::string_view(text).substr(at), 0) == want[i].size());
  }
  CHECK(cases > 1000);
}

TEST_CASE("characters are counted as people, as platforms and as UTF-16 count them", "[text]") {
  const auto is = [](std::string_view text, int64_t graphemes, int64_t columns, int64_t utf16) {
    CAPTURE(std::string(text));
    const TextLength n = text_length(text);
    CHECK(n.graphemes == graphemes);
    CHECK(n.columns == columns);
    CHECK(n.utf16 == utf16);
  };
  is("", 0, 0, 0);
  is("bread", 5, 5, 5);
  is("cafe\u0301", 4, 4, 5);
  is("\u30d1\u30f3", 2, 4, 2);                                // pan
  is("\uc548\ub155", 2, 4, 2);                                // annyeong
  is("\uff21", 1, 2, 1);                                      // a full-width A
  is("\U0001F469\u200D\U0001F469\u200D\U0001F467", 1, 2, 8);  // a family
  is("\U0001F1E7\U0001F1EA\U0001F1E7\U0001F1EA", 2, 4, 8);    // two flags
  is("1\uFE0F\u20E3", 1, 2, 3);                               // a keycap
  is("\u0915\u094d\u0937", 1, 1, 3);                          // a conjunct
  is("\u05e9\u05dc\u05d5\u05dd", 4, 4, 4);                    // from right to left
  is("a\xff\x80z", 4, 4, 4);                                  // malformed bytes
  CHECK(is_emoji_grapheme("\u2764\uFE0F"));
  CHECK_FALSE(is_emoji_grapheme("\u00a9"));
  CHECK_FALSE(is_emoji_grapheme("7"));
}
