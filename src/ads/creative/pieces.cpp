#include "ads/creative/pieces.h"

#include <algorithm>

#include "ads/creative/tokens.h"
#include "ads/creative/vocabulary.h"
#include "base/utf8.h"
#include "chat/jinja/unicode.h"
#include "puna/text/graphemes.h"

namespace puna::ads {
namespace {

constexpr size_t kMostClauses = 64, kMostThings = 40, kLongestWord = 18;

bool is_full_stop(uint32_t c) noexcept {
  return c == '.' || c == '!' || c == '?' || c == ';' || c == 0x3002 || c == 0xFF01 || c == 0xFF1F || c == 0x61F ||
         c == 0x964 || c == 0x6D4 || c == 0x2026 || c == 0xFF0E;
}

uint32_t code_at(std::string_view text, size_t at, size_t& size) noexcept {
  const Utf8 c = decode_utf8(text.data() + at, text.data() + text.size());
  size = c.size;
  return c.status == Utf8::valid ? c.code : 0xFFFD;
}

// Full stops at the end are the writer's; marks of quotation are not.
std::string without_full_stop(std::string_view text) {
  for (;;) {
    size_t last = text.size();
    while (last > 0 && (static_cast<unsigned char>(text[last - 1]) & 0xC0) == 0x80) --last;
    if (last == 0) return std::string(text);
    size_t size;
    const uint32_t c = code_at(text, last - 1, size);
    if (!is_full_stop(c) && c != ' ' && c != ',' && c != ':') return std::string(text);
    text = text.substr(0, last - 1);
  }
}

// "Inc.", "a.m.", "No.", "St.": the full stop belongs to the word in front of it.
bool is_abbreviation(std::string_view before) {
  const size_t space = before.find_last_of(' ');
  const std::string_view word = space == before.npos ? before : before.substr(space + 1);
  const std::string small = folded(word);
  for (const char* known :
       {"inc", "ltd", "co",  "corp", "approx", "no",  "nr",  "mrs", "prof", "etc", "dept", "est", "ave",
        "jan", "feb", "mar", "apr",  "jun",    "jul", "aug", "sep", "sept", "oct", "nov",  "dec", "tel",
        "min", "max", "art", "ca",   "bzw",    "z.b", "usw", "str", "gmbh", "b.v", "n.v",  "s.a"})
    if (small == known) return true;
  return text_length(word).graphemes <= 2 || word.find('.') != word.npos;
}

// A fact's sentences. Where one of them limits what another says, the fact is one clause: conditions are not cut off.
std::vector<std::string> sentences_of(const std::string& fact) {
  std::vector<std::string> sentences;
  size_t begin = 0;
  for (size_t at = 0; at < fact.size();) {
    size_t size, next_size = 0;
    const uint32_t c = code_at(fact, at, size);
    const size_t behind = at + size;
    const bool wide = c >= 0x3000;
    const bool space = behind < fact.size() && fact[behind] == ' ';
    const uint32_t next = behind + 1 < fact.size() && space ? code_at(fact, behind + 1, next_size) : 0;
    const bool goes_on = jinja::is_lower(char32_t(next));
    if (is_full_stop(c) &&
        (wide ||
         (space && !goes_on && !(c == '.' && is_abbreviation(std::string_view(fact).substr(begin, at - begin)))))) {
      sentences.push_back(fact.substr(begin, behind - begin));
      begin = behind + (space ? 1 : 0);
    }
    at = behind;
  }
  if (begin < fact.size()) sentences.push_back(fact.substr(begin));
  if (sentences.size() > 1)
    for (const std::string& s : sentences)
      for (const Token& t : tokens_of(s))
        if (vocabulary().conditions.count(t.folded)) return {fact};
  return sentences;
}

std::string capitalised(std::string_view word) {
  if (word.empty()) return "";
  size_t size;
  const uint32_t c = code_at(word, 0, size);
  if (c < 'a' || c > 'z') return std::string(word);
  return char(c - 'a' + 'A') + std::string(word.substr(1));
}

bool is_plain_small_word(std::string_view word) {
  return word.size() >= 2 && word.size() <= kLongestWord &&
         std::all_of(word.begin(), word.end(), [](char c) { return c >= 'a' && c <= 'z'; });
}

// Begins with a character of its own, ends with one that no space joins, and says something.
bool is_usable(std::string_view text) {
  if (text.empty()) return false;
  size_t size;
  const uint32_t first = code_at(text, 0, size);
  const std::string spaced = "a " + std::string(text) + " a";
  // What stands in front of and behind it must not melt into it: as many characters as the parts have.
  if (text_length(spaced).graphemes != text_length(text).graphemes + 4) return false;
  if (first == 0xFFFD) return false;
  const std::vector<Token> tokens = tokens_of(text);
  return std::any_of(tokens.begin(), tokens.end(), [](const Token& t) { return t.is_text(); });
}

void add_clause(std::vector<Clause>& to, WordSet& seen, std::string text, int64_t fact) {
  text = capitalised(text);
  if (is_usable(text) && seen.insert(folded(text)).second) to.push_back({std::move(text), fact});
}

// Things that a clause says the business has or makes: "our X", "we V X", and what an "and" adds to them. None of a
// clause that limits something or has a number: what it says may not be said without that.
void add_things(const std::string& clause, Pieces& to, WordSet& seen, const Vocabulary& v) {
  const std::vector<Token> tokens = tokens_of(clause);
  for (const Token& t : tokens)
    if (t.kind == Token::number || t.kind == Token::mixed || v.conditions.count(t.folded) ||
        v.numbers.count(t.folded) || v.dates.count(t.folded))
      return;
  const auto is_content = [&](const Token& t) {
    const std::string_view word = std::string_view(clause).substr(t.begin, t.end - t.begin);
    return t.kind == Token::word && is_plain_small_word(word) && !v.not_from_facts.count(t.folded) &&
           !v.common.count(t.folded) && !word.ends_with("ly") && !t.hyphen_before &&
           !(t.end < clause.size() && clause[t.end] == '-');
  };
  bool ours = false, made = false;  // what comes now is; by "we"
  for (size_t i = 0; i < tokens.size() && to.ours.size() < kMostThings;) {
    if (tokens[i].folded == "our") {
      ours = true;
      made = false;
      ++i;
      if (i < tokens.size() && tokens[i].folded == "own") ++i;
      continue;
    }
    if (tokens[i].folded == "we" && i + 1 < tokens.size() && tokens[i + 1].kind == Token::word) {
      ours = tokens[i + 1].folded != "are" && tokens[i + 1].folded != "will" && tokens[i + 1].folded != "can";
      made = ours;
      i += 2;
      continue;
    }
    const bool more = ours && tokens[i].folded == "and" && i > 0 && is_content(tokens[i - 1]);
    if (more) {
      ++i;
      continue;
    }
    std::string thing;
    size_t words = 0;
    for (; ours && i < tokens.size() && is_content(tokens[i]); ++i, ++words)
      thing += (words ? " " : "") + tokens[i].folded;
    if (words >= 1 && words <= 3 && seen.insert(thing).second) {
      to.ours.push_back(thing);
      if (made) to.things.push_back(thing);
    }
    const bool chain = words > 0 && i < tokens.size() && tokens[i].folded == "and";
    ours = ours && chain;
    if (words == 0) ++i;
  }
}

// The frames of a language with what there is to fill them in.
std::vector<Frame> filled(const SentenceFrames& language, const Pieces& pieces, const std::string& name) {
  std::vector<Frame> frames;
  for (const std::string& written : language.frames) {
    Frame frame;
    bool whole = true;
    for (std::string_view part : split_text(written, ' ')) {
      if (part == "?") {
        frame.question = true;
        continue;
      }
      Frame::Slot slot;
      if (part.back() == '?') {
        slot.optional = true;
        part.remove_suffix(1);
      }
      if (part == "{thing}") {
        slot.words = pieces.things;
      } else if (part == "{ours}") {
        slot.words = pieces.ours;
      } else if (part == "{name}") {
        if (!name.empty()) slot.words = {name};
      } else if (part.front() == '{') {
        for (std::string text : language.lists.find(part.substr(1, part.size() - 2))->second) {
          const size_t at = text.find("{name}");
          if (at != text.npos) text.replace(at, 6, name);
          if (at == text.npos || !name.empty()) slot.words.push_back(std::move(text));
        }
      } else {
        slot.words = {std::string(part)};
      }
      if (frame.slots.empty())
        for (std::string& word : slot.words) word = capitalised(word);
      whole &= slot.optional || !slot.words.empty();
      frame.slots.push_back(std::move(slot));
    }
    if (whole) frames.push_back(std::move(frame));
  }
  return frames;
}

std::string base_language(const std::string& tag) { return folded(tag.substr(0, tag.find('-'))); }

// For placements that take no emoji.
std::string without_emoji(const std::string& text) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const size_t end = grapheme_end(text, at);
    const bool emoji = is_emoji_grapheme(std::string_view(text).substr(at, end - at));
    if (!emoji && !(text[at] == ' ' && (out.empty() || out.back() == ' '))) out.append(text, at, end - at);
    at = end;
  }
  return without_full_stop(out);
}

}  // namespace

