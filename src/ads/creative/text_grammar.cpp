// text_grammar.cpp -- with k characters left:
//   sentence(k) = clause end(k - its length) | frame(k)
//   frame(k)    = words of its first slot, each with what follows in the room that it leaves; and so on
//   end(k)      = nothing | "." | ". " sentence(k - 2)
// an expression for each k: equal ones are one, and nothing recurses. Lengths add up, because no piece melts into the
// space or the mark beside it (pieces.cpp sees to that).
#include "ads/creative/text_grammar.h"

#include <algorithm>
#include <map>

#include "base/hash.h"
#include "base/utf8.h"
#include "grammar/builder.h"
#include "puna/base/error.h"
#include "puna/text/graphemes.h"

namespace puna::ads {
namespace {

using grammar::Regex;
using grammar::RegexBuilder;

// What a sentence that ends in this character is closed with: "." or, behind wide letters, the wide full stop and no
// space. Nothing where it has its mark already.
enum class Closing : uint8_t { narrow, wide, none };

Closing closing_of(std::string_view clause) noexcept {
  size_t last = 0;
  for (size_t at = 0; at < clause.size(); at = grapheme_end(clause, at)) last = at;
  const std::string_view cluster = clause.substr(last);
  if (cluster == "." || cluster == "!" || cluster == "?") return Closing::none;
  return is_wide_grapheme(cluster) && !is_emoji_grapheme(cluster) ? Closing::wide : Closing::narrow;
}

struct ClosingText {
  const char *stop, *between;
};
ClosingText texts_of(Closing closing, bool full_stops) noexcept {
  if (!full_stops) return {"", ""};
  if (closing == Closing::wide) return {"\u3002", "\u3002"};
  return closing == Closing::none ? ClosingText{"", " "} : ClosingText{".", ". "};
}

struct OfLength {
  int64_t length;
  Regex words;
};

class TextRules {
 public:
  TextRules(const FieldPieces& pieces, const Placement& placement, const TextShape& shape, RegexBuilder& make)
      : placement_(placement), shape_(shape), make_(make) {
    std::map<std::pair<int64_t, Closing>, std::vector<std::string_view>> clauses;
    for (const Clause& c : pieces.clauses)
      clauses[{length_in(placement, c.text), closing_of(c.text)}].push_back(c.text);
    for (const auto& [kind, group] : clauses) clauses_.push_back({{kind.first, make.words(group)}, kind.second});
    for (const Frame& f : pieces.frames) {
      FrameWords& words = frames_.emplace_back();
      words.question = f.question;
      for (const Frame::Slot& slot : f.slots)
        words.slots.push_back({by_length(slot.words, words.slots.empty() ? "" : " "), slot.optional});
    }
  }

  Regex run() {
    const auto rooms = size_t(shape_.limit) + 1;
    std::vector<Regex> next(rooms, make_.nothing());  // sentence(k) of the sentence behind
    for (int s = 0; s < shape_.sentences; ++s) next = sentences(next);
    return next[rooms - 1];
  }

 private:
  // With what stands in front of each, by their length together.
  std::vector<OfLength> by_length(const std::vector<std::string>& words, std::string_view front) {
    std::map<int64_t, std::vector<std::string_view>> groups;
    for (const std::string& w : words) groups[length_in(placement_, w)].push_back(w);
    std::vector<OfLength> of;
    for (const auto& [length, group] : groups)
      of.push_back({length + length_in(placement_, front), make_.concat(make_.literal(front), make_.words(group))});
    return of;
  }

  // What follows a sentence that has ended with k characters left.
  Regex end(Closing closing, int64_t k, const std::vector<Regex>& next) {
    if (!shape_.full_stops) return make_.empty();
    const ClosingText text = texts_of(closing, true);
    const int64_t stop = length_in(placement_, text.stop), between = length_in(placement_, text.between);
    std::vector<Regex> parts;
    if (k >= stop) parts.push_back(make_.literal(text.stop));
    if (k > between) parts.push_back(make_.concat(make_.literal(text.between), next[size_t(k - between)]));
    return make_.either(parts);
  }

  // Each of these words with what may stand behind it in the room that it leaves of k.
  void add(const std::vector<OfLength>& words, int64_t k, const std::vector<Regex>& behind, std::vector<Regex>& to) {
    for (const OfLength& w : words)
      if (w.length <= k) to.push_back(make_.concat(w.words, behind[size_t(k - w.length)]));
  }

