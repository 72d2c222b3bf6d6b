// A vocabulary made from a text: the textbook's example, every byte kept, the same result each time, and it is a tokenizer.
#include <algorithm>
#include <map>

#include "puna/base/error.h"
#include "puna/text/tokenizer.h"
#include "puna/text/train_bpe.h"
#include "support/catch.h"

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

TEST_CASE("a trained vocabulary is a tokenizer that loses nothing", "[text]") {
  const std::string text = "the cat and the hat and the bat sat on the mat, the end. \xC3\xA9t\xC3\xA9 \xC3\xA9t\xC3\xA9";
  const TokenizerPtr t = tokenizer_from_gguf(train_bpe(text, {300, 2, {"<|begin|>", "<|end|>"}, ""}));
  REQUIRE(t);
  std::string every;
  for (int b = 0; b < 256; ++b) every += char(b);
  for (const std::string& s : {text, every, std::string("the theatre")}) CHECK(t->decode(t->encode(s, false), true) == s);
  CHECK(t->encode(text, false).size() < text.size() / 2);
  CHECK(t->specials().bos == t->find("<|begin|>"));
  CHECK(t->specials().eos == t->find("<|end|>"));
  CHECK_THROWS_AS(train_bpe("", {}), Error);
  CHECK_THROWS_AS(train_bpe("x", {257, 2, {"<b>", "<e>"}, ""}), Error);
}
