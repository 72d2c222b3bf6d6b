// Regular expressions as people write them, against the C++ standard library's reading of ECMAScript.
#include <random>
#include <regex>

#include "grammar/schema_texts.h"
#include "puna/grammar/grammar.h"
#include "support/catch.h"
#include "support/status.h"

namespace puna::test {
namespace {

// A random expression over a and b, of at most so many parts.
std::string random_pattern(std::mt19937& random, int size) {
  const auto below = [&](int n) { return int(random() % unsigned(n)); };
  if (size <= 1) {
    static const char* const kAtoms[] = {"a", "b", ".", "[ab]", "[^a]", "a", "b", "^", "$", "(?:)"};
    return kAtoms[below(10)];
  }
  const int left = 1 + below(size - 1);
  switch (below(6)) {
    case 0: return "(?:" + random_pattern(random, left) + "|" + random_pattern(random, size - left) + ")";
    case 1: {
      static const char* const kCounts[] = {"*", "+", "?", "{2}", "{0,2}", "{1,}", "*?"};
      const std::string inner = random_pattern(random, size - 1);
      // The standard library forgets what an anchor or an empty match inside a loop means; the next test has those.
      if (inner.find_first_of("^$") != std::string::npos || inner.find("(?:)") != std::string::npos) return inner;
      return "(?:" + inner + ")" + kCounts[below(7)];
    }
    default: return random_pattern(random, left) + random_pattern(random, size - left);
  }
}

std::vector<std::string> short_texts() {
  std::vector<std::string> texts{""};
  for (size_t i = 0; texts[i].size() < 5; ++i)
    for (const char c : {'a', 'b'}) texts.push_back(texts[i] + c);
  return texts;
}

GrammarPtr pattern_schema(const std::string& pattern) {
  return grammar_from_json_schema(json_text({{"type", "string"}, {"pattern", pattern}}));
}

bool search(const std::string& pattern, const std::string& text) {
  const GrammarPtr grammar = pattern_schema(pattern);
  return accepts(grammar, "\"" + text + "\"");
}

}  // namespace

TEST_CASE("a pattern is searched for as ECMAScript does, and a grammar's must match all", "[grammar]") {
  std::mt19937 random(1);
  const std::vector<std::string> texts = short_texts();
  for (int round = 0; round < 300; ++round) {
    const std::string pattern = random_pattern(random, 2 + round % 7);
    const std::regex oracle(pattern);
    GrammarPtr searched, whole;
    try {
      searched = pattern_schema(pattern);
      whole = grammar_from_regex(pattern);
    } catch (const Error&) {  // it matches nothing: so must the oracle
      for (const std::string& text : texts) {
        CAPTURE(pattern, text);
        CHECK_FALSE((searched ? std::regex_match(text, oracle) : std::regex_search(text, oracle)));
      }
      continue;
    }
    Matcher in_string = byte_matcher(searched), alone = byte_matcher(whole);
    for (const std::string& text : texts) {
      CAPTURE(pattern, text);
      CHECK(accepts(in_string, "\"" + text + "\"") == std::regex_search(text, oracle));
      CHECK(accepts(alone, text) == std::regex_match(text, oracle));
    }
  }
}

TEST_CASE("anchors inside loops and at odd places mean what they say", "[grammar]") {
  CHECK(search("(a($|b))+", "aba"));
  CHECK_FALSE(search("^(a($|b))+$", "abb"));
  CHECK(search("(^a|b)*c", "abc"));
  CHECK(search("(^|b)a", "xba"));
  CHECK_FALSE(search("(^|b)a", "xa"));
  CHECK(search("^(?!.*admin)[a-z]+$", "user"));
  CHECK_FALSE(search("^(?!.*admin)[a-z]+$", "myadmin"));
  CHECK(search("^(?=.{3,5}$)a*b*$", "aabb"));
  CHECK_FALSE(search("^(?=.{3,5}$)a*b*$", "ab"));
}

TEST_CASE("classes and escapes stand for the characters of ECMA-262", "[grammar]") {
  const auto matches = [](const char* pattern, const char* text) { return accepts(grammar_from_regex(pattern), text); };
  CHECK(matches("\\d\\D\\w\\W\\s\\S", "1a_-\xC2\xA0x"));
  CHECK(matches("[\\w.-]+", "a-b.c"));
  CHECK_FALSE(matches("\\w", "\xC3\xA9"));
  CHECK(matches("\\p{L}+", "\xC3\xA9\xCE\xA9"));
  CHECK_FALSE(matches("\\P{L}", "\xC3\xA9"));
  CHECK(matches("\\x41\\u0042\\u{43}\\uD83D\\uDE00", "ABC\xF0\x9F\x98\x80"));
  CHECK(matches("[^\\n]", "\xF0\x9F\x98\x80"));
  CHECK_FALSE(matches(".", "\n"));
  CHECK(matches("a{,2}", "a{,2}"));
}

TEST_CASE("an expression that cannot be read is an error that says what and where", "[grammar]") {
  const std::pair<const char*, const char*> wrong[] = {
      {"(a", "a ( is not closed"},    {"a)", "a ) without its ("},
      {"*a", "nothing to repeat"},    {"[a", "a [ is not closed"},
      {"a{3,2}", "second number"},    {"(a)\\1", "back reference"},
      {"\\bfoo", "word boundary"},    {"a(?=b)", "lookahead"},
      {"(?<=a)b", "lookbehind"},      {"(?i)a", "flag"},
      {"\\p{Greek}", "these are: L"}, {"\\q", "escape \\q"},
      {"[b-a]", "end is before"},     {"\xFF", "not UTF-8"},
      {"a++", "possessive"},          {"x{1000000000000000000000}", "beyond 64 bits"}};
  for (const auto& [pattern, message] : wrong) {
    CAPTURE(pattern);
    const std::string said = message_of([&] { grammar_from_regex(pattern); });
    CHECK_THAT(said, Catch::Contains(message));
  }
}

}  // namespace puna::test
