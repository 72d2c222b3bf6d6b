// phrases.cpp -- a pattern has at most a few elements, so a position in it is a bit: all positions that the tokens so
// far can have reached are one number, stepped token by token.
#include "ads/creative/phrases.h"

#include <algorithm>
#include <bit>

#include "base/nearest.h"
#include "base/shown.h"
#include "puna/base/error.h"

namespace puna::ads {
namespace {

constexpr size_t kMostStates = 60, kMostWritten = 20'000;

struct PhraseReader {
  const PhraseLists& lists;
  const std::string& where;

  [[noreturn]] void wrong(std::string_view pattern, const char* what) const {
    fail(Status::bad_file, "%s: the pattern '%s' %s", where.c_str(), shown(pattern).c_str(), what);
  }

  Phrase::Element element(std::string_view pattern, std::string_view text) const {
    Phrase::Element e;
    if (text.size() > 1 && text.back() == '?') {
      e.optional = true;
      text.remove_suffix(1);
    }
    if (text == "<number>") {
      e.kind = Phrase::Element::number;
    } else if (text == "<word>") {
      e.kind = Phrase::Element::any_word;
    } else if (text.size() == 3 && text.substr(0, 2) == ".." && text[2] >= '1' && text[2] <= '9') {
      e.kind = Phrase::Element::gap;
      e.most = uint8_t(text[2] - '0');
    } else {
      for (const std::string_view word : split_text(text, '|')) {
        if (word.empty() || word == "*") wrong(pattern, "has an empty word");
        e.any_of.push_back(folded(word));
      }
    }
    return e;
  }

  void read(std::string_view pattern, std::vector<Phrase>& to) const {
    // A list is written out: one pattern for each of its entries.
    if (const size_t open = pattern.find('{'); open != pattern.npos) {
      const size_t close = pattern.find('}', open);
      if (close == pattern.npos) wrong(pattern, "has a { that is not closed");
      const std::string_view name = pattern.substr(open + 1, close - open - 1);
      const auto list = lists.find(name);
      if (list == lists.end()) {
        std::vector<std::string_view> names;
        for (const auto& [known, entries] : lists) names.push_back(known);
        fail(Status::bad_file, "%s: the pattern '%s' has a list that is not there%s", where.c_str(),
             shown(pattern).c_str(), did_you_mean(name, names).c_str());
      }
      for (const std::string& entry : list->second) {
        if (entry.find('{') != entry.npos) wrong(entry, "of a list names a list");
        std::string written(pattern.substr(0, open));
        written += entry;
        written += pattern.substr(close + 1);
        if (written.find('{') == written.npos)
          read_plain(written, to);
        else
          wrong(pattern, "names two lists");
      }
      return;
    }
    read_plain(pattern, to);
  }

  void read_plain(std::string_view pattern, std::vector<Phrase>& to) const {
    Phrase phrase;
    size_t states = 0;
    for (const std::string_view text : split_text(pattern, ' ')) {
      phrase.elements.push_back(element(pattern, text));
      states += phrase.elements.back().kind == Phrase::Element::gap ? phrase.elements.back().most : 1;
    }
    const auto fixed = [](const Phrase::Element& e) { return e.kind != Phrase::Element::gap && !e.optional; };
    if (std::none_of(phrase.elements.begin(), phrase.elements.end(), fixed)) wrong(pattern, "may match nothing");
    if (phrase.elements.front().kind == Phrase::Element::gap || phrase.elements.back().kind == Phrase::Element::gap)
      wrong(pattern, "begins or ends with a gap");
    if (states > kMostStates) wrong(pattern, "is too long");
    if (to.size() >= kMostWritten)
      fail(Status::bad_file, "%s: more than %zu patterns, lists written out", where.c_str(), kMostWritten);
    to.push_back(std::move(phrase));
  }
};

bool fits(const std::string& pattern, const std::string& word) noexcept {
  if (pattern.size() > 1 && pattern.back() == '*')
    return word.size() >= pattern.size() - 1 &&
           word.compare(0, pattern.size() - 1, pattern, 0, pattern.size() - 1) == 0;
  return pattern == word;
}

bool fits(const Phrase::Element& e, const Token& t) noexcept {
  switch (e.kind) {
    case Phrase::Element::number: return t.kind == Token::number;
    case Phrase::Element::any_word: return t.kind == Token::word;
    case Phrase::Element::gap:
      return t.is_text() ||
             (t.kind == Token::mark && std::string_view(".,!?;:").find(t.folded) == std::string_view::npos);
    case Phrase::Element::words: break;
  }
  return std::any_of(e.any_of.begin(), e.any_of.end(), [&](const std::string& w) { return fits(w, t.folded); });
}

// Elements as single steps: a gap of three is three optional ones.
struct Steps {
  std::vector<const Phrase::Element*> step;
  uint64_t optional = 0;
  explicit Steps(const Phrase& phrase) {
    for (const Phrase::Element& e : phrase.elements)
      for (int k = 0; k < (e.kind == Phrase::Element::gap ? e.most : 1); ++k) {
        if (e.optional || e.kind == Phrase::Element::gap) optional |= uint64_t(1) << step.size();
        step.push_back(&e);
      }
  }
  uint64_t end() const { return uint64_t(1) << step.size(); }
  // With the steps that may be left out.
  uint64_t closed(uint64_t at) const {
    for (size_t i = 0; i < step.size(); ++i)
      if ((at >> i & 1) && (optional >> i & 1)) at |= uint64_t(1) << (i + 1);
    return at;
  }
};

}  // namespace

void compile_phrase(std::string_view pattern, const PhraseLists& lists, const std::string& where,
                    std::vector<Phrase>& to) {
  PhraseReader{lists, where}.read(pattern, to);
}

Phrase plain_phrase(std::string_view term) {
  Phrase phrase;
  for (Token& t : tokens_of(term)) {
    if (phrase.elements.size() == kMostStates) break;
    phrase.elements.emplace_back();
    phrase.elements.back().any_of.push_back(std::move(t.folded));
  }
  return phrase;
}

void find_phrase(const Phrase& phrase, std::span<const Token> tokens, std::vector<Occurrence>& to) {
  if (phrase.elements.empty()) return;
  const Phrase::Element& first = phrase.elements.front();
  const Steps steps(phrase);
  for (size_t from = 0; from < tokens.size();) {
    if (!first.optional && !fits(first, tokens[from])) {
      ++from;
      continue;
    }
    uint64_t at = steps.closed(1);
    size_t last = 0;  // 0: it does not occur here
    for (size_t i = from; i < tokens.size() && at; ++i) {
      if (i > from && tokens[i].starts_sentence) break;
      uint64_t next = 0;
      for (uint64_t left = at & (steps.end() - 1); left; left &= left - 1) {
        const int k = std::countr_zero(left);
        if (fits(*steps.step[size_t(k)], tokens[i])) next |= uint64_t(1) << (k + 1);
      }
      at = steps.closed(next);
      if (at & steps.end()) last = i + 1;
    }
    if (last == 0) {
      ++from;
    } else {
      to.push_back({from, last});
      from = last;
    }
  }
}

}  // namespace puna::ads
