// test_threads.cpp -- matchers on many threads share grammars, whose automata grow while they are walked, and a
// vocabulary, whose cache is full all the time: each sees what one alone sees. Small enough for ThreadSanitizer.
#include <random>
#include <thread>

#include "grammar/small_vocabulary.h"
#include "puna/grammar/grammar.h"
#include "puna/grammar/matcher.h"
#include "support/catch.h"

using namespace puna;
using namespace puna::test;

namespace test_threads {
namespace {

TokenizerPtr texts() {
  std::vector<std::string> all{"<end>"};
  for (const char* text : {"{", "}", "[", "]", "\"", ":", ",", " ", "\": ", ", ", "true", "12", "a", "b", "\"a", "ab"})
    all.emplace_back(text);
  for (char c = ' '; c <= '~'; ++c) all.emplace_back(1, c);  // whatever is begun can be ended
  std::mt19937 random(1);
  while (all.size() < 1500) {
    std::string text;
    for (size_t n = 1 + random() % 5; n > 0; --n) text += char(' ' + random() % 95);
    all.push_back(text);
  }
  return small_vocabulary(all);
}

std::vector<GrammarPtr> grammars() {
  return {grammar_from_json_schema(R"({"type": "object", "properties": {"a": {"type": "string", "maxLength": 40}, "b":
              {"type": "array", "items": {"type": "string", "pattern": "^(\\w+ ?){1,9}$", "maxLength": 30}}}})"),
          grammar_from_any_json(), grammar_from_regex("(?:[a-z ]{3,80}|\\d+)*x")};
}

// A walk by a seed: of each mask how many tokens it allows, the one that is taken, and now and then what is forced.
std::vector<std::string> walk(Matcher matcher, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<std::string> seen;
  for (int step = 0; step < 40 && !matcher.ended(); ++step) {
    std::vector<int32_t> allowed;
    const TokenMask mask = matcher.mask();
    for (int32_t id = 0; id < 1500; ++id)
      if (mask.allows(id)) allowed.push_back(id);
    const int32_t id = allowed.at(random() % allowed.size());
    seen.push_back(std::to_string(allowed.size()) + ", " + std::to_string(id));
    if (step % 5 == 0) seen.back() += matcher.forced() + "|" + matcher.shortest_completion();
    Matcher fork = matcher;
    matcher.accept(id);
    if (step % 7 == 0) fork.accept(id), matcher = fork;
  }
  return seen;
}

}  // namespace

TEST_CASE("matchers on several threads say what one alone says, whatever they share", "[grammar][threads]") {
  constexpr size_t kThreads = 3, kWalks = 12;
  constexpr size_t kCacheBytes = 8 << 10;
  const TokenizerPtr tokenizer = texts();
  std::vector<std::vector<std::string>> alone;
  for (uint32_t seed = 0; seed < kWalks; ++seed)
    alone.push_back(walk(Matcher(grammars()[seed % 3], grammar_vocabulary(tokenizer)), seed));
  const std::vector<GrammarPtr> shared = grammars();
  const GrammarVocabularyPtr vocabulary = grammar_vocabulary(tokenizer, kCacheBytes);
  std::vector<std::vector<std::vector<std::string>>> seen(kThreads);
  std::vector<std::thread> threads;
  for (size_t t = 0; t < kThreads; ++t)
    threads.emplace_back([&, t] {
      for (uint32_t i = 0; i < kWalks; ++i) {
        const uint32_t seed = uint32_t((i + 5 * t) % kWalks);
        seen[t].push_back(walk(Matcher(shared[seed % 3], vocabulary), seed));
      }
    });
  for (std::thread& thread : threads) thread.join();
  for (size_t t = 0; t < kThreads; ++t)
    for (uint32_t i = 0; i < kWalks; ++i) CHECK(seen[t][i] == alone[(i + 5 * t) % kWalks]);
}

}  // namespace test_threads
