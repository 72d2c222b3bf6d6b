// test_splitters.cpp -- the hand-written splitters against the regular expressions they stand for.
#include "text/splitters.h"

#include <chrono>

#include "puna/base/error.h"
#include "text/expectations.h"

using namespace puna;
using namespace puna::test;
using text::NextPiece;

namespace {

std::vector<NextPiece> splitters_of(const std::string& name) {
  const text::PreTokenizer& pre = text::pre_tokenizer(name);
  return pre.second ? std::vector<NextPiece>{pre.first, pre.second} : std::vector<NextPiece>{pre.first};
}

std::vector<size_t> lengths(const std::string& text, const std::vector<NextPiece>& splitters) {
  std::vector<size_t> out;
  text::split(text, splitters, [&](std::string_view piece) { out.push_back(piece.size()); });
  return out;
}

}  // namespace

TEST_CASE("Every splitter cuts where two regular expression engines cut", "[text]") {
  const auto files = expectations("splits");
  for (const auto& [name, splits] : files[0].second.items()) {
    const std::vector<NextPiece> splitters = splitters_of(name);
    const std::string pattern = splits["pattern"];
    if (!pattern.empty()) CHECK(text::splitter_for_pattern(pattern) == splitters[0]);
    REQUIRE(splits["cases"].size() > 100);
    for (const auto& c : splits["cases"]) {
      CAPTURE(name, c.dump());
      CHECK(lengths(c[0], splitters) == c[1].get<std::vector<size_t>>());
    }
  }
}

TEST_CASE("A pre-tokenizer we do not know is refused, with a list of those we do", "[text]") {
  for (const char* name : {"default", "", "falcon", "LLAMA4"}) {
    try {
      text::pre_tokenizer(name);
      FAIL("accepted " << name);
    } catch (const Error& e) {
      CHECK(e.status() == Status::unsupported);
      CHECK_THAT(e.what(), Catch::Contains("tokenizer.ggml.pre") && Catch::Contains("'" + std::string(name) + "'") &&
                               Catch::Contains("llama-bpe") && Catch::EndsWith("exaone4"));
    }
  }
  CHECK(text::splitter_for_pattern("\\p{L}+") == nullptr);
}

TEST_CASE("Splitting is linear and loses nothing: a megabyte of one character, and of malformed bytes", "[text]") {
  for (const char* name : {"gpt-2", "llama-bpe", "llama4", "qwen2", "tekken", "smollm"}) {
    for (const std::string unit : {"a", "A", " ", "\n", "'", "1", "\xCC\x81",
                                   "\xCC\x81"
                                   "A",
                                   "\xFF", "\xE2\x96", "$A", " \n", "\xC3\x89", "a'", "\t "}) {
      std::string text;
      while (text.size() < (1u << 20)) text += unit;
      const auto start = std::chrono::steady_clock::now();
      size_t sum = 0;
      for (const size_t n : lengths(text, splitters_of(name))) sum += n;
      CAPTURE(name, unit);
      CHECK(sum == text.size());
      CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(20));  // quadratic would be hours
    }
  }
}
