// The expressions of PEFT's configurations match what Python's re matches, are refused where they are not understood,
// and cost no more than their length times the text's.
#include "model/module_pattern.h"

#include <chrono>
#include <string>
#include <vector>

#include "puna/base/error.h"
#include "support/catch.h"

using namespace puna;
using Catch::Contains;

namespace {

const std::string kName = "model.layers.10.self_attn.q_proj";

bool full(const std::string& pattern, const std::string& text = kName) {
  return ModulePattern(pattern, "p").matches(text);
}
bool key(const std::string& pattern, const std::string& name = kName) { return ModuleKey(pattern, "p").matches(name); }

}  // namespace

TEST_CASE("expressions match as Python's re.fullmatch", "[model]") {
  struct Row {
    const char *pattern, *text;
    bool matches;
  };
  const Row rows[] = {
      {"", "", true},
      {"", "a", false},
      {"a", "a", true},
      {"a", "ab", false},
      {"a|b", "b", true},
      {"a|", "", true},
      {"(a|b)*c", "ababc", true},
      {"(a|b)*c", "abab", false},
      {"(?:a|b)+", "", false},
      {"(?P<x>ab)?c", "abc", true},
      {"a{2}", "aa", true},
      {"a{2}", "aaa", false},
      {"a{2,}", "aaaaa", true},
      {"a{,2}", "aaa", false},
      {"a{,2}", "", true},
      {"a{1,3}b", "aaab", true},
      {"a{0}", "", true},
      {"a{}", "a{}", true},
      {"a{x}", "a{x}", true},
      {"a{,}", "aaa", true},
      {".", "\n", false},
      {".", "x", true},
      {".*?b", "aab", true},
      {"a+?", "aaa", true},
      {"[abc]+", "cab", true},
      {"[^abc]+", "xyz", true},
      {"[^abc]+", "xaz", false},
      {"[a-c]x", "bx", true},
      {"[a\\-c]+", "a-c", true},
      {"[]a]+", "]a]", true},
      {"[^]a]", "]", false},
      {"[a-]+", "a-", true},
      {"[\\d.]+", "1.5", true},
      {"[\\w]+", "a_1", true},
      {"\\d{1,}", "123", true},
      {"\\D+", "abc", true},
      {"\\W", "a", false},
      {"\\s", " ", true},
      {"\\S+", "a b", false},
      {"\\.", ".", true},
      {"\\.", "a", false},
      {"^a$", "a", true},
      {"a^b", "ab", false},
      {"\\ba\\b", "a", true},
      {"a\\bb", "ab", false},
      {"a\\Bb", "ab", true},
      {"\\Aa\\Z", "a", true},
      {"(^a|b)c", "bc", true},
      {"(a*)*", "aaa", true},
      {"(a*)+b", "aab", true},
      {"(|a)+", "aa", true},
      {"((a|b){2}){2}", "abba", true},
      {"((a|b){2}){2}", "abb", false},
      {"x*", "", true},
  };
  for (const Row& r : rows) {
    CAPTURE(r.pattern, r.text);
    CHECK(full(r.pattern, r.text) == r.matches);
  }
}

TEST_CASE("a key of rank_pattern or alpha_pattern fits as PEFT's rule says", "[model]") {
  for (const char* fits :
       {"q_proj", "self_attn.q_proj", "10.self_attn.q_proj", "model.layers.10.self_attn.q_proj", "(q|k)_proj",
        "q_proj|k_proj", ".*q_proj", "..*layers\\.10\\..*q_proj", ".*layers\\.1\\d?\\..*proj", "^model.layers.10.*",
        "^model\\.layers\\.10\\.self_attn\\.(q|v)_proj$", "layers\\.(1|10)\\.self_attn\\..*", "self.attn.q.proj"})
    CHECK(key(fits));
  for (const char* not_it :
       {"_proj", "proj", "k_proj", "attn.q_proj", "0.self_attn.q_proj", "layers.1.self_attn.q_proj", "(k|v)_proj",
        "^layers.*", "q_proj.", "q_pro", "Q_PROJ", "", "^q_proj", ".*layers\\.1\\..*q_proj"})
    CHECK_FALSE(key(not_it));
}

TEST_CASE("expressions that are none, or hold what is not read, are refused with their place", "[model]") {
  for (const char* none : {"(",    ")",       "a)",        "(a",         "[a",
                           "[",    "*",       "+a",        "a**",        "a{2}{3}",
                           "a|*",  "(?P<x",   "[b-a]",     "a{3,2}",     "\\",
                           "^*",   "(*a)",    "{2}",       "a|{,3}",     "({1,}a)",
                           "^{2}", "(?P<>a)", "(?P<1x>a)", "(?P<x|y>a)", "(?P<x>a)(?P<x>b)"}) {
    CAPTURE(none);
    CHECK_THROWS_WITH(full(none), Contains("is no pattern"));
  }
  for (const char* unread :
       {"(?=a)", "(?!a)", "(?<=a)b", "(?i)a", "(a)\\1", "\\x41", "\\u0041", "a++", "a{1001}", "(?P=x)"}) {
    CAPTURE(unread);
    CHECK_THROWS_WITH(full(unread), Contains("is not supported"));
  }
  CHECK_THROWS_WITH(ModuleKey("a)|(b", "adapter_config.json: alpha_pattern"),
                    Contains("alpha_pattern") && Contains("'a)|(b'"));
}

TEST_CASE("the cost of malicious expressions is linear in their length", "[model]") {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point start = Clock::now();
  const std::string text(200, 'a');
  CHECK_FALSE(full("(a*)*b", text));
  CHECK_FALSE(full("(a|a)*b", text));
  CHECK_FALSE(full("(.*.*.*.*.*.*)*b", text));
  CHECK_FALSE(full("(a?){100}a{100}b", text));
  CHECK_FALSE(full("(x+x+)+y", std::string(200, 'x')));
  std::vector<std::string> large = {"((a{1000}){1000}){1000}", "((((){1000}){1000}){1000}){1000}"};
  for (const char* repeated : {"(", "?", "a"}) {
    std::string expression = "a";
    while (expression.size() < 100000) expression += repeated;
    large.push_back(expression);
  }
  large.back() += '*';
  for (const std::string& expression : large) CHECK_THROWS_AS(full(expression), Error);
  CHECK(Clock::now() - start < std::chrono::seconds(2));
}
