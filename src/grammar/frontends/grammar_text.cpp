// What is made of regular parts only becomes one lexeme; a rule's name is always a symbol. What is open lies on a stack
// of our own.
#include "grammar/frontends/grammar_text.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/nearest.h"
#include "base/shown.h"
#include "base/utf8.h"
#include "grammar/frontends/code_set.h"
#include "puna/base/error.h"

namespace puna::grammar {
namespace {

enum class Spelling { gbnf, w3c, iso };

class TextParser {
 public:
  TextParser(std::string_view text, Notation notation, Builder& build, const Watch& watch)
      : text_(text), notation_(notation), build_(build), regexes_(build.regexes()), watch_(watch) {}

  Symbol run() {
    if (const size_t at = find_non_text(text_, watch_); at != std::string_view::npos) wrong("it is not UTF-8", at);
    skip(true);
    while (!at_end()) rule();
    if (order_.empty()) wrong("there is no rule", 0);
    for (const std::string& name : order_) {
      const Rule& rule = rules_.at(name);
      if (!rule.defined)
        wrong("there is no rule '" + shown(name) + "'" + did_you_mean(name, defined()), rule.first_use);
    }
    if (notation_ == Notation::ebnf) return rules_.at(first_).symbol;
    const auto root = rules_.find("root");
    if (root == rules_.end()) wrong("there is no rule 'root'", 0);
    return root->second.symbol;
  }

 private:
  struct Rule {
    Symbol symbol;
    bool defined = false;
    size_t first_use = 0;
  };
  struct Item {  // a regular expression, or a symbol
    std::optional<Regex> regex;
    Symbol symbol{};
  };
  using Sequence = std::vector<Item>;
  struct Frame {
    char closer;  // '\0' for the rule itself
    size_t opened;
    std::vector<Sequence> branches;
    Sequence sequence;
  };

  // ---- places -------------------------------------------------------------------------------------------------------

  [[noreturn]] void wrong(const std::string& what, size_t at) const {
    size_t line = 1, column = 1;
    for (size_t i = 0; i < at && i < text_.size(); ++i) {
      const bool next = text_[i] == '\n';
      line += next;
      column = next ? 1 : column + 1;
    }
    fail(Status::invalid_argument, "%s, line %zu, column %zu: %s", notation_ == Notation::gbnf ? "GBNF" : "EBNF", line,
         column, what.c_str());
  }
  [[noreturn]] void wrong(const std::string& what) const { wrong(what, at_); }

  bool at_end() const { return at_ == text_.size(); }
  char peek(size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }
  bool take_if(std::string_view word) {
    if (text_.substr(at_, word.size()) != word) return false;
    at_ += word.size();
    return true;
  }
  // White space and comments.
  void skip(bool lines) {
    for (;;) {
      watch_.tick();
      if (peek() == ' ' || peek() == '\t' || peek() == '\r' || (lines && peek() == '\n'))
        ++at_;
      else if (notation_ == Notation::gbnf && peek() == '#')
        at_ = std::min(text_.find('\n', at_), text_.size());
      else if (notation_ == Notation::ebnf && take_if("/*"))
        comment("*/");
      else if (notation_ == Notation::ebnf && take_if("(*"))
        comment("*)");
      else
        return;
    }
  }
  void comment(std::string_view end) {
    const size_t found = text_.find(end, at_);
    if (found == std::string_view::npos) wrong("a comment is not closed", at_ - 2);
    at_ = found + end.size();
  }

  // ---- rules --------------------------------------------------------------------------------------------------------

