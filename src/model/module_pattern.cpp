#include "model/module_pattern.h"

#include <algorithm>

#include "puna/base/error.h"

namespace puna {
namespace {

constexpr size_t kMostStates = 4096;
constexpr int kDeepest = 32, kMostRepeats = 1000;

bool is_word(unsigned char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}
bool is_digit(unsigned char c) { return c >= '0' && c <= '9'; }
bool is_space(unsigned char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

}  // namespace

// Builds the automaton back to front: each part gets the state that follows it, so that nothing has to be patched.
class ModulePattern::Parser {
 public:
  Parser(ModulePattern& to, std::string_view pattern, const char* what) : to_(to), p_(pattern), what_(what) {}

  void parse() {
    const Node root = alternatives(0);
    if (at_ != p_.size()) bad("an unbalanced ')'");
    to_.first_ = build(root, state({State::Kind::accept}));
  }

 private:
  struct Node {
    enum class Kind { empty, set, edge, sequence, choice, repeat } kind = Kind::empty;
    int32_t set = -1;
    State::Kind edge = State::Kind::start;
    int least = 0, most = 0;  // of a repeat; most < 0: no end
    std::vector<Node> parts = {};
  };

  [[noreturn]] void bad(const char* problem) const {
    fail(Status::bad_file, "%s: '%.100s' is no pattern: %s at %zu", what_, std::string(p_).c_str(), problem, at_);
  }
  [[noreturn]] void unsupported(const char* part) const {
    fail(Status::unsupported, "%s: '%.100s' has %s at %zu, which is not supported", what_, std::string(p_).c_str(),
         part, at_);
  }
  bool more() const { return at_ < p_.size(); }
  bool take(char c) { return more() && p_[at_] == c && ++at_; }
  bool take(std::string_view s) {
    if (p_.substr(at_, s.size()) != s) return false;
    at_ += s.size();
    return true;
  }

  Node alternatives(int depth) {
    if (depth > kDeepest) unsupported("groups nested deeper than 32");
    Node choice{Node::Kind::choice};
    do choice.parts.push_back(sequence(depth));
    while (take('|'));
    return choice.parts.size() == 1 ? std::move(choice.parts[0]) : choice;
  }

  Node sequence(int depth) {
    Node list{Node::Kind::sequence};
    while (more() && p_[at_] != '|' && p_[at_] != ')') list.parts.push_back(repeated(depth));
    return list;
  }

  Node repeated(int depth) {
    Node inner = atom(depth);
    int least = 0, most = 0;
    if (!quantifier(least, most)) return inner;
    if (inner.kind == Node::Kind::edge) bad("nothing to repeat");
    take('?');  // lazy: the same texts match
    if (more() && p_[at_] == '+') unsupported("a possessive repeat");
    if (int a, b; quantifier(a, b)) bad("a repeat of a repeat");
    Node r{Node::Kind::repeat};
    r.least = least;
    r.most = most;
    r.parts.push_back(std::move(inner));
    return r;
  }

  bool quantifier(int& least, int& most) {
    if (take('*')) return least = 0, most = -1, true;
    if (take('+')) return least = 1, most = -1, true;
    if (take('?')) return least = 0, most = 1, true;
    const size_t start = at_;
    if (!take('{')) return false;
    const bool low = number(least);
    if (!low) least = 0;
    bool valid = low;
    most = least;
    if (take(',')) {
      if (!number(most)) most = -1;
      valid = true;
    }
    if (!valid || !take('}')) return at_ = start, false;  // "{" stands for itself
    if (most >= 0 && most < least) bad("a repeat whose end lies before its start");
    return true;
  }
  bool number(int& value) {
    const size_t start = at_;
    for (value = 0; more() && is_digit(static_cast<unsigned char>(p_[at_])); ++at_) {
      value = value * 10 + (p_[at_] - '0');
      if (value > kMostRepeats) unsupported("a repeat of more than 1000 times");
    }
    return at_ > start;
  }

  Node atom(int depth) {
    if (take('(')) return group(depth);
    if (take('[')) return set(bracket());
    if (take('.')) {
      Set any(256, true);
      any['\n'] = false;
      return set(std::move(any));
    }
    if (take('^')) return edge(State::Kind::start);
    if (take('$')) return edge(State::Kind::end);
    if (int a, b; quantifier(a, b)) bad("nothing to repeat");
    if (take('\\')) {
      if (take('b')) return edge(State::Kind::word_edge);
      if (take('B')) return edge(State::Kind::no_word_edge);
      if (take('A')) return edge(State::Kind::start);
      if (take('Z')) return edge(State::Kind::end);
      Set s(256, false);
      escaped(s);
      return set(std::move(s));
    }
    Set one(256, false);
    one[static_cast<unsigned char>(p_[at_++])] = true;
    return set(std::move(one));
  }

