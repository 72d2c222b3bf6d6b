// A parser with stacks of its own: what is open (one frame a parenthesis) lies in `frames_`, what was read and is not
// joined yet in `pieces_`. So nesting costs memory, as much as the limit of nodes allows, and never the host's stack.
#include "grammar/frontends/regex_syntax.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/shown.h"
#include "base/utf8.h"
#include "grammar/frontends/regex_classes.h"
#include "grammar/frontends/regex_piece.h"
#include "puna/base/error.h"

namespace puna::grammar {
namespace {

constexpr uint32_t kEnd = UINT32_MAX;  // behind the last character

class RegexParser {
 public:
  RegexParser(std::string_view pattern, RegexBuilder& build, const RegexDialect& dialect, std::string_view place,
              const Watch& watch)
      : text_(pattern), build_(build), dialect_(dialect), place_(place), watch_(watch) {}

  Regex run() {
    if (const size_t at = find_non_text(text_, watch_); at != std::string_view::npos && text_[at] != '\0')
      wrong(Status::invalid_argument, "it is not UTF-8", at);
    frames_.push_back({});
    while (peek() != kEnd) {
      watch_.tick();
      item();
    }
    if (frames_.size() > 1) wrong(Status::invalid_argument, "a ( is not closed", frames_.back().opened);
    close_branch();
    return whole_text(alternatives(build_, pieces_));
  }

 private:
  struct Frame {
    enum Kind : uint8_t { group, ahead, not_ahead } kind = group;
    size_t opened = 0;  // where its parenthesis stands
    // Where in pieces_ its branches begin, and behind them the pieces of the branch at hand.
    size_t branches = 0, sequence = 0;
  };
  std::span<const Piece> pieces_from(size_t first) const { return std::span<const Piece>(pieces_).subspan(first); }

  // ---- characters ---------------------------------------------------------------------------------------------------

  uint32_t peek() const {
    if (at_ == text_.size()) return kEnd;
    return decode_utf8(text_.data() + at_, text_.data() + text_.size()).code;
  }
  uint32_t take() {
    const Utf8 next = decode_utf8(text_.data() + at_, text_.data() + text_.size());
    at_ += next.size;
    return next.code;
  }
  bool take_if(std::string_view word) {
    if (text_.substr(at_, word.size()) != word) return false;
    at_ += word.size();
    return true;
  }
  [[noreturn]] void wrong(Status status, const std::string& what, size_t at) const {
    fail(status, "%s: regular expression '%s': %s, at byte %zu", std::string(place_).c_str(), shown(text_).c_str(),
         what.c_str(), at);
  }
  [[noreturn]] void wrong(const std::string& what) const { wrong(Status::invalid_argument, what, at_); }
  [[noreturn]] void unsupported(const std::string& what) const {
    wrong(Status::unsupported, what + " is not supported", at_);
  }

  // ---- items: a character, a class, a group, an anchor, and how often it comes --------------------------------------

  void item() {
    switch (peek()) {
      case '(': return open();
      case ')': return close();
      case '|': return ++at_, close_branch();
      case '^': return ++at_, push(Piece::beginning(build_));
      case '$': return ++at_, push(Piece::end(build_));
      case '.': return ++at_, push_set(not_line_ends());
      case '[': return push_set(bracket());
      case '\\': return push_set(escape(false));
      case '*':
      case '+':
      case '?': wrong("there is nothing to repeat");
      default: push_set(CodeSet::one(take()));
    }
  }

  void push_set(const CodeSet& set) {
    push(Piece::of(set.empty() ? build_.nothing() : dialect_.character(set), false));
  }

  void push(Piece piece) {
    uint64_t min = 1, max = 1;
    while (quantifier(min, max)) piece = repeated(build_, piece, min, max);
    require_room();
    pieces_.push_back(std::move(piece));
  }

  // What is read may become as many nodes.
  void require_room() const {
    if (frames_.size() + pieces_.size() >= build_.max_nodes())
      wrong("it has more parts than the limit of " + std::to_string(build_.max_nodes()) + " nodes");
  }

  // * + ? {n} {n,} {n,m}, lazy or not. A { that begins no quantifier is a character.
  bool quantifier(uint64_t& min, uint64_t& max) {
    const uint32_t next = peek();
    if (next == '*' || next == '+' || next == '?') {
      ++at_;
      min = next == '+', max = next == '?' ? 1 : kUnbounded;
    } else if (next != '{' || !counts(min, max)) {
      return false;
    }
    if (peek() == '+') unsupported("a possessive quantifier");
    take_if("?");
    return true;
  }

  bool counts(uint64_t& min, uint64_t& max) {
    const size_t start = at_++;
    std::optional<uint64_t> low = number();
    if (low) {
      min = max = *low;
      if (take_if(",")) max = number().value_or(kUnbounded);
      if (take_if("}")) {
        if (max < min) wrong(Status::invalid_argument, "the second number is less than the first", start);
        return true;
      }
    }
    at_ = start;
    return false;
  }

