// naive.h -- the oracle: grammars as trees, and the language of one as the plain set of its strings up to a length,
// written without a thought for speed. It shares no code with the engine.
#pragma once
#include <bitset>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "grammar/builder.h"

namespace puna::test {

constexpr size_t kLongest = 7;

// A set of strings over a, b, c, none longer than kLongest: a bit for each of the 3280. Number: the strings that are
// shorter, and then the string read with base 3.
class Language {
 public:
  Language() = default;
  Language(std::initializer_list<std::string> strings) {
    for (const std::string& s : strings) add(s);
  }
  static size_t count(size_t length) {  // of strings that are shorter
    size_t n = 0;
    for (size_t i = 0, power = 1; i < length; ++i, power *= 3) n += power;
    return n;
  }
  static size_t number(const std::string& s) {
    size_t value = 0;
    for (const char c : s) value = 3 * value + size_t(c - 'a');
    return count(s.size()) + value;
  }
  static const std::vector<std::string>& strings() {  // by number
    static const std::vector<std::string> all = [] {
      std::vector<std::string> strings{""};
      for (size_t i = 0; i < count(kLongest); ++i)
        for (const char c : {'a', 'b', 'c'}) strings.push_back(strings[i] + c);
      return strings;
    }();
    return all;
  }
  void add(const std::string& s) { has_.set(number(s)); }
  bool contains(const std::string& s) const { return has_[number(s)]; }
  bool empty() const { return has_.none(); }
  size_t size() const { return has_.count(); }
  bool operator==(const Language&) const = default;
  Language united(const Language& other) const { return Language(has_ | other.has_); }
  Language common(const Language& other) const { return Language(has_ & other.has_); }
  Language others() const { return Language(~has_); }
  Language joined(const Language& other) const {
    Language out;
    for (size_t x = 0; x < has_.size(); ++x) {
      if (!has_[x]) continue;
      const size_t length = strings()[x].size(), value = x - count(length);
      for (size_t n = 0, power = 1; n + length <= kLongest; ++n, power *= 3)
        for (size_t y = 0; y < power; ++y)
          if (other.has_[count(n) + y]) out.has_.set(count(n + length) + value * power + y);
    }
    return out;
  }

 private:
  using Bits = std::bitset<3280>;
  explicit Language(const Bits& bits) : has_(bits) {}
  Bits has_;
};

// x, min to max times, with a separator between.
inline Language repeated(const Language& x, uint64_t min, uint64_t max, const Language& separator) {
  Language out, power{""};
  // Beyond kLongest + 1 elements more of them add strings only where both may be empty, and then no new ones: unless
  // the minimum is not reached yet.
  for (uint64_t n = 0; n <= max && n <= min + 2 * kLongest + 2; ++n) {
    if (n > 0) power = n == 1 ? x : power.joined(separator).joined(x);
    if (n >= min) out = out.united(power);
  }
  return out;
}

class RandomGrammar {
 public:
  RandomGrammar(grammar::Builder& builder, uint32_t seed) : builder_(builder), random_(seed) {
    const int rules = 1 + below(4);
    for (int i = 0; i < rules; ++i) rules_.push_back(builder_.rule("r" + std::to_string(i)));
    for (int i = 0; i < rules; ++i) {
      std::vector<std::vector<Node>> alternatives(size_t(1 + below(3)));
      for (auto& sequence : alternatives) {
        const int length = below(4);
        for (int k = 0; k < length; ++k) sequence.push_back(symbol(2));
        std::vector<grammar::Symbol> symbols;
        for (const Node& node : sequence) symbols.push_back(node.symbol);
        builder_.alternative(rules_[size_t(i)], symbols);
      }
      definitions_.push_back(std::move(alternatives));
    }
  }
  grammar::Symbol root() const { return rules_[0]; }

