// test_matcher.cpp -- the engine against plain sets of strings: small random grammars, every string up to seven bytes.
#include "grammar/rules.h"
#include "grammar/vocabulary.h"
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

// What shortest_completion() says, by trying all texts in order of length.
std::string naive_completion(const Matcher& matcher, size_t longest) {
  std::vector<std::pair<Matcher, std::string>> open{{matcher, ""}};
  for (size_t i = 0; i < open.size(); ++i) {
    const auto [at, text] = open[i];
    if (at.accepting()) return text;
    for (const char c : {'a', 'b', 'c'}) {
      Matcher next = at;
      if (text.size() < longest && status_of([&] { next.accept_bytes({&c, 1}); }) == Status::ok)
        open.emplace_back(next, text + c);
    }
  }
  return "more";
}

// The end in tokens is the same text, each token the longest that begins it; and what it takes behind any token.
void check_closing(const Matcher& at, const std::string& shortest, const Tokenizer& tokenizer) {
  Matcher matcher = at;
  const auto end = matcher.closing_tokens(1000);
  REQUIRE(end);
  std::string_view left = shortest;
  for (const int32_t id : *end) {
    const std::string_view bytes = tokenizer.bytes(id);
    REQUIRE(left.starts_with(bytes));
    for (int32_t other = 0; other < tokenizer.size(); ++other)
      if (tokenizer.kind(other) == TokenKind::normal && left.starts_with(tokenizer.bytes(other)))
        CHECK(tokenizer.bytes(other).size() <= bytes.size());
    left.remove_prefix(bytes.size());
  }
  CHECK(left.empty());
  CHECK(matcher.closing_tokens(end->size()) == end);
  if (!end->empty()) CHECK_FALSE(matcher.closing_tokens(end->size() - 1));
  for (int32_t id = 0; id < tokenizer.size(); ++id) {
    const uint64_t bytes = matcher.bytes_to_close(id);
    Matcher after = matcher;
    if (status_of([&] { after.accept(id); }) != Status::ok)
      CHECK(bytes == UINT64_MAX);
    else
      CHECK(bytes == (tokenizer.kind(id) == TokenKind::normal ? after.shortest_completion().size() : 0));
  }
}

// After every text of up to three bytes. Whatever is gone along with can be completed.
void check_completions(const GrammarPtr& grammar, const GrammarVocabularyPtr& vocabulary, const Language& alive) {
  for (size_t i = 0; i < Language::count(4); ++i) {
    const std::string& text = Language::strings()[i];
    if (!alive.contains(text)) continue;
    Matcher matcher(grammar, vocabulary);
    matcher.accept_bytes(text);
    CAPTURE(text);
    const std::string shortest = matcher.shortest_completion(), naive = naive_completion(matcher, 4);
    if (naive == "more")
      CHECK(shortest.size() > 4);
    else
      CHECK(shortest == naive);
    Matcher other = matcher;
    other.accept_bytes(shortest);
    CHECK(other.accepting());
    check_closing(matcher, shortest, vocabulary->tokenizer());
    const std::string forced = matcher.forced();
    std::string expected;
    for (other = matcher; !other.accepting() && expected.size() < 256;) {
      std::string next;
      for (const char c : {'a', 'b', 'c'})
        if (takes(other, {&c, 1})) next += c;
      if (next.size() != 1) break;
      other.accept_bytes(next);
      expected += next;
    }
    CHECK(forced == expected);
  }
}

}  // namespace

TEST_CASE("A matcher accepts the strings of the language and no others", "[grammar]") {
  const GrammarVocabularyPtr vocabulary = grammar_vocabulary(small_vocabulary(random_texts(0)));
  int compared = 0;
  for (uint32_t seed = 0; seed < 200; ++seed) {
    CAPTURE(seed);
    Language language, alive, whole;
    const GrammarPtr grammar = random_grammar(seed, &language);
    if (!grammar) continue;
    ++compared;
    walk(Matcher(grammar, vocabulary), "", alive, whole);
    CHECK(whole == language);
    check_completions(grammar, vocabulary, alive);
    for (const std::string& s : Language::strings())
      for (size_t n = 0; n <= s.size() && language.contains(s); ++n)
        if (!alive.contains(s.substr(0, n))) FAIL("refused at " << n << " of " << s);
  }
  CHECK(compared > 100);
}