  Node group(int depth) {
    if (take('?')) {
      if (take("P<")) {
        const size_t end = p_.find('>', at_);
        if (end == p_.npos) bad("a group's name without an end");
        add_name(p_.substr(at_, end - at_));
        at_ = end + 1;
      } else if (!take(':')) {
        unsupported("a group of another kind than ( ) and (?: )");
      }
    }
    Node inner = alternatives(depth + 1);
    if (!take(')')) bad("a group without ')'");
    return inner;
  }

  void add_name(std::string_view name) {
    const auto word = [](char c) {
      return is_word(static_cast<unsigned char>(c)) || static_cast<unsigned char>(c) >= 0x80;
    };
    if (name.empty() || is_digit(static_cast<unsigned char>(name[0])) || !std::all_of(name.begin(), name.end(), word))
      bad("a group's name that is none");
    if (std::find(names_.begin(), names_.end(), name) != names_.end()) bad("a group's name for the second time");
    names_.push_back(name);
  }

  // Behind a backslash: a class of characters (true), or one character.
  bool escaped(Set& s) {
    if (!more()) bad("a lone '\\'");
    const char c = p_[at_++];
    const auto all = [&](bool (*is)(unsigned char), bool wanted) {
      for (int x = 0; x < 256; ++x)
        if (is(static_cast<unsigned char>(x)) == wanted) s[size_t(x)] = true;
      return true;
    };
    switch (c) {
      case 'd': return all(is_digit, true);
      case 'D': return all(is_digit, false);
      case 'w': return all(is_word, true);
      case 'W': return all(is_word, false);
      case 's': return all(is_space, true);
      case 'S': return all(is_space, false);
      case 't': return s['\t'] = true, false;
      case 'n': return s['\n'] = true, false;
      default: break;
    }
    if (is_word(static_cast<unsigned char>(c))) {
      --at_;
      unsupported(is_digit(static_cast<unsigned char>(c)) ? "a back reference" : "an escape of its own");
    }
    s[static_cast<unsigned char>(c)] = true;
    return false;
  }

  Set bracket() {
    Set s(256, false);
    const bool negated = take('^');
    for (bool first = true; first || !take(']'); first = false) {
      if (!more()) bad("a '[' without ']'");
      int low = static_cast<unsigned char>(p_[at_++]);
      if (low == '\\') {
        Set one(256, false);
        const bool many = escaped(one);
        low = many ? -1 : int(std::find(one.begin(), one.end(), true) - one.begin());
        for (size_t x = 0; x < 256; ++x) s[x] = s[x] || one[x];
      }
      if (low < 0) continue;
      s[size_t(low)] = true;
      if (at_ + 1 >= p_.size() || p_[at_] != '-' || p_[at_ + 1] == ']') continue;
      ++at_;
      int high = static_cast<unsigned char>(p_[at_++]);
      if (high == '\\') {
        Set one(256, false);
        if (escaped(one)) bad("a range that ends in a class");
        high = int(std::find(one.begin(), one.end(), true) - one.begin());
      }
      if (high < low) bad("a range whose end lies before its start");
      for (int x = low; x <= high; ++x) s[size_t(x)] = true;
    }
    if (negated) s.flip();
    return s;
  }

  Node set(Set s) {
    Node n{Node::Kind::set};
    n.set = int32_t(to_.sets_.size());
    to_.sets_.push_back(std::move(s));
    if (to_.sets_.size() > kMostStates) unsupported("more than 4096 states");
    return n;
  }
  static Node edge(State::Kind kind) {
    Node n{Node::Kind::edge};
    n.edge = kind;
    return n;
  }

  int32_t state(State s) {
    if (to_.states_.size() >= kMostStates) unsupported("more than 4096 states");
    to_.states_.push_back(s);
    return int32_t(to_.states_.size() - 1);
  }