Pieces pieces_of(const Brief& brief) {
  const Vocabulary& v = vocabulary();
  std::vector<std::string> texts;
  for (const Fact& f : brief.facts) texts.push_back(f.text);
  std::vector<std::string> names = brief.voice_words;
  names.push_back(brief.name);
  Pieces p{{}, {}, {}, {}, {}, FactLock(texts, names)};
  WordSet seen, things;
  const std::string language = base_language(brief.language);
  const auto sentences = v.sentences.find(language);
  for (size_t f = 0; f < brief.facts.size(); ++f)
    for (const std::string& sentence : sentences_of(brief.facts[f].text)) {
      add_clause(p.clauses, seen, without_full_stop(sentence), int64_t(f));
      if (sentences != v.sentences.end()) add_things(sentence, p, things, v);
    }
  add_clause(p.clauses, seen, without_full_stop(brief.name), -1);
  if (const auto calls = v.calls.find(language); calls != v.calls.end())
    for (const std::string& call : calls->second) add_clause(p.calls, seen, call, -1);
  if (sentences == v.sentences.end()) return p;
  for (const std::string& word : brief.voice_words)
    if (is_usable(word) && FactLock::claims_of("a " + word).empty() && things.insert(word).second)
      for (auto* list : {&p.things, &p.ours}) list->push_back(word);
  const bool name_fits = is_usable(brief.name) && without_full_stop(brief.name) == brief.name;
  p.frames = filled(sentences->second, p, name_fits ? brief.name : "");
  return p;
}