  std::optional<uint64_t> number() {
    std::optional<uint64_t> value;
    for (; at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; ++at_) {
      const auto digit = uint64_t(text_[at_] - '0');
      if (value.value_or(0) > (kUnbounded - 1 - digit) / 10) wrong("a number beyond 64 bits");
      value = value.value_or(0) * 10 + digit;
    }
    return value;
  }

  // ---- groups -------------------------------------------------------------------------------------------------------

  void open() {
    Frame frame;
    frame.opened = at_++;
    if (take_if("?")) {
      if (take_if("<=") || take_if("<!")) unsupported("lookbehind");
      if (take_if("=")) {
        frame.kind = Frame::ahead;
      } else if (take_if("!")) {
        frame.kind = Frame::not_ahead;
      } else if (take_if("<") || take_if("P<")) {
        while (peek() != '>' && peek() != kEnd) take();
        if (!take_if(">")) wrong("the name of a group is not closed");
      } else if (!take_if(":")) {
        unsupported("a flag or a kind of group");
      }
    }
    if (frame.kind != Frame::group) require_beginning();
    require_room();
    frame.branches = frame.sequence = pieces_.size();
    frames_.push_back(frame);
  }

  // Lookahead constrains all of the text that follows: that is known where nothing but anchors came before.
  void require_beginning() const {
    bool beginning = frames_.size() == 1;
    for (const Piece& piece : pieces_from(frames_.back().sequence)) beginning = beginning && piece.at[1][0].some;
    if (!beginning) unsupported("lookahead that is not at the beginning");
  }

  void close() {
    if (frames_.size() == 1) wrong("a ) without its (");
    ++at_;
    close_branch();
    const Frame::Kind kind = frames_.back().kind;
    const Piece piece = alternatives(build_, pieces_from(frames_.back().branches));
    pieces_.resize(frames_.back().branches);
    frames_.pop_back();
    if (kind == Frame::group) return push(piece);
    uint64_t min, max;
    if (quantifier(min, max)) unsupported("a lookahead that is repeated");
    const Regex follows = with_rest(piece.at[0][0], piece.at[0][1], true);
    ahead_of_rest_.push_back(kind == Frame::ahead ? follows : build_.complement(follows));
  }

  void close_branch() {
    Frame& frame = frames_.back();
    Piece branch = sequence(build_, pieces_from(frame.sequence));
    if (frames_.size() == 1 && !ahead_of_rest_.empty()) branch = constrained(branch, std::exchange(ahead_of_rest_, {}));
    pieces_.resize(frame.sequence);
    pieces_.push_back(branch);
    frame.sequence = pieces_.size();
  }

  // ---- anchors ------------------------------------------------------------------------------------------------------

  Regex joined(Regex a, Regex b) {
    const Regex parts[] = {a, b};
    return build_.concat(parts);
  }

  // What may stand from where `open` begins to the text's end.
  Regex with_rest(const Piece::Language& open, const Piece::Language& to_the_end, bool search) {
    std::vector<Regex> ways;
    if (open.some) ways.push_back(search ? joined(open.regex, dialect_.any_text) : open.regex);
    if (to_the_end.some) ways.push_back(to_the_end.regex);
    return build_.either(ways);
  }

  // A branch at the outermost level with lookaheads, as the whole texts that it matches.
  Piece constrained(const Piece& branch, std::vector<Regex> conditions) {
    std::vector<Regex> ways;
    for (int begin = 0; begin < 2; ++begin) {
      conditions.push_back(with_rest(branch.at[begin][0], branch.at[begin][1], dialect_.search));
      const Regex rest = build_.both(conditions);
      ways.push_back(begin == 0 && dialect_.search ? joined(dialect_.any_text, rest) : rest);
      conditions.pop_back();
    }
    Piece whole;
    whole.at[1][1] = {true, false, build_.either(ways)};
    return whole;
  }

  Regex whole_text(const Piece& piece) {
    const Regex from_anywhere = with_rest(piece.at[0][0], piece.at[0][1], dialect_.search);
    const Regex from_beginning = with_rest(piece.at[1][0], piece.at[1][1], dialect_.search);
    const Regex ways[] = {dialect_.search ? joined(dialect_.any_text, from_anywhere) : from_anywhere, from_beginning};
    return build_.either(ways);
  }

  // ---- classes ------------------------------------------------------------------------------------------------------