  std::vector<Regex> sentences(const std::vector<Regex>& next) {
    const auto rooms = size_t(shape_.limit) + 1;
    std::vector<std::vector<Regex>> parts(rooms);  // of sentence(k)
    std::vector<Regex> closed(rooms), asked(rooms), behind, slot(rooms), options;
    for (size_t k = 0; k < rooms; ++k) {
      closed[k] = end(Closing::narrow, int64_t(k), next);
      asked[k] = k == 0 ? make_.nothing() : make_.concat(make_.literal("?"), end(Closing::none, int64_t(k) - 1, next));
      for (const auto& [clause, closing] : clauses_)
        if (clause.length <= int64_t(k))
          parts[k].push_back(make_.concat(clause.words, end(closing, int64_t(k) - clause.length, next)));
    }
    for (const FrameWords& frame : frames_) {
      behind = frame.question ? asked : closed;
      for (size_t s = frame.slots.size(); s-- > 0;) {
        for (size_t k = 0; k < rooms; ++k) {
          options.clear();
          add(frame.slots[s].words, int64_t(k), behind, options);
          if (frame.slots[s].optional) options.push_back(behind[k]);
          slot[k] = make_.either(options);
        }
        behind.swap(slot);
      }
      for (size_t k = 0; k < rooms; ++k) parts[k].push_back(behind[k]);
    }
    std::vector<Regex> sentence;
    for (const std::vector<Regex>& all : parts) sentence.push_back(make_.either(all));
    return sentence;
  }

  struct SlotWords {
    std::vector<OfLength> words;
    bool optional;
  };
  struct FrameWords {
    std::vector<SlotWords> slots;
    bool question = false;
  };
  const Placement& placement_;
  const TextShape& shape_;
  RegexBuilder& make_;
  std::vector<std::pair<OfLength, Closing>> clauses_;
  std::vector<FrameWords> frames_;
};

size_t most_bytes(const FieldPieces& pieces, const Placement& placement, const TextShape& shape) {
  double dearest = 4;  // bytes a character: of full stops and spaces, at least
  const auto look = [&](const std::string& text) {
    const int64_t length = length_in(placement, text);
    if (length > 0) dearest = std::max(dearest, double(text.size()) / double(length));
  };
  for (const Clause& c : pieces.clauses) look(c.text);
  for (const Frame& f : pieces.frames)
    for (const Frame::Slot& slot : f.slots)
      for (const std::string& word : slot.words) look(word);
  return size_t(dearest * double(shape.limit)) + 1;
}

}  // namespace

TextShape shape_of(const PlacementField& field, int64_t limit) {
  TextShape shape;
  shape.limit = limit;
  if (field.kind == TextKind::description && limit >= 40) {
    shape.full_stops = true;
    shape.sentences = limit >= 80 ? 3 : 2;
  }
  return shape;
}

TextGrammar text_grammar(const FieldPieces& pieces, const Placement& placement, const TextShape& shape,
                         const Watch& watch) {
  TextGrammar g;
  const std::unique_ptr<grammar::Builder> build = grammar::make_builder({}, watch);
  const Regex all = TextRules(pieces, placement, shape, build->regexes()).run();
  PUNA_REQUIRE(all != build->regexes().nothing(), "no text of at most %jd characters can be made", shape.limit);
  g.grammar = build->finish(build->lexeme(all));
  Hash hash;
  for (const Clause& c : pieces.clauses) hash.add(c.text);
  for (const Frame& f : pieces.frames)
    for (const Frame::Slot& slot : f.slots) {
      hash.add_value(uint64_t(slot.words.size()) * 4 + slot.optional * 2 + f.question);
      for (const std::string& word : slot.words) hash.add(word);
    }
  hash.add_value(shape.limit);
  hash.add_value(int64_t(shape.sentences));
  hash.add_value(int64_t(shape.full_stops) + 2 * placement.double_width);
  g.hash = hash.value();
  g.longest = most_bytes(pieces, placement, shape);
  return g;
}

std::vector<std::string> plain_texts(const FieldPieces& pieces, const Placement& placement, const TextShape& shape,
                                     size_t most) {
  std::vector<std::string> texts;
  const auto add = [&](std::string text) {
    if (texts.size() < most && length_in(placement, text) <= shape.limit) texts.push_back(std::move(text));
  };
  const auto stop = [&](const std::string& clause) {
    return std::string(texts_of(closing_of(clause), shape.full_stops).stop);
  };
  const auto between = [&](const std::string& clause) {
    return std::string(texts_of(closing_of(clause), shape.full_stops).between);
  };
  for (const Clause& c : pieces.clauses) add(c.text + stop(c.text));
  if (shape.sentences < 2) return texts;
  // A fact and what is no fact behind it, then two facts.
  for (const bool both : {false, true})
    for (const Clause& a : pieces.clauses)
      for (const Clause& b : pieces.clauses) {
        if (texts.size() >= most) return texts;
        if (&a != &b && a.fact >= 0 && (b.fact >= 0) == both) add(a.text + between(a.text) + b.text + stop(b.text));
      }
  return texts;
}

}  // namespace puna::ads