  static bool names_begin(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
  static bool names_go_on(char c) { return names_begin(c) || (c >= '0' && c <= '9') || c == '-' || c == '.'; }
  std::string name() {
    const size_t start = at_;
    if (notation_ == Notation::gbnf ? !names_go_on(peek()) : !names_begin(peek())) wrong("expected the name of a rule");
    while (names_go_on(peek())) ++at_;
    return std::string(text_.substr(start, at_ - start));
  }
  Rule& rule_of(const std::string& name, size_t at) {
    const auto [known, first] = rules_.try_emplace(name);
    if (first) {
      known->second = {build_.rule(name), false, at};
      order_.push_back(name);
    }
    return known->second;
  }
  std::vector<std::string> defined() const {
    std::vector<std::string> names;
    for (const auto& [name, rule] : rules_)
      if (rule.defined) names.push_back(name);
    return names;
  }
  // Whether a rule begins here: a name and its sign.
  bool at_rule() {
    const size_t start = at_;
    bool yes = names_go_on(peek());
    if (yes) {
      while (names_go_on(peek())) ++at_;
      skip(false);
      yes = take_if("::=") || (notation_ == Notation::ebnf && take_if("="));
    }
    at_ = start;
    return yes;
  }

  void rule() {
    const size_t start = at_;
    const std::string called = name();
    skip(false);
    if (take_if("::="))
      spelling_ = notation_ == Notation::gbnf ? Spelling::gbnf : Spelling::w3c;
    else if (notation_ == Notation::ebnf && take_if("="))
      spelling_ = Spelling::iso;
    else
      wrong(notation_ == Notation::gbnf ? "expected ::=" : "expected ::= or =");
    Rule& rule = rule_of(called, start);
    if (rule.defined) wrong("the rule '" + shown(called) + "' is defined twice", start);
    rule.defined = true;
    if (first_.empty()) first_ = called;
    const Symbol symbol = rule.symbol;
    frames_.push_back({'\0', start, {}, {}});
    skip(true);
    while (!rule_ends()) {
      item();
      skip(frames_.size() > 1 || spelling_ != Spelling::gbnf);
    }
    if (frames_.size() > 1) {
      const Frame& open = frames_.back();
      wrong(std::string("a ") + text_[open.opened] + " is not closed", open.opened);
    }
    Frame frame = std::move(frames_.back());
    frames_.pop_back();
    frame.branches.push_back(std::move(frame.sequence));
    for (const Sequence& branch : frame.branches) build_.alternative(symbol, symbols(branch));
    skip(true);
  }

  bool rule_ends() {
    if (at_end()) return true;
    if (frames_.size() > 1) return false;
    if (spelling_ == Spelling::iso) return take_if(";");
    if (spelling_ == Spelling::w3c) return at_rule();
    if (peek() != '\n') return false;
    // A line that goes on with another branch belongs to the rule.
    const size_t start = at_;
    skip(true);
    if (peek() == '|') return false;
    at_ = start;
    return true;
  }

  // ---- items --------------------------------------------------------------------------------------------------------

  void item() {
    watch_.tick();
    const char c = peek();
    Frame& frame = frames_.back();
    if (c == '|') {
      ++at_;
      frame.branches.push_back(std::move(frame.sequence));
      frame.sequence.clear();
      return skip(true);
    }
    if (c == frame.closer && frame.closer) return close();
    const bool iso = spelling_ == Spelling::iso;
    if (iso && c == ',') return void(++at_);
    if (c == '(') return open(')');
    if (iso && c == '[') return open(']');
    if (iso && c == '{') return open('}');
    const size_t start = at_;
    if (c == '"' || c == '\'') return push({literal(), {}});
    if (c == '[') return push({set(bracket()), {}});
    if (c == '.' && !iso) return ++at_, push({set(CodeSet::all()), {}});
    if (c == '#' && spelling_ == Spelling::w3c) return push({set(CodeSet::one(character_reference())), {}});
    if (c == '<' && spelling_ == Spelling::gbnf) return push({std::nullopt, special_token()});
    if (names_go_on(c)) {
      const std::string called = name();
      return push({std::nullopt, rule_of(called, start).symbol});
    }
    wrong(std::string("unexpected '") + shown(text_.substr(at_, 1)) + "'");
  }

  void open(char closer) {
    frames_.push_back({closer, at_, {}, {}});
    ++at_;
  }

  void close() {
    ++at_;
    Frame frame = std::move(frames_.back());
    frames_.pop_back();
    frame.branches.push_back(std::move(frame.sequence));
    const Item group = joined(frame.branches);
    if (frame.closer == ']') return push(repeated(group, 0, 1));
    if (frame.closer == '}') return push(repeated(group, 0, kUnbounded));
    push(group);
  }

  Item joined(const std::vector<Sequence>& branches) {
    std::vector<Regex> regular;
    for (const Sequence& branch : branches)
      if (const std::optional<Regex> regex = regular_part(branch)) regular.push_back(*regex);
    if (regular.size() == branches.size()) return {regexes_.either(regular), {}};
    const Symbol rule = build_.rule("group");
    for (const Sequence& branch : branches) build_.alternative(rule, symbols(branch));
    return {std::nullopt, rule};
  }

  std::optional<Regex> regular_part(const Sequence& sequence) {
    std::vector<Regex> parts;
    for (const Item& item : sequence) {
      if (!item.regex) return std::nullopt;
      parts.push_back(*item.regex);
    }
    return regexes_.concat(parts);
  }

  std::vector<Symbol> symbols(const Sequence& sequence) {
    std::vector<Symbol> list;
    std::vector<Regex> run;
    const auto flush = [&] {
      if (!run.empty()) list.push_back(build_.lexeme(regexes_.concat(run)));
      run.clear();
    };
    for (const Item& item : sequence) {
      if (item.regex) {
        run.push_back(*item.regex);
        continue;
      }
      flush();
      list.push_back(item.symbol);
    }
    flush();
    return list;
  }

  void push(Item item) {
    uint64_t min, max;
    while (quantifier(min, max)) item = repeated(item, min, max);
    frames_.back().sequence.push_back(item);
  }

  Item repeated(const Item& item, uint64_t min, uint64_t max) {
    if (item.regex) return {regexes_.repeat(*item.regex, min, max), {}};
    return {std::nullopt, build_.repeat(item.symbol, min, max)};
  }

  bool quantifier(uint64_t& min, uint64_t& max) {
    if (spelling_ == Spelling::iso && peek() == '{') return false;
    const size_t start = at_;
    if (spelling_ == Spelling::gbnf) skip(false);  // llama.cpp reads "a" * as "a"*
    if (take_if("*")) return min = 0, max = kUnbounded, true;
    if (take_if("+")) return min = 1, max = kUnbounded, true;
    if (take_if("?")) return min = 0, max = 1, true;
    if (!take_if("{")) return at_ = start, false;
    skip(false);
    min = peek() == ',' ? 0 : number();
    max = min;
    skip(false);
    if (take_if(",")) {
      skip(false);
      max = peek() == '}' ? kUnbounded : number();
      skip(false);
    }
    if (!take_if("}")) wrong("expected }");
    if (max < min) wrong("the second number is less than the first", start);
    return true;
  }

  uint64_t number() {
    if (peek() < '0' || peek() > '9') wrong("expected a number");
    uint64_t value = 0;
    for (; peek() >= '0' && peek() <= '9'; ++at_) {
      const auto digit = uint64_t(peek() - '0');
      if (value > (kUnbounded - 1 - digit) / 10) wrong("a number beyond 64 bits");
      value = value * 10 + digit;
    }
    return value;
  }

  // ---- characters ---------------------------------------------------------------------------------------------------

  Regex set(const CodeSet& set) { return set.empty() ? regexes_.nothing() : regexes_.code_points(set.ranges()); }

  uint32_t character() {
    if (peek() == '\\' && spelling_ == Spelling::gbnf) return escape();
    const Utf8 c = decode_utf8(text_.data() + at_, text_.data() + text_.size());
    at_ += c.size;
    return c.code;
  }

  uint32_t escape() {
    ++at_;
    const char c = peek();
    ++at_;
    switch (c) {
      case 'n': return '\n';
      case 't': return '\t';
      case 'r': return '\r';
      case 'x': return hex(2);
      case 'u': return hex(4);
      case 'U': return hex(8);
      case '"':
      case '\'':
      case '[':
      case ']':
      case '\\':
      case '-':
      case '^': return uint32_t(c);
      default: wrong(std::string("unknown escape \\") + shown(std::string_view(&c, 1)), at_ - 2);
    }
  }

  uint32_t hex(int digits) {
    uint32_t value = 0;
    for (int i = 0; i < digits || (digits == 0 && is_hex(peek())); ++i) {
      if (!is_hex(peek())) wrong("expected a hexadecimal digit");
      const char c = peek();
      value = value * 16 + uint32_t(c <= '9' ? c - '0' : (c | 32) - 'a' + 10);
      if (value > kLastCode) wrong("a code point beyond U+10FFFF");
      ++at_;
    }
    return value;
  }
  static bool is_hex(char c) { return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'f'); }