  // The state from which `n` and then `next` is matched.
  int32_t build(const Node& n, int32_t next) {
    if (++built_ > 16 * kMostStates) unsupported("more than 4096 states");  // repeats of nothing make none
    switch (n.kind) {
      case Node::Kind::empty: return next;
      case Node::Kind::set: return state({State::Kind::character, next, -1, n.set});
      case Node::Kind::edge: return state({n.edge, next});
      case Node::Kind::sequence:
        for (size_t i = n.parts.size(); i-- > 0;) next = build(n.parts[i], next);
        return next;
      case Node::Kind::choice: {
        int32_t start = build(n.parts.back(), next);
        for (size_t i = n.parts.size() - 1; i-- > 0;)
          start = state({State::Kind::split, build(n.parts[i], next), start});
        return start;
      }
      case Node::Kind::repeat: {
        int32_t start = next;
        if (n.most < 0) {
          const int32_t loop = state({State::Kind::split, -1, next});
          const int32_t body = build(n.parts[0], loop);
          to_.states_[size_t(loop)].next = body;
          start = loop;
        } else {
          for (int i = n.least; i < n.most; ++i) start = state({State::Kind::split, build(n.parts[0], start), next});
        }
        for (int i = 0; i < n.least; ++i) start = build(n.parts[0], start);
        return start;
      }
    }
    return next;
  }

  ModulePattern& to_;
  std::string_view p_;
  const char* what_;
  size_t at_ = 0, built_ = 0;
  std::vector<std::string_view> names_;  // of groups
};

ModulePattern::ModulePattern(std::string_view pattern, const char* what) { Parser(*this, pattern, what).parse(); }

// A state and all that is reached from it without a character. The stack is a list: malicious patterns make long
// chains.
void ModulePattern::add(std::vector<int32_t>& list, std::vector<uint32_t>& seen, uint32_t round, int32_t state,
                        std::string_view text, size_t at) const {
  const auto word = [&](size_t i) { return i < text.size() && is_word(static_cast<unsigned char>(text[i])); };
  std::vector<int32_t> open{state};
  while (!open.empty()) {
    const int32_t i = open.back();
    open.pop_back();
    if (i < 0 || seen[size_t(i)] == round) continue;
    seen[size_t(i)] = round;
    const State& s = states_[size_t(i)];
    const bool edge = (at > 0 && word(at - 1)) != word(at);
    switch (s.kind) {
      case State::Kind::character:
      case State::Kind::accept: list.push_back(i); break;
      case State::Kind::split:
        open.push_back(s.other);
        open.push_back(s.next);
        break;
      case State::Kind::start:
        if (at == 0) open.push_back(s.next);
        break;
      case State::Kind::end:
        if (at == text.size()) open.push_back(s.next);
        break;
      case State::Kind::word_edge:
        if (edge) open.push_back(s.next);
        break;
      case State::Kind::no_word_edge:
        if (!edge) open.push_back(s.next);
        break;
    }
  }
}

bool ModulePattern::matches(std::string_view text) const {
  std::vector<int32_t> now, then;
  std::vector<uint32_t> seen(states_.size(), 0);
  add(now, seen, 1, first_, text, 0);
  for (size_t at = 0; at < text.size(); ++at) {
    then.clear();
    for (const int32_t i : now) {
      const State& s = states_[size_t(i)];
      if (s.kind == State::Kind::character && sets_[size_t(s.set)][static_cast<unsigned char>(text[at])])
        add(then, seen, uint32_t(at + 2), s.next, text, at + 1);
    }
    now.swap(then);
    if (now.empty()) return false;
  }
  return std::any_of(now.begin(), now.end(), [&](int32_t i) { return states_[size_t(i)].kind == State::Kind::accept; });
}

ModuleKey::ModuleKey(const std::string& key, const char* what) {
  const auto plain = [](char c) { return is_word(static_cast<unsigned char>(c)) || c == '.' || c == '-'; };
  if (!key.empty() && std::all_of(key.begin(), key.end(), plain)) {
    plain_ = key;
    return;
  }
  ModulePattern(key, what);  // alone first: "a)|(b" would close a group that is not its own
  pattern_.emplace_back("(.*\\.)?(" + key + ")", what);
}

bool ModuleKey::matches(std::string_view name) const {
  if (!pattern_.empty()) return pattern_[0].matches(name);
  if (name.size() < plain_.size()) return false;
  const size_t before = name.size() - plain_.size();
  if (before > 0 && name[before - 1] != '.') return false;
  for (size_t i = 0; i < plain_.size(); ++i)
    if (plain_[i] != '.' && plain_[i] != name[before + i]) return false;
  return true;
}

}  // namespace puna
