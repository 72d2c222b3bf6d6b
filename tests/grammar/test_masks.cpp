// test_masks.cpp -- masks where most of the work is left out: plain text, counts far from their ends, intersections.
// Each is compared with what every single token does.
#include <random>

#include "grammar/automaton.h"
#include "grammar/builder.h"
#include "grammar/mask_cache.h"
#include "grammar/rules.h"
#include "grammar/vocabulary.h"
#include "puna/base/watch.h"
#include "puna/grammar/matcher.h"
#include "small_vocabulary.h"
#include "support/catch.h"
#include "support/status.h"

using namespace puna;
using namespace puna::test;
using grammar::Builder;
using grammar::ByteSet;
using grammar::kUnbounded;
using grammar::Regex;
using grammar::RegexBuilder;

namespace {

const Watch kUnwatched;

// Words with and without quotes, escapes, cut UTF-8; every byte.
std::vector<std::string> awkward_texts() {
  std::mt19937 random(3);
  std::vector<std::string> texts{"<end>"};
  for (int byte = 0; byte < 256; ++byte) texts.push_back(std::string(1, char(byte)));
  const std::string pieces[] = {"a",  "b",    " ",    "\"", "\\", "\\n", "\n", "é",
                                "日", "\xE6", "\xA5", "😀", ",",  "\":", "ab "};
  while (texts.size() < 450) {
    std::string text;
    for (size_t n = 1 + random() % 6; n > 0; --n) text += pieces[random() % 15];
    texts.push_back(text);
  }
  return texts;
}

Regex character(RegexBuilder& make) {  // of a JSON string
  const grammar::CodeRange ranges[] = {{0x20, 0x21}, {0x23, 0x5B}, {0x5D, 0x10FFFF}};
  const Regex escape = make.concat(make.literal("\\"), make.words(std::vector<std::string_view>{"n", "\"", "\\"}));
  const Regex either[] = {make.code_points(ranges), escape};
  return make.either(either);
}

Regex inside(RegexBuilder& make, int kind) {
  const Regex c = character(make), space = make.literal(" ");
  ByteSet not_space;
  not_space.add('a', 'b');
  const Regex word = make.repeat(make.bytes(not_space), 1, kUnbounded);
  const Regex words = make.concat(make.repeat(make.concat(word, space), 0, 30), word);
  switch (kind) {
    case 0: return make.repeat(c, 0, kUnbounded);
    case 1: return make.repeat(c, 0, 40);
    case 2: return make.repeat(c, 35, 70);
    case 3: {
      const Regex both[] = {make.repeat(c, 1, 50), words};
      return make.both(both);
    }
    case 4: {
      const Regex both[] = {make.repeat(c, 30, 45), words, make.complement(make.literal("ab ab"))};
      return make.both(both);
    }
    case 5: {  // nothing but the far end decides
      const Regex both[] = {make.repeat(make.literal("ab"), 0, 60), make.repeat(make.literal("aba"), 0, 1000),
                            make.complement(make.repeat(make.literal("ab"), 0, 18))};
      const Regex either[] = {make.both(both), make.repeat(space, 20, 20)};
      return make.either(either);
    }
    case 7: {  // characters and words, both counted: the words alone decide, until an end comes near
      ByteSet no_space;
      no_space.add('a', 'z'), no_space.add('\\');
      const Regex some = make.repeat(make.bytes(no_space), 1, kUnbounded);
      const Regex counted = make.concat(make.repeat(make.concat(some, space), 0, 12), some);
      const Regex both[] = {make.repeat(c, 1, 70), counted};
      return make.both(both);
    }
    default: return make.complement(make.concat(make.all(), make.concat(make.literal("\""), make.all())));
  }
}

}  // namespace