  uint32_t character_reference() {  // #x41
    if (!take_if("#x") || !is_hex(peek())) wrong("expected #x and hexadecimal digits");
    return hex(0);
  }

  Regex literal() {
    const size_t start = at_;
    const char quote = text_[at_++];
    std::string bytes;
    while (peek() != quote) {
      watch_.tick();
      if (at_end()) wrong("a string is not closed", start);
      const uint32_t code = character();
      if (code >= 0xD800 && code <= 0xDFFF) wrong("half of a surrogate pair");
      append_utf8(bytes, code);
    }
    ++at_;
    return regexes_.literal(bytes);
  }

  CodeSet bracket() {
    const size_t start = at_++;
    const bool negated = take_if("^");
    CodeSet set;
    while (peek() != ']') {
      watch_.tick();
      if (at_end()) wrong("a [ is not closed", start);
      const uint32_t first = class_character();
      uint32_t last = first;
      if (peek() == '-' && peek(1) != ']') {
        ++at_;
        last = class_character();
      }
      if (last < first) wrong("a range whose end is before its beginning");
      set.add(first, last);
    }
    ++at_;
    set.join();
    return negated ? set.complement() : set;
  }
  uint32_t class_character() {
    return spelling_ == Spelling::w3c && peek() == '#' && peek(1) == 'x' ? character_reference() : character();
  }

  Symbol special_token() {
    const size_t end = text_.find('>', at_);
    if (end == std::string_view::npos) wrong("a < is not closed");
    const std::string_view name = text_.substr(at_, end + 1 - at_);
    if (name.substr(0, 2) == "<[") wrong("tokens by number are not supported; write the token's name");
    at_ = end + 1;
    return build_.special_token(name);
  }

  std::string_view text_;
  Notation notation_;
  Builder& build_;
  RegexBuilder& regexes_;
  const Watch& watch_;
  Spelling spelling_ = Spelling::gbnf;
  size_t at_ = 0;
  std::vector<Frame> frames_;
  std::map<std::string, Rule> rules_;
  std::vector<std::string> order_;
  std::string first_;
};

}  // namespace

Symbol parse_grammar_text(std::string_view text, Notation notation, Builder& build, const Watch& watch) {
  return TextParser(text, notation, build, watch).run();
}

}  // namespace puna::grammar