TEST_CASE("A mask holds the tokens whose bytes may come, and stop tokens where the answer may end", "[grammar]") {
  // Every way to compute it: everything wide or nothing, groups by length, a small cache or none.
  const grammar::MaskTuning tunings[] = {{}, {{1, 3}, 1, 4096}, {{2}, 2, 4}, {{}, 1, 4096}};
  for (uint32_t seed = 0; seed < 200; ++seed) {
    CAPTURE(seed);
    const GrammarPtr grammar = random_grammar(seed);
    if (!grammar) continue;
    const TokenizerPtr tokenizer = small_vocabulary(random_texts(seed));
    const auto vocabulary = std::make_shared<const GrammarVocabulary>(
        tokenizer, seed % 3 == 0 ? size_t(0) : size_t(1) << (9 + seed % 13), Watch(), tunings[seed % 4]);
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

TEST_CASE("Under tight limits masks are the same or errors, and the matcher goes on from where it was", "[grammar]") {
  GrammarLimits tight;
  tight.bytes = 48 << 10;
  tight.states = 400;
  int same = 0, errors = 0;
  for (uint32_t seed = 0; seed < 60; ++seed) {
    CAPTURE(seed);
    GrammarPtr grammar, other;
    const Status status = status_of([&] {
      grammar = random_grammar(seed);
      const Watch watch;
      Builder builder(tight, watch);
      const RandomGrammar random(builder, seed);
      other = builder.finish(random.root());
    });
    if (status != Status::ok) continue;
    const TokenizerPtr tokenizer = small_vocabulary(random_texts(seed));
    const GrammarVocabularyPtr vocabulary = grammar_vocabulary(tokenizer);
    for (uint32_t round = 0; round < 3; ++round) {
      Matcher roomy(grammar, vocabulary), narrow(other, vocabulary);
      std::mt19937 random(seed + round);
      for (int step = 0; step < 12; ++step) {
        const TokenMask mask = roomy.mask();
        std::vector<int32_t> allowed;
        for (int32_t id = 0; id < tokenizer->size(); ++id)
          if (mask.allows(id) && !tokenizer->is_special(id)) allowed.push_back(id);
        const Status now = status_of([&] {
          const TokenMask narrow_mask = narrow.mask();
          ++same;
          for (int32_t id = 0; id < tokenizer->size(); ++id) CHECK(narrow_mask.allows(id) == mask.allows(id));
        });
        errors += now == Status::invalid_argument;
        CHECK((now == Status::ok || now == Status::invalid_argument));
        if (allowed.empty()) break;
        const int32_t next = allowed[random() % allowed.size()];
        if (status_of([&] { narrow.accept(next); }) != Status::ok) break;
        roomy.accept(next);
        CHECK(narrow.accepting() == roomy.accepting());
      }
    }
  }
  CAPTURE(same, errors);
  CHECK(same > 300);
  CHECK(errors > 0);
}

TEST_CASE("Forced text goes on over white space that is guessed, and stops where a guess may not be", "[grammar]") {
  const GrammarPtr grammar = grammar_from_json_schema(R"({"type": "object", "additionalProperties": false,
    "required": ["a b", "c"], "properties": {"a b": {"const": "x y"}, "c": {"const": null}}})");
  std::vector<std::string> bytes;
  for (int c = ' '; c < 127; ++c) bytes.emplace_back(1, char(c));
  bytes.insert(bytes.end(), {"\n", "\t", "\r", "<end>"});
  Matcher matcher(grammar, grammar_vocabulary(small_vocabulary(bytes)));
  const auto none = [](std::string_view) { return std::string_view(); };
  CHECK(matcher.forced() == "{");
  const Matcher::LikelyText dense = matcher.forced_but_space(none);
  CHECK(dense.bytes == R"({"a b":"x y","c":null})");
  CHECK(dense.certain == 1);
  // What is guessed depends on what comes before it. Behind a value no white space may come.
  const auto guesses = [](std::string_view before) {
    return std::string_view(before.ends_with(':') ? "\n\t" : before.ends_with(',') ? " " : "");
  };
  CHECK(matcher.forced_but_space(guesses).bytes == "{\"a b\":\n\t\"x y\", \"c\":\n\tnull}");
  const auto letters = [](std::string_view) { return std::string_view("z"); };
  CHECK(matcher.forced_but_space(letters).bytes == "{");
  CHECK(matcher.forced_but_space(none, 7).bytes == dense.bytes.substr(0, 7));
  matcher.accept_bytes("{ \"a b\": \"");
  CHECK(matcher.forced() == "x y\",");
  const Matcher::LikelyText rest = matcher.forced_but_space(none);
  CHECK(rest.bytes == R"(x y","c":null})");
  CHECK(rest.certain == 5);
}
