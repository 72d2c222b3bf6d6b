// test_hostile.cpp -- grammars that would take for ever, or all memory, elsewhere: an answer or an error, soon.
#include "grammar/automaton.h"
#include "grammar/builder.h"
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
using grammar::Symbol;

namespace {

const Watch kNobody;

GrammarVocabularyPtr letters() {
  static const GrammarVocabularyPtr vocabulary = grammar_vocabulary(
      small_vocabulary({"a", "b", "c", "(", ")", "aa", "aaaa", "ab", "((", "))", "()", "<end>", "<call>"}));
  return vocabulary;
}
Regex one(Builder& builder, char first, char last) {
  ByteSet set;
  set.add(uint8_t(first), uint8_t(last));
  return builder.regexes().bytes(set);
}
Symbol text(Builder& builder, std::string_view bytes) { return builder.lexeme(builder.regexes().literal(bytes)); }

}  // namespace

TEST_CASE("A repetition's bounds are counters: large ones cost nothing", "[grammar]") {
  Builder builder({}, kNobody);
  const Symbol element = text(builder, "a"), comma = text(builder, "b");
  const Symbol list = builder.repeat(element, 0, uint64_t(1) << 63, comma);
  const Regex many = builder.regexes().repeat(one(builder, 'c', 'c'), 0, uint64_t(1) << 63);
  const Symbol root = builder.rule("root");
  builder.alternative(root, std::vector<Symbol>{list, builder.lexeme(many)});
  Matcher matcher(builder.finish(root), letters());
  std::string answer = "a";
  for (int i = 0; i < 3000; ++i) answer += "ba";
  matcher.accept_bytes(answer + std::string(3000, 'c'));
  CHECK(matcher.accepting());
  CHECK(matcher.mask().count() == 2);  // "c" and the stop token
}

TEST_CASE("A minimum is counted down to the end, however far it is", "[grammar]") {
  Builder builder({}, kNobody);
  const Symbol root = builder.repeat(text(builder, "ab"), 5000, 5001);
  Matcher matcher(builder.finish(root), letters());
  CHECK(matcher.shortest_completion().size() == 10000);
  CHECK(status_of([&] { matcher.shortest_completion(9999); }) == Status::invalid_argument);
  CHECK(matcher.forced(7) == "abababa");
  for (int i = 0; i < 5000; ++i) {
    CHECK_FALSE(matcher.accepting());
    matcher.accept_bytes("ab");
  }
  CHECK(matcher.accepting());
  matcher.accept_bytes("ab");
  CHECK(matcher.ended());
}

TEST_CASE("Lists by right and by left recursion stay as small as lists by repetition", "[grammar]") {
  for (const bool right : {true, false}) {
    Builder builder({}, kNobody);
    const Symbol list = builder.rule("list"), a = text(builder, "a");
    builder.alternative(list, std::vector<Symbol>{a});
    builder.alternative(list, right ? std::vector<Symbol>{a, list} : std::vector<Symbol>{list, a});
    const GrammarPtr grammar = builder.finish(list);
    Matcher matcher(grammar, letters());
    matcher.accept_bytes("aaaa");
    const size_t states = grammar->automaton()->states();
    matcher.accept_bytes(std::string(20000, 'a'));
    CHECK(grammar->automaton()->states() == states);
  }
}

TEST_CASE("Rules may be nested a hundred thousand deep, and answers as deep as there are bytes for", "[grammar]") {
  Builder builder({}, kNobody);
  const Symbol open = text(builder, "("), close = text(builder, ")");
  Symbol inner = text(builder, "a");
  for (int i = 0; i < 100000; ++i) {
    const Symbol rule = builder.rule("r");
    builder.alternative(rule, std::vector<Symbol>{open, inner, close});
    inner = rule;
  }
  const GrammarPtr grammar = builder.finish(inner);
  Matcher matcher(grammar, letters());
  CHECK(matcher.shortest_completion().size() == 200001);
  matcher.accept_bytes(std::string(20000, '('));
  CHECK(matcher.allows(3));
  CHECK_FALSE(matcher.allows(4));
  CHECK(status_of([&] { matcher.accept_bytes(std::string(100001, '(')); }) == Status::invalid_argument);
  CHECK(matcher.history().size() == 20000);
}

