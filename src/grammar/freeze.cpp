// freeze.cpp -- Builder::finish: what the root needs, which symbols end and which may be empty, and their dots.
//   1. reached(): symbols in the order in which the root's alternatives name them; they are numbered by it
//   2. productive(): those that some finite string of bytes and tokens is; alternatives that need others are left out
//   3. nullable(): those that the empty string is
//   4. emit(): dots and starts of all of them; expressions go over into an arena that holds nothing else
#include <algorithm>
#include <functional>

#include "grammar/builder.h"
#include "grammar/liveness.h"
#include "grammar/rules.h"
#include "puna/base/error.h"

namespace puna::grammar {

class Freezer {
 public:
  Freezer(const Builder& from, Symbol root) : from_(from), root_(root) {}

  Rules freeze() {
    reach();
    rules_.limits = from_.limits_;
    import_lexemes();
    find_productive();
    if (!productive_[0]) fail_unproductive();
    find_nullable();
    emit();
    const size_t bytes = rules_.regexes.bytes_held() + rules_.symbols.size() * sizeof(SymbolInfo) +
                         rules_.dots.size() * sizeof(Dot) + rules_.starts.size() * sizeof(Start);
    PUNA_REQUIRE(bytes <= from_.limits_.bytes / 2, "the compiled grammar has %zu bytes, and %ju are half of its limit",
                 bytes, from_.limits_.bytes / 2);
    rules_.regexes.set_limit(UINT32_MAX, nullptr);
    return std::move(rules_);
  }

 private:
  using Kind = Builder::Kind;
  // What must hold for all of `symbols` before it holds for `owner`.
  struct Need {
    uint32_t owner;
    std::vector<uint32_t> symbols;
  };

  uint32_t number(Symbol symbol) const { return numbers_[size_t(symbol)]; }
  const Builder::Entry& entry(uint32_t n) const { return from_.symbols_[size_t(order_[n])]; }
  template <class Visit>
  void for_alternatives(const Builder::Entry& rule, Visit&& visit) const {
    for (uint32_t a = rule.first_alternative; a != kNone; a = from_.alternatives_[a].next) {
      const Builder::Alternative& alternative = from_.alternatives_[a];
      visit(std::span<const Symbol>(from_.sequences_).subspan(alternative.begin, alternative.end - alternative.begin));
    }
  }

  void reach() {
    numbers_.assign(from_.symbols_.size(), kNone);
    const auto visit = [&](Symbol symbol) {
      if (numbers_[size_t(symbol)] != kNone) return;
      numbers_[size_t(symbol)] = uint32_t(order_.size());
      order_.push_back(symbol);
    };
    visit(root_);
    for (size_t n = 0; n < order_.size(); ++n) {
      from_.watch_->tick();
      const Builder::Entry& e = entry(uint32_t(n));
      if (e.kind == Kind::repeat) {
        visit(e.element);
        if (e.separator != Symbol(kNone)) visit(e.separator);
      }
      if (e.kind != Kind::rule) continue;
      PUNA_REQUIRE(e.first_alternative != kNone, "rule '%s' is used and never defined", from_.names_[e.name].c_str());
      for_alternatives(e, [&](std::span<const Symbol> sequence) {
        for (const Symbol symbol : sequence) visit(symbol);
      });
    }
  }

  void import_lexemes() {
    RegexBuilder& arena = rules_.regexes;
    arena.set_limit(from_.limits_.nodes, from_.watch_);
    rules_.symbols.resize(order_.size());
    std::vector<uint32_t> known;
    for (size_t n = 0; n < order_.size(); ++n)
      if (entry(uint32_t(n)).kind == Kind::lexeme)
        rules_.symbols[n].regex = arena.import(from_.regexes_, entry(uint32_t(n)).regex, known);
    from_.watch_->tick(arena.sets().size());
    rules_.classes = ByteClasses(arena.sets());
    Derivatives derivatives(arena, rules_.classes);
    Liveness liveness(arena, derivatives, rules_.classes, from_.limits_.searched, from_.watch_, from_.limits_.bytes);
    lexeme_alive_.assign(order_.size(), false);
    lexeme_goes_on_.assign(order_.size(), false);
    for (size_t n = 0; n < order_.size(); ++n) {
      if (entry(uint32_t(n)).kind != Kind::lexeme) continue;
      lexeme_alive_[n] = liveness.alive(rules_.symbols[n].regex);
      lexeme_goes_on_[n] = liveness.goes_on(rules_.symbols[n].regex);
    }
  }

  // The least set of symbols that holds `base` and the owner of every need that is met.
  std::vector<bool> fixpoint(const std::vector<Need>& needs, const std::function<bool(uint32_t)>& base) const {
    std::vector<std::vector<uint32_t>> users(order_.size());
    std::vector<size_t> left(needs.size());
    std::vector<bool> holds(order_.size(), false);
    std::vector<uint32_t> todo;
    const auto hold = [&](uint32_t n) {
      if (!holds[n]) todo.push_back(n);
      holds[n] = true;
    };
    for (size_t i = 0; i < needs.size(); ++i) {
      left[i] = needs[i].symbols.size();
      if (left[i] == 0) hold(needs[i].owner);
      for (const uint32_t n : needs[i].symbols) users[n].push_back(uint32_t(i));
    }
    for (uint32_t n = 0; n < order_.size(); ++n)
      if (base(n)) hold(n);
    while (!todo.empty()) {
      const uint32_t n = todo.back();
      todo.pop_back();
      from_.watch_->tick(1 + users[n].size());
      for (const uint32_t i : users[n])
        if (--left[i] == 0) hold(needs[i].owner);
    }
    return holds;
  }