TEST_CASE("Masks inside strings are those of the single tokens, however they are put together", "[grammar]") {
  const TokenizerPtr tokenizer = small_vocabulary(awkward_texts());
  const grammar::MaskTuning tunings[] = {{}, {{2, 6}, 1, 4096}, {{4}, 16, 10}};
  for (const auto& tuning : tunings) {
    const auto vocabulary = std::make_shared<const GrammarVocabulary>(tokenizer, size_t(1) << 20, kUnwatched, tuning);
    for (int kind = 0; kind < 9; ++kind) {
      Builder builder({}, kUnwatched);
      RegexBuilder& make = builder.regexes();
      const Regex parts[] = {make.literal("\""), inside(make, kind), make.literal("\"")};
      const grammar::Symbol string = builder.lexeme(make.concat(parts));
      Matcher matcher(builder.finish(builder.repeat(string, 0, kUnbounded, builder.lexeme(make.literal(",")))),
                      vocabulary);
      std::mt19937 random{uint32_t(kind)};
      for (int step = 0; step < 20; ++step) {
        std::vector<int32_t> allowed;
        const TokenMask mask = matcher.mask();
        for (int32_t id = 1; id < tokenizer->size(); ++id) {
          CAPTURE(kind, step, id, tokenizer->bytes(id));
          if (mask.allows(id) != matcher.allows(id)) FAIL("the mask says " << mask.allows(id));
          if (mask.allows(id)) allowed.push_back(id);
        }
        CHECK(mask.allows(0) == matcher.accepting());
        matcher.accept(allowed.at(random() % allowed.size()));
      }
    }
  }
}

TEST_CASE("Where words are counted and characters too, no place builds states of its own for its masks", "[grammar]") {
  // A token of 200 bytes: counts up to 99 words and 5,000 characters are within its reach or beyond it.
  std::vector<std::string> texts = awkward_texts();
  for (size_t size = 10; size <= 200; size += 10) {
    texts.push_back(std::string(size, 'a'));
    texts.push_back(std::string(size, ' '));
  }
  const GrammarPtr grammar = grammar_from_json_schema(R"json({"type": "string", "minLength": 1, "maxLength": 5000,
      "pattern": "^$|(^(?:\\S+\\s+){0,99}\\S+$)"})json");
  Matcher matcher(grammar, grammar_vocabulary(small_vocabulary(texts)));
  matcher.accept_bytes("\"");
  size_t most = 0;
  for (int word = 0; word < 60; ++word) {
    matcher.accept_bytes("ab ");
    const size_t before = grammar->automaton()->states();
    CHECK(matcher.mask().count() > 100);
    const size_t behind = grammar->automaton()->states();
    REQUIRE(behind >= before);  // it was not given up for another one
    if (word > 2) most = std::max(most, behind - before);
  }
  CHECK(most < 1000);
}

TEST_CASE("Equal masks are kept once, whichever grammar and whichever place they are of", "[grammar]") {
  std::vector<std::string> texts{"<end>"};
  for (char c = 'a'; c <= 'z'; ++c) texts.push_back(std::string(1, c));
  for (int i = 0; i < 20000; ++i) texts.push_back("w" + std::to_string(i));
  const auto vocabulary =
      std::make_shared<const GrammarVocabulary>(small_vocabulary(texts), size_t(1) << 20, kUnwatched);
  Matcher one(grammar_from_regex("[a-z0-9]{500,1000}"), vocabulary);
  Matcher other(grammar_from_regex("(?:[a-z0-9]{400,900}|[A-Z]+)x"), vocabulary);
  const TokenMask first = one.mask(), second = other.mask();
  CHECK(first.kind == TokenMask::Kind::bitmap);
  CHECK(first.bits.data() == second.bits.data());
  for (int i = 0; i < 300; ++i) {
    one.accept(1 + i % 26);
    CHECK(one.mask().bits.data() == second.bits.data());
  }
  const auto& kept = vocabulary->of_configurations();
  CHECK(kept.size() == 302);
  CHECK(kept.bytes_held() < 302 * 400 + 2 * vocabulary->words() * sizeof(uint64_t));
}