TEST_CASE("An answer that outgrows the limits is an error and leaves the matcher as it was", "[grammar]") {
  GrammarLimits limits;
  limits.bytes = 1 << 20;
  Builder builder(limits, kNobody);
  const Symbol nest = builder.rule("nest");
  builder.alternative(nest, {});
  builder.alternative(nest, std::vector<Symbol>{text(builder, "("), nest, text(builder, ")")});
  Matcher matcher(builder.finish(nest), letters());
  size_t depth = 0;
  for (; depth < 100000; ++depth)
    if (status_of([&] { matcher.accept(3); }) != Status::ok) break;
  CAPTURE(depth);
  CHECK(depth > 500);
  CHECK(depth < 100000);
  CHECK(matcher.history().size() == depth);
  matcher.reset();
  matcher.accept_bytes("((()))");
  CHECK(matcher.accepting());
}

TEST_CASE("What earlier answers have built does not count against a later one", "[grammar]") {
  GrammarLimits limits;
  limits.bytes = 1 << 20;
  Builder builder(limits, kNobody);
  const Symbol item = builder.repeat(text(builder, "a"), 0, 1000000, text(builder, "b"));
  const GrammarPtr grammar = builder.finish(item);
  Matcher matcher(grammar, letters()), other(grammar, letters());
  for (int i = 0; i < 20000; ++i) {
    matcher.accept_bytes("ab");
    REQUIRE(grammar->automaton()->bytes_held() < 2 * limits.bytes);
  }
  other.accept_bytes("aba");
  CHECK(other.accepting());
  CHECK(matcher.mask().count() == 2);  // a, ab
}

TEST_CASE("Ambiguity costs time by the cube of the length, never a power of two", "[grammar]") {
  Builder builder({}, kNobody);
  const Symbol e = builder.rule("e");
  builder.alternative(e, std::vector<Symbol>{e, e});
  builder.alternative(e, std::vector<Symbol>{e, e, e});
  builder.alternative(e, std::vector<Symbol>{text(builder, "a")});
  builder.alternative(e, {});
  Matcher matcher(builder.finish(e), letters());
  matcher.accept_bytes(std::string(100, 'a'));
  CHECK(matcher.accepting());
  CHECK(matcher.allows(0));
}

TEST_CASE("Expressions with exponentially many states are refused where they are met", "[grammar]") {
  Builder builder({}, kNobody);
  grammar::RegexBuilder& make = builder.regexes();
  const Regex any = one(builder, 'a', 'c'), some = make.repeat(any, 0, kUnbounded);
  const Regex parts[] = {some, one(builder, 'a', 'a'), make.repeat(any, 400, 400)};
  Matcher matcher(builder.finish(builder.lexeme(make.concat(parts))), letters());
  std::string answer;
  uint32_t random = 1;
  for (int i = 0; i < 300; ++i) answer += "abc"[(random = random * 1664525 + 1013904223) >> 30 & 1];
  matcher.accept_bytes(answer);
  CHECK(matcher.mask().count() == 6);
  CHECK(matcher.shortest_completion().size() > 50);
  const Regex star = make.repeat(make.repeat(one(builder, 'a', 'a'), 0, kUnbounded), 0, kUnbounded);
  Matcher stars(builder.finish(builder.lexeme(make.concat(star, one(builder, 'b', 'b')))), letters());
  stars.accept_bytes(std::string(100000, 'a') + "b");
  CHECK(stars.ended());
}

