// A vocabulary made from a text: the textbook's example, every byte kept, the same result each time, and it is a
// tokenizer.
#include <algorithm>
#include <cstring>
#include <map>

#include "puna/base/error.h"
#include "puna/text/tokenizer.h"
#include "puna/text/train_bpe.h"
#include "support/catch.h"
#include "support/status.h"

using namespace puna;

namespace {

// Merges by recounting every pair each time: what the quick way must give.
std::vector<std::string> plain_merges(const std::vector<std::string>& words, size_t wanted) {
  std::vector<std::vector<std::string>> all;
  std::vector<std::string> order, merges;
  for (int b = 0; b < 256; ++b) order.push_back(std::string(1, char(b)));
  for (const std::string& w : words) {
    all.emplace_back();
    for (const char c : w) all.back().push_back(std::string(1, c));
  }
  const auto id = [&](const std::string& s) { return std::find(order.begin(), order.end(), s) - order.begin(); };
  while (merges.size() < wanted) {
    std::map<std::pair<std::ptrdiff_t, std::ptrdiff_t>, int> counts;
    for (const auto& w : all)
      for (size_t k = 0; k + 1 < w.size(); ++k) ++counts[{id(w[k]), id(w[k + 1])}];
    auto best = counts.end();
    for (auto it = counts.begin(); it != counts.end(); ++it)
      if (best == counts.end() || it->second > best->second) best = it;
    if (best == counts.end() || best->second < 2) break;
    const std::string left = order[size_t(best->first.first)], right = order[size_t(best->first.second)];
    merges.push_back(left + "+" + right);
    order.push_back(left + right);
    for (auto& w : all)
      for (size_t k = 0; k + 1 < w.size(); ++k)
        if (w[k] == left && w[k + 1] == right) {
          w[k] += right;
          w.erase(w.begin() + std::ptrdiff_t(k) + 1);
        }
  }
  return merges;
}

}  // namespace

TEST_CASE("merges are those of counting all pairs each time", "[text]") {
  std::vector<std::string> words;
  std::string text;
  for (int i = 0; i < 400; ++i) {
    std::string w = text.empty() ? "" : " ";
    for (int k = 0; k < 2 + i * 7 % 5; ++k) w += "abca"[(i * i + k * 3) % 4];
    words.push_back(w);
    text += w;
  }
  const Metadata m = train_bpe(text, {256 + 2 + 30, 2, {"<b>", "<e>"}, ""});
  std::vector<std::string> got;
  for (std::string s : *m.strings("tokenizer.ggml.merges")) {
    const size_t middle = s.find(' ');
    s[middle] = '+';
    for (size_t at; (at = s.find("\xC4\xA0")) != std::string::npos;) s.replace(at, 2, " ");
    got.push_back(s);
  }
  const std::vector<std::string> want = plain_merges(words, 30);
  CHECK(got == want);
  CHECK(got.size() > 10);
}

TEST_CASE("a text that is one word of millions of letters takes as long as any", "[text]") {
  // The steps that would be taken are counted by the watch: with the square of the length it would be asked without
  // end.
  const auto work = [](size_t letters, const char* alphabet, size_t n) {
    std::string text;
    for (size_t i = 0; i < letters; ++i) text += alphabet[i * i % n];
    int asked = 0;
    const auto go_on = [&] { return ++asked > 0; };
    train_bpe(text, {270, 2, {"<b>", "<e>"}, ""}, Watch(go_on, std::chrono::microseconds(0)));
    return asked;
  };
  for (const std::string& alphabet : {std::string("a"), std::string("ab"), std::string("abcdefg")}) {
    const int some = work(50'000, alphabet.c_str(), alphabet.size()),
              more = work(400'000, alphabet.c_str(), alphabet.size());
    CAPTURE(alphabet, some, more);
    CHECK(more < 12 * some);
  }
  const Metadata m = train_bpe(std::string(3'000'000, 'a'), {270, 2, {"<b>", "<e>"}, ""});
  const std::vector<std::string>& merges = *m.strings("tokenizer.ggml.merges");
  REQUIRE(merges.size() == 12);
  CHECK(merges[0] == "a a");
  CHECK(merges[11].size() == 4097);  // 2048 letters twice
}

TEST_CASE("merges of one long word are those of counting all pairs each time", "[text]") {
  for (const char* alphabet : {"a", "ab", "aab", "abcab"}) {
    std::string word;
    for (uint32_t i = 0, x = 1; i < 700; ++i, x = x * 1664525 + 1013904223)
      word += alphabet[(x >> 16) % strlen(alphabet)];
    const Metadata m = train_bpe(word, {256 + 2 + 25, 2, {"<b>", "<e>"}, ""});
    std::vector<std::string> got;
    for (std::string s : *m.strings("tokenizer.ggml.merges")) {
      s[s.find(' ')] = '+';
      got.push_back(s);
    }
    CHECK(got == plain_merges({word}, 25));
  }
}

TEST_CASE("a vocabulary may be left while it is made", "[text]") {
  const auto no = [] { return false; };
  CHECK(test::status_of([&] {
          train_bpe(std::string(100'000, 'a'), {270, 2, {"<b>", "<e>"}, ""}, Watch(no, std::chrono::microseconds(0)));
        }) == Status::cancelled);
}

TEST_CASE("a trained vocabulary is a tokenizer that loses nothing", "[text]") {
  const std::string text =
      "the cat and the hat and the bat sat on the mat, the end. \xC3\xA9t\xC3\xA9 \xC3\xA9t\xC3\xA9";
  const TokenizerPtr t = tokenizer_from_gguf(train_bpe(text, {300, 2, {"<|begin|>", "<|end|>"}, ""}));
  REQUIRE(t);
  std::string every;
  for (int b = 0; b < 256; ++b) every += char(b);
  for (const std::string& s : {text, every, std::string("the theatre")})
    CHECK(t->decode(t->encode(s, false), true) == s);
  CHECK(t->encode(text, false).size() < text.size() / 2);
  CHECK(t->specials().bos == t->find("<|begin|>"));
  CHECK(t->specials().eos == t->find("<|end|>"));
  CHECK_THROWS_AS(train_bpe("", {}), Error);
  CHECK_THROWS_AS(train_bpe("x", {257, 2, {"<b>", "<e>"}, ""}), Error);
}