  CodeSet bracket() {
    const size_t start = at_++;
    const bool negated = take_if("^");
    CodeSet set;
    size_t joined = 0;  // ranges, when it was joined
    while (peek() != ']') {
      watch_.tick();
      if (set.ranges().size() > 2 * joined + 4096) set.join(), joined = set.ranges().size();
      if (peek() == kEnd) wrong(Status::invalid_argument, "a [ is not closed", start);
      CodeSet low = class_member();
      if (peek() == '-' && at_ + 1 < text_.size() && text_[at_ + 1] != ']') {
        ++at_;
        CodeSet high = class_member();
        if (is_one(low) && is_one(high)) {
          const uint32_t first = low.ranges()[0].first, last = high.ranges()[0].first;
          if (first > last) wrong("a range whose end is before its beginning");
          low = CodeSet{{first, last}};
        } else {  // [\w-.]: the - is itself
          low.add('-', '-');
          low.add(high);
        }
      }
      set.add(low);
    }
    ++at_;
    set.join();
    return negated ? set.complement() : set;
  }

  CodeSet class_member() { return peek() == '\\' ? escape(true) : CodeSet::one(take()); }

  static bool is_one(const CodeSet& set) {
    return set.ranges().size() == 1 && set.ranges()[0].first == set.ranges()[0].last;
  }

  CodeSet escape(bool in_class) {
    ++at_;
    if (peek() == kEnd) wrong("a \\ at the end");
    const uint32_t c = take();
    switch (c) {
      case 'd': return digits();
      case 'D': return digits().complement();
      case 'w': return word_letters();
      case 'W': return word_letters().complement();
      case 's': return white_space();
      case 'S': return white_space().complement();
      case 't': return CodeSet::one('\t');
      case 'n': return CodeSet::one('\n');
      case 'r': return CodeSet::one('\r');
      case 'f': return CodeSet::one('\f');
      case 'v': return CodeSet::one('\v');
      case '0': return CodeSet::one(0);
      case 'x': return CodeSet::one(hex(2));
      case 'u': return CodeSet::one(peek() == '{' ? braced_hex() : utf16());
      case 'c': return CodeSet::one(take() % 32);
      case 'p':
      case 'P': return category(c == 'P');
      case 'b':
        if (in_class) return CodeSet::one('\b');
        [[fallthrough]];
      case 'B': unsupported("a word boundary");
      default: break;
    }
    if (c >= '1' && c <= '9') unsupported("a back reference");
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) unsupported(std::string("the escape \\") + char(c));
    return CodeSet::one(c);
  }

  uint32_t hex(int count) {
    uint32_t value = 0;
    for (int i = 0; i < count; ++i) value = value * 16 + hex_digit();
    return value;
  }
  uint32_t hex_digit() {
    const uint32_t c = peek();
    const uint32_t lower = c | 32;
    if (c >= '0' && c <= '9') return ++at_, c - '0';
    if (lower >= 'a' && lower <= 'f') return ++at_, lower - 'a' + 10;
    wrong("expected a hexadecimal digit");
  }
  uint32_t braced_hex() {
    ++at_;
    uint32_t value = 0;
    do {
      value = value * 16 + hex_digit();
      if (value > kLastCode) wrong("a code point beyond U+10FFFF");
    } while (peek() != '}' && peek() != kEnd);
    if (!take_if("}")) wrong("expected }");
    return value;
  }
  uint32_t utf16() {  // \uD83D\uDE00 is one character
    const uint32_t lead = hex(4);
    if (lead < 0xD800 || lead > 0xDBFF || !take_if("\\u")) return lead;
    const uint32_t trail = hex(4);
    if (trail < 0xDC00 || trail > 0xDFFF) wrong("half of a surrogate pair");
    return 0x10000 + ((lead - 0xD800) << 10) + (trail - 0xDC00);
  }

  CodeSet category(bool negated) {
    const size_t start = at_, end = text_.find('}', at_);
    if (!take_if("{") || end == std::string_view::npos) wrong("expected {name} behind \\p");
    std::string_view name = text_.substr(at_, end - at_);
    for (const std::string_view prefix : {"gc=", "General_Category="})
      if (name.substr(0, prefix.size()) == prefix) name.remove_prefix(prefix.size());
    const CodeSet* const set = find_category(name);
    if (!set) wrong(Status::unsupported, "\\p{" + shown(name) + "} is not supported; these are: " + kCategories, start);
    at_ = end + 1;
    build_.count_ranges(set->ranges().size());
    return negated ? set->complement() : *set;
  }

  std::string_view text_;
  RegexBuilder& build_;
  const RegexDialect& dialect_;
  std::string_view place_;
  const Watch& watch_;
  size_t at_ = 0;
  std::vector<Frame> frames_;
  std::vector<Piece> pieces_;
  std::vector<Regex> ahead_of_rest_;  // what lookaheads ask of all that follows in the outermost frame's branch
};

}  // namespace

Regex parse_regex(std::string_view pattern, RegexBuilder& build, const RegexDialect& dialect, std::string_view place,
                  const Watch& watch) {
  return RegexParser(pattern, build, dialect, place, watch).run();
}

}  // namespace puna::grammar