TEST_CASE("A hundred thousand words are a tree, and a hundred thousand alternatives are looked at once a byte",
          "[grammar]") {
  std::vector<std::string> words;
  for (int i = 0; i < 100000; ++i) words.push_back("abc" + std::to_string(i * 7919 % 1000003) + "c");
  Builder builder({}, kNobody);
  const std::vector<std::string_view> views(words.begin(), words.end());
  Matcher tree(builder.finish(builder.lexeme(builder.regexes().words(views))), letters());
  tree.accept_bytes(words[77777]);
  CHECK(tree.ended());
  Builder other({}, kNobody);
  const Symbol root = other.rule("root");
  for (int i = 0; i < 20000; ++i) other.alternative(root, std::vector<Symbol>{text(other, words[size_t(i)])});
  Matcher alternatives(other.finish(root), letters());
  CHECK(alternatives.mask().count() == 2);  // a, ab
  alternatives.accept_bytes(words[7777]);
  CHECK(alternatives.ended());
}

TEST_CASE("Grammars that match nothing are refused by name, and limits by theirs", "[grammar]") {
  {
    Builder builder({}, kNobody);
    const Symbol rule = builder.rule("loop");
    builder.alternative(rule, std::vector<Symbol>{text(builder, "a"), rule});
    CHECK_THAT(message_of([&] { builder.finish(rule); }), Catch::Contains("'loop' matches no text at all"));
  }
  {
    Builder builder({}, kNobody);
    const Symbol rule = builder.rule("root"), missing = builder.rule("missing");
    builder.alternative(rule, std::vector<Symbol>{missing});
    CHECK_THAT(message_of([&] { builder.finish(rule); }), Catch::Contains("rule 'missing' is used and never defined"));
  }
  {
    Builder builder({.nodes = 1000}, kNobody);
    CHECK_THAT(message_of([&] { builder.regexes().literal(std::string(5000, 'a')); }),
               Catch::Contains("the limit of 1000 nodes"));
  }
}

TEST_CASE("A special token comes as itself, never as its text", "[grammar]") {
  Builder builder({}, kNobody);
  const Symbol root = builder.rule("root");
  builder.alternative(root,
                      std::vector<Symbol>{text(builder, "a"), builder.special_token("<call>"), text(builder, "b")});
  const GrammarPtr grammar = builder.finish(root);
  Matcher matcher(grammar, letters());
  CHECK_FALSE(matcher.allows(12));
  matcher.accept_bytes("a");
  CHECK(matcher.mask().count() == 1);
  CHECK(matcher.allows(12));
  CHECK(matcher.forced().empty());
  CHECK(status_of([&] { matcher.accept_bytes("<"); }) == Status::invalid_argument);
  CHECK_THAT(message_of([&] { matcher.shortest_completion(); }), Catch::Contains("special token"));
  CHECK(matcher.closing_tokens(2) == std::vector<int32_t>{12, 1});
  CHECK_FALSE(matcher.closing_tokens(1));
  CHECK(matcher.bytes_to_close(12) == 1);
  CHECK(matcher.bytes_to_close(1) == UINT64_MAX);
  const int32_t draft[] = {12, 1, 11, 0};
  CHECK(matcher.accepted_prefix(draft) == 3);
  matcher.accept(12);
  CHECK(matcher.forced() == "b");
  matcher.accept(1);
  CHECK(matcher.accepting());
  CHECK(matcher.mask().count() == 1);  // the stop token
  matcher.accept(11);
  CHECK(matcher.ended());
  CHECK(matcher.mask().kind == TokenMask::Kind::nothing);
  const std::vector<int32_t> expected{-1 - 'a', 12, 1, 11};
  CHECK(std::ranges::equal(matcher.history(), expected));
}

TEST_CASE("A text longer than the limit of bytes is refused unread", "[grammar]") {
  GrammarLimits limits;
  limits.bytes = 1 << 20;
  const std::string text = "root ::= \"a\"" + std::string(1 << 20, ' ');
  const auto said = [](auto&& compile) {
    return message_of(compile).find("more than the limit of 1048576") != std::string::npos;
  };
  CHECK(said([&] { grammar_from_gbnf(text, limits); }));
  CHECK(said([&] { grammar_from_ebnf(text, limits); }));
  CHECK(said([&] { grammar_from_regex(text, limits); }));
  JsonSchemaOptions options;
  options.limits = limits;
  CHECK(said([&] { grammar_from_json_schema("true" + text, options); }));
}