FieldPieces pieces_for(const Pieces& pieces, const LintRules& rules, const LintContext& context, int64_t limit) {
  FieldPieces f;
  std::vector<Clause> reviewed;
  const auto offer = [&](const std::vector<Clause>& from) {
    for (Clause c : from) {
      if (f.clauses.size() >= kMostClauses && c.fact >= 0) continue;
      if (length_in(*context.placement, c.text) > limit) {
        f.too_long += c.fact >= 0;
        continue;
      }
      std::vector<Finding> findings = rules.lint(c.text, context);
      if (has_errors(findings))
        if (std::string plain = capitalised(without_emoji(c.text)); plain != c.text && is_usable(plain)) {
          c.text = std::move(plain);
          findings = rules.lint(c.text, context);
        }
      const auto worst = std::max_element(findings.begin(), findings.end(),
                                          [](const Finding& a, const Finding& b) { return a.severity < b.severity; });
      const Severity severity = worst == findings.end() ? Severity::note : worst->severity;
      if (severity == Severity::error) {
        if (c.fact >= 0 && f.refused++ == 0) f.refused_by = worst->rule;
      } else if (severity == Severity::review) {
        reviewed.push_back(c);
      } else {
        f.clauses.push_back(c);
      }
    }
  };
  offer(pieces.clauses);
  f.facts = size_t(std::count_if(f.clauses.begin(), f.clauses.end(), [](const Clause& c) { return c.fact >= 0; }));
  if (f.facts == 0) {
    f.clauses.insert(f.clauses.begin(), reviewed.begin(), reviewed.end());
    f.facts = size_t(std::count_if(f.clauses.begin(), f.clauses.end(), [](const Clause& c) { return c.fact >= 0; }));
  }
  reviewed.clear();
  offer(pieces.calls);
  for (const Frame& frame : pieces.frames) {
    Frame own{{}, frame.question};
    bool whole = true;
    for (const Frame::Slot& slot : frame.slots) {
      Frame::Slot passing{{}, slot.optional};
      for (const std::string& word : slot.words)
        if (length_in(*context.placement, word) <= limit && !has_errors(rules.lint(word, context)))
          passing.words.push_back(word);
      whole &= slot.optional || !passing.words.empty();
      own.slots.push_back(std::move(passing));
    }
    if (whole) f.frames.push_back(std::move(own));
  }
  return f;
}

}  // namespace puna::ads
