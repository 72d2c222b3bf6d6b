// naive.h -- the oracle: grammars as trees, and the language of one as the plain set of its strings up to a length,
// written without a thought for speed. It shares no code with the engine.
#pragma once
#include <cstdint>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "grammar/builder.h"

namespace puna::test {

using Language = std::set<std::string>;  // of strings over a, b, c, no longer than kLongest

constexpr size_t kLongest = 7;

inline const Language& every_string() {
  static const Language all = [] {
    Language strings{""}, last{""};
    for (size_t n = 0; n < kLongest; ++n) {
      Language next;
      for (const std::string& s : last)
        for (const char c : {'a', 'b', 'c'}) next.insert(s + c);
      strings.insert(next.begin(), next.end());
      last = next;
    }
    return strings;
  }();
  return all;
}

inline Language joined(const Language& a, const Language& b) {
  Language out;
  for (const std::string& x : a)
    for (const std::string& y : b)
      if (x.size() + y.size() <= kLongest) out.insert(x + y);
  return out;
}

inline Language united(Language a, const Language& b) {
  a.insert(b.begin(), b.end());
  return a;
}

// x, min to max times, with a separator between.
inline Language repeated(const Language& x, uint64_t min, uint64_t max, const Language& separator) {
  Language out, power{""};
  // Beyond kLongest + 1 elements more of them add strings only where both may be empty, and then no new ones: unless the
  // minimum is not reached yet.
  for (uint64_t n = 0; n <= max && n <= min + 2 * kLongest + 2; ++n) {
    if (n > 0) power = n == 1 ? x : joined(joined(power, separator), x);
    if (n >= min) out = united(out, power);
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
          for (const Node& node : sequence) whole = joined(whole, of(node, of_rules));
          now = united(now, whole);
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
    Language strings;          // lexeme
    size_t number = 0;         // rule
    uint64_t min = 0, max = 0;  // repeat
    std::vector<Node> inner;   // element, and separator if there is one
  };
  int below(int n) { return int(random_() % uint32_t(n)); }

  Node symbol(int depth) {
    const int choice = below(depth > 0 ? 10 : 7);
    if (choice < 4) {
      auto [regex, strings] = expression(2);
      return {Node::lexeme, builder_.lexeme(regex), std::move(strings)};
    }
    if (choice < 7) {
      const size_t n = size_t(below(int(rules_.size())));
      return {Node::rule, rules_[n], {}, n};
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
        strings.insert(std::string(1, c));
      }
      return {make.bytes(set), strings};
    }
    if (choice == 2) {
      const char* texts[] = {"", "a", "ab", "cab", "bb", "abca"};
      const char* text = texts[below(6)];
      return {make.literal(text), {text}};
    }
    auto [x, in_x] = expression(depth - 1);
    auto [y, in_y] = expression(depth - 1);
    const grammar::Regex pair[] = {x, y};
    Language out;
    switch (choice) {
      case 3: return {make.concat(pair), joined(in_x, in_y)};
      case 4: return {make.either(pair), united(in_x, in_y)};
      case 5:
        for (const std::string& s : in_x)
          if (in_y.contains(s)) out.insert(s);
        return {make.both(pair), out};
      case 6: {  // within strings of a, b, c: the engine's complement knows other bytes as well
        for (const std::string& s : every_string())
          if (!in_x.contains(s)) out.insert(s);
        grammar::ByteSet abc;
        abc.add('a', 'c');
        const grammar::Regex within[] = {make.complement(x), make.repeat(make.bytes(abc), 0, grammar::kUnbounded)};
        return {make.both(within), out};
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