TEST_CASE("A cache that is full lets go of what nobody asked for, and counts what its entries share once",
          "[grammar]") {
  grammar::Bitmaps bitmaps;
  grammar::BoundedCache<int, grammar::StoredMask> cache(64 << 10);
  const auto mask = [&](uint64_t first) {
    std::vector<uint64_t> bits(1000, ~uint64_t(0));  // 8 KB
    bits[0] = first;
    return std::make_shared<const grammar::StoredMask>(grammar::StoredMask::from_bits(bits, bitmaps));
  };
  for (int i = 0; i < 100; ++i) cache.put(i, mask(7), sizeof i);
  CHECK(cache.size() == 100);
  CHECK(cache.bytes_held() < 32 << 10);
  for (int i = 100; i < 200; ++i) {
    cache.put(i, mask(uint64_t(i)), sizeof i);
    REQUIRE(cache.bytes_held() <= 64 << 10);
    CHECK(cache.find(i) != nullptr);
  }
  CHECK(cache.find(50) == nullptr);
  CHECK(cache.size() < 20);
}

TEST_CASE("Plain text is complete UTF-8 without quotes, backslashes and control characters", "[grammar]") {
  for (const char* text : {"", "a b", "é", "\xED\x9F\xBF", "\xEE\x80\x80", "😀", "\xF4\x8F\xBF\xBF"})
    CHECK(grammar::is_plain(text));
  for (const char* text :
       {"\"", "\\", "\n", "\xC3", "\xC0\xAF", "\xE0\x80\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\x80"})
    CHECK_FALSE(grammar::is_plain(text));
}

TEST_CASE("Code points are the bytes of their UTF-8", "[grammar]") {
  const auto encoded = [](uint32_t c) {
    std::string s;
    if (c < 0x80) return std::string(1, char(c));
    if (c < 0x800) s = {char(0xC0 | c >> 6)};
    if (c >= 0x800 && c < 0x10000) s = {char(0xE0 | c >> 12), char(0x80 | (c >> 6 & 63))};
    if (c >= 0x10000) s = {char(0xF0 | c >> 18), char(0x80 | (c >> 12 & 63)), char(0x80 | (c >> 6 & 63))};
    return s + char(0x80 | (c & 63));
  };
  std::mt19937 random(1);
  const uint32_t edges[] = {0,      0x7F,   0x80,   0x7FF,  0x800,   0xFFF,   0x1000,  0xD7FF,
                            0xD800, 0xDFFF, 0xE000, 0xFFFF, 0x10000, 0x3FFFF, 0x10FFFF};
  for (int round = 0; round < 200; ++round) {
    std::vector<grammar::CodeRange> ranges;
    for (size_t n = random() % 4; n > 0; --n) {
      uint32_t a = random() % 2 ? edges[random() % 15] : random() % 0x110000,
               b = random() % 2 ? a + random() % 200 : edges[random() % 15];
      ranges.push_back({std::min(a, b), std::max(a, b)});
    }
    RegexBuilder arena(10000, nullptr);
    const Regex regex = arena.code_points(ranges);
    const grammar::ByteClasses classes(arena.sets());
    grammar::Derivatives derivatives(arena, classes);
    const auto matches = [&](const std::string& text) {
      Regex left = regex;
      for (const char byte : text) left = derivatives.of(left, classes.of[uint8_t(byte)]);
      return arena.nullable(left);
    };
    for (int i = 0; i < 300; ++i) {
      uint32_t c = random() % 2 ? edges[random() % 15] + random() % 5 - 2 : random() % 0x110000;
      if (!ranges.empty() && random() % 2) c = ranges[random() % ranges.size()].first + random() % 3 - 1;
      if (c > 0x10FFFF) continue;
      bool expected = false;
      for (const grammar::CodeRange& range : ranges) expected = expected || (c >= range.first && c <= range.last);
      CAPTURE(round, c);
      CHECK(matches(encoded(c)) == (expected && (c < 0xD800 || c > 0xDFFF)));
    }
  }
}