  // The least fixpoint, from below.
  Language language() const {
    std::vector<Language> of_rules(rules_.size());
    for (bool grew = true; grew;) {
      grew = false;
      for (size_t i = 0; i < rules_.size(); ++i) {
        Language now;
        for (const auto& sequence : definitions_[i]) {
          Language whole{""};
          for (const Node& node : sequence) whole = whole.joined(of(node, of_rules));
          now = now.united(whole);
        }
        grew = grew || now.size() > of_rules[i].size();
        of_rules[i] = now;
      }
    }
    return of_rules[0];
  }

 private:
  struct Node {
    enum { lexeme, rule, repeat } kind;
    grammar::Symbol symbol;
    Language strings;           // lexeme
    size_t number = 0;          // rule
    uint64_t min = 0, max = 0;  // repeat
    std::vector<Node> inner;    // element, and separator if there is one
  };
  static Language of(const Node& node, const std::vector<Language>& of_rules) {
    if (node.kind == Node::lexeme) return node.strings;
    if (node.kind == Node::rule) return of_rules[node.number];
    const Language separator = node.inner.size() == 2 ? of(node.inner[1], of_rules) : Language{""};
    return repeated(of(node.inner[0], of_rules), node.min, node.max, separator);
  }
  int below(int n) { return int(random_() % uint32_t(n)); }

  Node symbol(int depth) {
    const int choice = below(depth > 0 ? 10 : 7);
    if (choice < 4) {
      auto [regex, strings] = expression(2);
      return {Node::lexeme, builder_.lexeme(regex), strings, 0, 0, 0, {}};
    }
    if (choice < 7) {
      const size_t n = size_t(below(int(rules_.size())));
      return {Node::rule, rules_[n], {}, n, 0, 0, {}};
    }
    Node node{Node::repeat, {}, {}, 0, uint64_t(below(4)), 0, {}};
    node.max = below(3) == 0 ? grammar::kUnbounded : below(4) == 0 ? uint64_t(1) << 63 : node.min + uint64_t(below(4));
    node.inner.push_back(symbol(depth - 1));
    if (below(2) == 0) node.inner.push_back(symbol(depth - 1));
    node.symbol = node.inner.size() == 2
                      ? builder_.repeat(node.inner[0].symbol, node.min, node.max, node.inner[1].symbol)
                      : builder_.repeat(node.inner[0].symbol, node.min, node.max);
    return node;
  }

  std::pair<grammar::Regex, Language> expression(int depth) {
    grammar::RegexBuilder& make = builder_.regexes();
    const int choice = below(depth > 0 ? 9 : 3);
    if (choice <= 1) {
      grammar::ByteSet set;
      Language strings;
      for (const char c : {'a', 'b', 'c'}) {
        if (below(2) == 0) continue;
        set.add(uint8_t(c));
        strings.add(std::string(1, c));
      }
      return {make.bytes(set), strings};
    }
    if (choice == 2) {
      const std::string texts[] = {"", "a", "ab", "cab", "bb", "abca"};
      const std::string& text = texts[below(6)];
      return {make.literal(text), {text}};
    }
    auto [x, in_x] = expression(depth - 1);
    auto [y, in_y] = expression(depth - 1);
    const grammar::Regex pair[] = {x, y};
    switch (choice) {
      case 3: return {make.concat(pair), in_x.joined(in_y)};
      case 4: return {make.either(pair), in_x.united(in_y)};
      case 5: return {make.both(pair), in_x.common(in_y)};
      case 6: {  // within strings of a, b, c: the engine's complement knows other bytes as well
        grammar::ByteSet abc;
        abc.add('a', 'c');
        const grammar::Regex within[] = {make.complement(x), make.repeat(make.bytes(abc), 0, grammar::kUnbounded)};
        return {make.both(within), in_x.others()};
      }
      default: {
        const uint64_t min = uint64_t(below(3));
        const uint64_t max = below(2) == 0 ? grammar::kUnbounded : min + uint64_t(below(4));
        return {make.repeat(x, min, max), repeated(in_x, min, max, {""})};
      }
    }
  }

  grammar::Builder& builder_;
  std::mt19937 random_;
  std::vector<grammar::Symbol> rules_;
  std::vector<std::vector<std::vector<Node>>> definitions_;
};

}  // namespace puna::test
