// test_matcher.cpp -- the engine against plain sets of strings: small random grammars, every string up to seven bytes.
#include "grammar/rules.h"
#include "naive.h"
#include "puna/grammar/matcher.h"
#include "small_vocabulary.h"
#include "support/catch.h"
#include "support/status.h"

using namespace puna;
using namespace puna::test;
using grammar::Builder;

namespace {

// 1-5 letters each; a text that occurs twice, one of another alphabet, and the stop token.
std::vector<std::string> random_texts(uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<std::string> texts{"a", "b", "c", "x", "ab", "ab", "<end>"};
  while (texts.size() < 70) {
    std::string text;
    for (size_t n = 1 + random() % 5; n > 0; --n) text += char('a' + random() % 3);
    texts.push_back(text);
  }
  return texts;
}

bool takes(Matcher matcher, std::string_view bytes) {  // a copy
  return status_of([&] { matcher.accept_bytes(bytes); }) == Status::ok;
}

// All strings that the matcher goes along with, in `alive`; those that are whole answers, in `whole`.
void walk(const Matcher& matcher, const std::string& so_far, Language& alive, Language& whole) {
  alive.add(so_far);
  if (matcher.accepting()) whole.add(so_far);
  if (so_far.size() == kLongest) return;
  for (const char c : {'a', 'b', 'c'}) {
    Matcher next = matcher;
    if (status_of([&] { next.accept_bytes({&c, 1}); }) == Status::ok) walk(next, so_far + c, alive, whole);
  }
}

GrammarPtr random_grammar(uint32_t seed, Language* language = nullptr, GrammarLimits limits = {}) {
  const Watch watch;
  Builder builder(limits, watch);
  const RandomGrammar random(builder, seed);
  const Language strings = random.language();
  if (language) *language = strings;
  try {
    return builder.finish(random.root());
  } catch (const Error& e) {
    INFO(e.what());
    CHECK(e.status() == Status::invalid_argument);
    CHECK(strings.empty());
    return nullptr;
  }
}

}  // namespace

TEST_CASE("A matcher accepts the strings of the language and no others", "[grammar]") {
  const GrammarVocabularyPtr vocabulary = grammar_vocabulary(small_vocabulary(random_texts(0)));
  int compared = 0;
  for (uint32_t seed = 0; seed < 1500; ++seed) {
    CAPTURE(seed);
    Language language, alive, whole;
    const GrammarPtr grammar = random_grammar(seed, &language);
    if (!grammar) continue;
    ++compared;
    walk(Matcher(grammar, vocabulary), "", alive, whole);
    CHECK(whole == language);
    for (const std::string& s : Language::strings())
      for (size_t n = 0; n <= s.size() && language.contains(s); ++n)
        if (!alive.contains(s.substr(0, n))) FAIL("refused at " << n << " of " << s);
  }
  CHECK(compared > 700);
}

TEST_CASE("A mask holds the tokens whose bytes may come, and stop tokens where the answer may end", "[grammar]") {
  for (uint32_t seed = 0; seed < 300; ++seed) {
    CAPTURE(seed);
    const GrammarPtr grammar = random_grammar(seed);
    if (!grammar) continue;
    const TokenizerPtr tokenizer = small_vocabulary(random_texts(seed));
    const GrammarVocabularyPtr vocabulary = grammar_vocabulary(tokenizer);
    Matcher matcher(grammar, vocabulary);
    std::mt19937 random(seed);
    for (int step = 0; step < 6; ++step) {
      std::vector<int32_t> allowed;
      const TokenMask mask = matcher.mask();
      for (int32_t id = 0; id < tokenizer->size(); ++id) {
        const bool expected = tokenizer->is_special(id) ? matcher.accepting() : takes(matcher, tokenizer->bytes(id));
        CAPTURE(step, id, tokenizer->bytes(id));
        if (mask.allows(id) != expected) FAIL_CHECK("the mask says " << mask.allows(id));
        if (expected && !tokenizer->is_special(id)) allowed.push_back(id);
      }
      for (int32_t id = 0; id < tokenizer->size(); ++id) {
        Matcher copy = matcher;
        CHECK(copy.allows(id) == mask.allows(id));
        CHECK((status_of([&] { copy.accept(id); }) == Status::ok) == mask.allows(id));
        if (!mask.allows(id)) CHECK(std::ranges::equal(copy.history(), matcher.history()));
      }
      if (allowed.empty()) break;
      matcher.accept(allowed[random() % allowed.size()]);
    }
  }
}
