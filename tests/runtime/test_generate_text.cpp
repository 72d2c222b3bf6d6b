// test_generate_text.cpp -- what may be shown, and when: stop strings cut anywhere, characters cut anywhere, special
// tokens.
#include <algorithm>

#include "puna/base/error.h"
#include "puna/runtime/sampler.h"  // philox: random cuts
#include "runtime/generate/generate_text.h"
#include "support/catch.h"

using namespace puna;

namespace {

using Strings = std::vector<std::string>;

// The text shown for `text` arriving in the given pieces, and whether it was stopped.
std::pair<std::string, bool> shown(const Strings& pieces, const Strings& stops) {
  StopStrings s{std::span(stops)};
  std::string out;
  for (const std::string& p : pieces) out += s.push(p);
  out += s.finish();
  return {out, s.matched()};
}

// By the definition: the first end at which any stop string is complete, the longest there.
std::pair<std::string, bool> reference(const std::string& text, const Strings& stops) {
  for (size_t end = 1; end <= text.size(); ++end) {
    size_t longest = 0;
    for (const std::string& s : stops) {
      if (s.size() <= end && text.compare(end - s.size(), s.size(), s) == 0) longest = std::max(longest, s.size());
    }
    if (longest > 0) return {text.substr(0, end - longest), true};
  }
  return {text, false};
}

Strings cut(const std::string& text, uint64_t seed) {
  Strings pieces(1);
  for (size_t i = 0; i < text.size(); ++i) {
    if (philox(seed, i).word[0] % 3 == 0) pieces.emplace_back();
    pieces.back() += text[i];
  }
  return pieces;
}

class FakeTokenizer : public Tokenizer {
 public:
  FakeTokenizer(Strings pieces, int32_t special) : pieces_(std::move(pieces)), special_(special) {}
  int32_t size() const noexcept override { return int32_t(pieces_.size()); }
  std::vector<int32_t> encode(std::string_view, bool, const Watch&) const override { return {}; }
  std::string_view bytes(int32_t id) const override { return pieces_.at(size_t(id)); }
  TokenKind kind(int32_t id) const override { return id == special_ ? TokenKind::control : TokenKind::normal; }
  int32_t find(std::string_view) const noexcept override { return -1; }

 private:
  Strings pieces_;
  int32_t special_;
};

}  // namespace

TEST_CASE("a stop string is found wherever tokens cut it, and nothing of it is shown", "[runtime]") {
  CHECK(shown({"one ", "EN", "D two"}, {"END"}) == std::make_pair(std::string("one "), true));
  CHECK(shown({"one EN", "DED"}, {"ENDER"}) == std::make_pair(std::string("one ENDED"), false));
  CHECK(shown({"aaab"}, {"aab"}) == std::make_pair(std::string("a"), true));
  CHECK(shown({"ab", "ab", "ac"}, {"abac"}) == std::make_pair(std::string("ab"), true));
  CHECK(shown({"abc", "d"}, {"abcd", "bc"}) == std::make_pair(std::string("a"), true));
  CHECK(shown({"xabc"}, {"bc", "abc", "c"}) == std::make_pair(std::string("x"), true));
  CHECK(shown({"x"}, {"x"}) == std::make_pair(std::string(), true));
  CHECK(shown({"a\n", "\nb"}, {"\n\n"}) == std::make_pair(std::string("a"), true));
  CHECK(shown({"text"}, {}) == std::make_pair(std::string("text"), false));
}

TEST_CASE("stop strings agree with their definition on random texts, stop strings and cuts", "[runtime]") {
  size_t stopped = 0;
  for (uint64_t seed = 0; seed < 3000; ++seed) {
    uint64_t n = 0;
    const auto next = [&] { return philox(seed, n++, 1).word[0]; };
    const auto word = [&](size_t length) {
      std::string w;
      while (w.size() < length) w += next() % 2 ? 'a' : 'b';
      return w;
    };
    const std::string text = word(40);
    Strings stops;
    for (uint32_t i = 0, count = 1 + next() % 3; i < count; ++i) stops.push_back(word(3 + next() % 8));
    const auto want = reference(text, stops);
    if (shown(cut(text, seed), stops) != want) {
      CAPTURE(seed, text, stops, want.first);
      FAIL("another text than the definition gives");
    }
    stopped += want.second;
  }
  CHECK(stopped > 500);
  CHECK(stopped < 2900);
}

TEST_CASE("text is shown as soon as it cannot become a stop string", "[runtime]") {
  const Strings stops{"###", "<end>"};
  StopStrings s{std::span(stops)};
  CHECK(s.push("Hello") == "Hello");
  CHECK(s.push(" #") == " ");
  CHECK(s.push("#") == "");
  CHECK(s.push("!<e") == "##!");
  CHECK(s.push("n") == "");
  CHECK(s.push("ds<") == "<ends");
  CHECK_FALSE(s.matched());
  CHECK(s.finish() == "<");
  CHECK(s.finish() == "");
}

TEST_CASE("a stop string that is empty or begins inside a character is refused", "[runtime]") {
  const Strings empty{"ok", ""}, middle{"\xa9"};
  CHECK_THROWS_WITH(StopStrings(std::span(empty)), Catch::Contains("stop_strings[1]"));
  CHECK_THROWS_WITH(StopStrings(std::span(middle)), Catch::Contains("stop_strings[0]"));
}

TEST_CASE("no half character is shown, special tokens only on request", "[runtime]") {
  const FakeTokenizer tokenizer({"a", "\xe2", "\x82", "\xac", "<|eot|>", "\xf0\x9f"}, 4);
  const auto pieces = [&](bool keep_special, const Strings& stops, const std::vector<int32_t>& ids) {
    AnswerText text(&tokenizer, keep_special, stops);
    Strings out;
    for (const int32_t id : ids) out.push_back(text.push(id));
    out.push_back(text.finish());
    return out;
  };
  CHECK(pieces(false, {}, {0, 1, 2, 3, 0}) == Strings{"a", "", "", "€", "a", ""});
  CHECK(pieces(false, {}, {0, 4, 0}) == Strings{"a", "", "a", ""});
  CHECK(pieces(true, {}, {0, 4, 0}) == Strings{"a", "<|eot|>", "a", ""});
  CHECK(pieces(false, {}, {0, 5}) == Strings{"a", "", "\xef\xbf\xbd"});  // the stream ends inside a character
  CHECK(pieces(false, {}, {5, 0}) == Strings{"",
                                             "\xef\xbf\xbd"
                                             "a",
                                             ""});
  CHECK(pieces(false, {"€a"}, {0, 1, 2, 3, 0, 0}) == Strings{"a", "", "", "", "", "", ""});
  CHECK(pieces(false, {"€a"}, {1, 2, 3, 5}) == Strings{"", "", "", "", "€\xef\xbf\xbd"});
  CHECK(pieces(false, {}, {6, 319, 0}) == Strings{"", "", "a", ""});  // rows of the embedding that are no tokens
  AnswerText none(nullptr, true, {});
  CHECK(none.push(3) == "");
  CHECK(none.finish() == "");
}
