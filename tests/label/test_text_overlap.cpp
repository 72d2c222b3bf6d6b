// Near-duplicates and contamination: exact by comparison with all pairs and with plain searching.
#include <algorithm>
#include <chrono>
#include <set>

#include "puna/base/philox.h"
#include "puna/label/text_overlap.h"
#include "puna/text/duplicates.h"
#include "support/catch.h"
#include "support/status.h"

using namespace puna;
using namespace puna::label;
using namespace puna::test;

namespace {

// Texts of 40 to 70 words; every fifth is an earlier one with up to `changes` words exchanged.
std::vector<std::string> made(int count, uint64_t seed, uint32_t changes) {
  std::vector<std::string> texts;
  uint64_t at = 0;
  const auto draw = [&](uint64_t n) { return philox(seed, at++).word[0] % n; };
  for (int i = 0; i < count; ++i) {
    std::vector<std::string> words;
    if (i % 5 == 4) {
      std::string word;
      for (const char c : texts[size_t(draw(uint64_t(i)))] + " ") {
        if (c != ' ') word += c;
        if (c == ' ' && !word.empty()) words.push_back(std::exchange(word, ""));
      }
      for (uint64_t n = draw(changes + 1); n > 0; --n) words[draw(words.size())] = "other" + std::to_string(draw(100));
    } else {
      for (uint64_t n = 40 + draw(30); n > 0; --n) words.push_back("w" + std::to_string(draw(5000)));
    }
    std::string text;
    for (const std::string& w : words) text += w + " ";
    texts.push_back(text);
  }
  return texts;
}

std::vector<std::string_view> views(const std::vector<std::string>& texts) { return {texts.begin(), texts.end()}; }

}  // namespace

TEST_CASE("pairs above the similarity are found, and only those", "[label]") {
  const std::vector<std::string> texts = made(200, 3, 4);
  const Duplicates d = find_duplicates(views(texts));
  int64_t wanted = 0, found = 0;
  for (size_t j = 0; j < texts.size(); ++j)
    for (size_t i = 0; i < j; ++i) {
      if (similarity_of(texts[i], texts[j]) < 0.8) continue;
      ++wanted;
      found += d.group[i] == d.group[j];
    }
  CHECK(wanted > 10);
  CHECK(double(found) >= 0.99 * double(wanted));  // 99.8 % of each on average
  for (const Duplicate& l : d.links) {
    CHECK(l.similarity == similarity_of(texts[size_t(l.first)], texts[size_t(l.second)]));
    CHECK((l.similarity >= 0.8 && l.first < l.second));
    CHECK(d.group[size_t(l.first)] == d.group[size_t(l.second)]);
  }
  // A group hangs together by its links: one less than its texts.
  const std::set<int64_t> groups(d.group.begin(), d.group.end());
  CHECK(d.links.size() == texts.size() - groups.size());
}

TEST_CASE("case, punctuation and white space make no difference; short texts are compared by characters", "[label]") {
  const std::vector<std::string_view> texts = {"The quick brown fox jumps over the lazy dog, twice.",
                                               "the  QUICK brown fox\njumps over the lazy dog twice",
                                               "colour",
                                               "Colour!",
                                               "?!",
                                               "",
                                               "another text that is alone in this list of texts"};
  const Duplicates d = find_duplicates(texts);
  CHECK(d.group == std::vector<int64_t>{0, 0, 2, 2, 4, 5, 6});
  CHECK(d.without_words == 2);
  CHECK(similarity_of("a b c d e f", "a b c d e g") == Approx(1.0 / 3));
  CHECK(similarity_of("abcdef", "abcdeg") == Approx(1.0 / 3));
  CHECK(similarity_of("\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9", "\u00e9\u00e9\u00e9\u00e9\u00e9") == 1);  // one 5-gram
}

TEST_CASE("a thousand equal texts are one group with a thousand links", "[label]") {
  const std::vector<std::string_view> texts(1000, "one and the same text of some words");
  const Duplicates d = find_duplicates(texts);
  CHECK((d.links.size() == 999 && d.candidates == 0));
}

TEST_CASE("an item is contaminated by thirteen words in a row, a short one by all of it", "[label]") {
  const std::vector<std::string_view> items = {
      "one two three four five six seven eight nine ten eleven twelve thirteen fourteen",  // its last thirteen
      "a b c d e f g h",                                                                   // eight words
      "a b c d e f g",                                                                     // seven: not looked for
      "one two three four five six seven eight nine ten eleven twelve something else",     // twelve in a row
      "x x x x x x x x x x x x x x x x x x x x",
  };
  ContaminationIndex index(items);
  index.search("Zero! TWO, three four five six (seven) eight nine ten eleven twelve thirteen fourteen fifteen",
               "doc 1");
  index.search("and a b c d e f", "doc 2");
  index.search("g h", "doc 3");  // no item crosses documents
  CHECK(index.too_short() == 1);
  REQUIRE(index.hits().size() == 1);
  CHECK(index.hits()[0].item == 0);
  CHECK(index.hits()[0].document == "doc 1");
  CHECK(index.hits()[0].words == "two three four five six seven eight nine ten eleven twelve thirteen fourteen");
  index.search("so a B c-d... a b c d e f g h i", "doc 4");
  index.search(std::string("x x x x x x x x x x x x x"), "doc 5");
  CHECK(index.hits().size() == 3);
}

TEST_CASE("what is found is what searching the texts finds", "[label]") {
  const std::vector<std::string> texts = made(120, 9, 12);
  const std::vector<std::string_view> all = views(texts), items(all.begin(), all.begin() + 60);
  ContaminationIndex index(items);
  for (size_t i = 60; i < all.size(); ++i) index.search(all[i], std::to_string(i));
  std::vector<int64_t> found;
  for (const auto& h : index.hits()) found.push_back(h.item);
  std::vector<int64_t> wanted;
  for (size_t i = 0; i < items.size(); ++i) {
    bool hit = false;
    std::vector<size_t> begin;
    for (size_t at = 0; at < items[i].size(); ++at)
      if (at == 0 || items[i][at - 1] == ' ') begin.push_back(at);
    for (size_t w = 0; w + 13 <= begin.size() && !hit; ++w) {
      const size_t end = w + 13 < begin.size() ? begin[w + 13] : items[i].size();
      const std::string gram = " " + std::string(items[i].substr(begin[w], end - begin[w]));
      for (size_t d = 60; d < all.size() && !hit; ++d) hit = (" " + texts[d]).find(gram) != std::string::npos;
    }
    if (hit) wanted.push_back(int64_t(i));
  }
  CHECK(wanted.size() > 2);
  CHECK(found == wanted);
}

TEST_CASE("a watch stops it", "[label]") {
  const std::vector<std::string> texts = made(200, 3, 4);
  const auto no = [] { return false; };
  const Watch watch(no, std::chrono::microseconds(0));
  CHECK(status_of([&] { find_duplicates(views(texts), {}, watch); }) == Status::cancelled);
  DuplicateOptions o;
  o.similarity = 0;
  CHECK(status_of([&] { find_duplicates(views(texts), o); }) == Status::invalid_argument);
}

TEST_CASE("100,000 texts are compared in seconds", "[label][slow]") {
  const std::vector<std::string> texts = made(100'000, 4, 3);
  const std::vector<std::string_view> all = views(texts);
  const auto start = std::chrono::steady_clock::now();
  const Duplicates d = find_duplicates(all);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  WARN("100,000 texts: " << seconds << " s, " << d.links.size() << " links, " << d.candidates << " pairs compared");
  CHECK(seconds < 100);
}