  std::vector<Need> needs() const {
    std::vector<Need> needs;
    for (uint32_t n = 0; n < order_.size(); ++n) {
      const Builder::Entry& e = entry(n);
      if (e.kind == Kind::rule) {
        for_alternatives(e, [&](std::span<const Symbol> sequence) {
          Need need{n, {}};
          for (const Symbol symbol : sequence) need.symbols.push_back(number(symbol));
          needs.push_back(std::move(need));
        });
      } else if (e.kind == Kind::repeat) {
        Need need{n, {}};
        if (e.min >= 1) need.symbols.push_back(number(e.element));
        if (e.min >= 2 && e.separator != Symbol(kNone)) need.symbols.push_back(number(e.separator));
        needs.push_back(std::move(need));
      }
    }
    return needs;
  }

  void find_productive() {
    productive_ = fixpoint(needs(), [&](uint32_t n) { return entry(n).kind == Kind::token || lexeme_alive_[n]; });
  }
  void find_nullable() {
    nullable_ = fixpoint(needs(), [&](uint32_t n) {
      return entry(n).kind == Kind::lexeme && rules_.regexes.nullable(rules_.symbols[n].regex);
    });
  }
  [[noreturn]] void fail_unproductive() const {
    const char* root = entry(0).kind == Kind::rule ? from_.names_[entry(0).name].c_str() : "";
    for (uint32_t n = 1; n < order_.size(); ++n)
      if (entry(n).kind == Kind::rule && !productive_[n])
        fail(Status::invalid_argument, "the grammar '%s' matches no text at all: rule '%s' never ends", root,
             from_.names_[entry(n).name].c_str());
    fail(Status::invalid_argument, "the grammar '%s' matches no text at all", root);
  }

  void emit() {
    rules_.dots.push_back({Dot::In::rule, true, 0});
    rules_.dots.push_back({Dot::In::rule, false, kNone});
    rules_.start_dot = 0;
    std::unordered_map<uint32_t, uint32_t> token_numbers;
    for (uint32_t n = 0; n < order_.size(); ++n) {
      from_.watch_->tick();
      const Builder::Entry& e = entry(n);
      SymbolInfo& info = rules_.symbols[n];
      info.nullable = nullable_[n];
      info.starts = uint32_t(rules_.starts.size());
      switch (e.kind) {
        case Kind::lexeme:
          // One that is empty or nothing is a rule that only ends.
          info.kind = lexeme_goes_on_[n] ? SymbolInfo::Kind::lexeme : SymbolInfo::Kind::rule;
          break;
        case Kind::token:
          info.kind = SymbolInfo::Kind::token;
          info.token = token_numbers.emplace(e.name, uint32_t(token_numbers.size())).first->second;
          if (info.token == rules_.token_names.size()) rules_.token_names.push_back(from_.names_[e.name]);
          break;
        case Kind::rule:
          info.kind = SymbolInfo::Kind::rule;
          for_alternatives(e, [&](std::span<const Symbol> sequence) { emit_alternative(sequence); });
          break;
        case Kind::repeat:
          info.kind = SymbolInfo::Kind::repeat;
          emit_repeat(e, info);
          break;
      }
      info.starts_end = uint32_t(rules_.starts.size());
    }
  }

  void emit_alternative(std::span<const Symbol> sequence) {
    for (const Symbol symbol : sequence)
      if (!productive_[number(symbol)]) return;
    const uint32_t first = uint32_t(rules_.dots.size());
    bool nullable_so_far = true;
    for (size_t i = 0; i < sequence.size(); ++i) {
      if (nullable_so_far) rules_.starts.push_back({first + uint32_t(i), 0, 0});
      nullable_so_far = nullable_so_far && nullable_[number(sequence[i])];
      rules_.dots.push_back({Dot::In::rule, i + 1 == sequence.size(), number(sequence[i])});
    }
    rules_.dots.push_back({Dot::In::rule, false, kNone});
  }

  // Where an element may be empty, less than the minimum of others is as good: unless separators, which are not empty,
  // have to stand between.
  void emit_repeat(const Builder::Entry& e, SymbolInfo& info) {
    const uint32_t element = number(e.element);
    uint32_t separator = e.separator == Symbol(kNone) ? kNone : number(e.separator);
    info.min = uint32_t(e.min);
    info.max = e.max >= kManyLeft ? kManyLeft : uint32_t(e.max);
    if (separator != kNone && !productive_[separator]) info.max = std::min<uint32_t>(info.max, 1);
    if (!productive_[element]) info.max = 0;
    if (info.max <= 1) separator = kNone;
    if (nullable_[element] && (separator == kNone || nullable_[separator])) info.min = 0;
    info.element_dot = uint32_t(rules_.dots.size());
    rules_.dots.push_back({Dot::In::element, false, element});
    rules_.dots.push_back({Dot::In::separator, false, separator});
    if (info.max == 0) return;
    rules_.starts.push_back({info.element_dot, info.min, info.max});
    if (nullable_[element] && separator != kNone)
      rules_.starts.push_back(
          {info.element_dot + 1, info.min == 0 ? 0 : info.min - 1, info.max == kManyLeft ? kManyLeft : info.max - 1});
  }

  const Builder& from_;
  Symbol root_;
  Rules rules_;
  std::vector<Symbol> order_;
  std::vector<uint32_t> numbers_;  // by the builder's symbol
  std::vector<bool> lexeme_alive_, lexeme_goes_on_, productive_, nullable_;
};

GrammarPtr Builder::finish(Symbol root) {
  require_known(root);
  return std::make_shared<const Grammar>(Freezer(*this, root).freeze());
}

}  // namespace puna::grammar
