// lint_functions.cpp -- spelling, spacing, capitals, marks and numbers: what patterns of words cannot say.
#include "ads/creative/lint_functions.h"

#include <algorithm>
#include <array>
#include <unordered_map>

#include "ads/creative/phrases.h"
#include "base/utf8.h"
#include "puna/text/graphemes.h"
#include "text/unicode/unicode.h"

namespace puna::ads {
namespace {

using Words = std::span<const std::string>;
using Spans = std::vector<LintSpan>;

bool is_mark(const Token& t, std::string_view mark) { return t.kind == Token::mark && t.folded == mark; }
bool is_one_of(std::string_view mark, std::initializer_list<std::string_view> marks) {
  return std::find(marks.begin(), marks.end(), mark) != marks.end();
}
bool touches(const Token& before, const Token& after) { return before.end == after.begin; }

// The code points of a text with their places; malformed bytes are U+FFFD.
template <class Visit>
void each_code(std::string_view text, Visit visit) {
  for (size_t at = 0; at < text.size();) {
    const Utf8 c = decode_utf8(text.data() + at, text.data() + text.size());
    visit(c.status == Utf8::valid ? c.code : 0xFFFD, at, at + c.size);
    at += c.size;
  }
}

// ---- marks ----------------------------------------------------------------------------------------------------------

bool is_sentence_mark(const Token& t) {
  return t.kind == Token::mark &&
         is_one_of(t.folded, {"!", "?", ".", ",", ";", ":", "-", "\u2013", "\u2014", "\u2026", "\""});
}

void repeated_punctuation(const LintText& x, const LintContext&, Words, Spans& to) {
  for (size_t i = 0, j; i < x.tokens.size(); i = j) {
    for (j = i + 1; j < x.tokens.size() && is_sentence_mark(x.tokens[i]) && is_sentence_mark(x.tokens[j]) &&
                    touches(x.tokens[j - 1], x.tokens[j]);)
      ++j;
    if (j - i < 2) continue;
    // A closing quote may follow a mark, and three dots are an ellipsis.
    size_t marks = 0;
    for (size_t k = i; k < j; ++k) marks += x.tokens[k].folded != "\"";
    const std::string_view run = x.text.substr(x.tokens[i].begin, x.tokens[j - 1].end - x.tokens[i].begin);
    if (marks >= 2 && run != "...") to.push_back({x.tokens[i].begin, x.tokens[j - 1].end, ""});
  }
}

void ellipsis(const LintText& x, const LintContext&, Words, Spans& to) {
  for (size_t at = 0; (at = x.text.find("...", at)) != x.text.npos;) {
    size_t end = at;
    while (end < x.text.size() && x.text[end] == '.') ++end;
    if (end - at == 3) to.push_back({at, end, ""});
    at = end;
  }
  for (size_t at = 0; (at = x.text.find("\u2026", at)) != x.text.npos; at += 3) to.push_back({at, at + 3, ""});
}

bool is_exclamation(const Token& t) { return is_mark(t, "!") || is_mark(t, "\u00a1"); }

void exclamation(const LintText& x, const LintContext&, Words, Spans& to) {
  for (const Token& t : x.tokens)
    if (is_exclamation(t)) to.push_back({t.begin, t.end, ""});
}

void second_exclamation(const LintText& x, const LintContext&, Words, Spans& to) {
  const Token* last = nullptr;
  for (const Token& t : x.tokens) {
    if (!is_mark(t, "!")) continue;
    if (last && last->end != t.begin) to.push_back({t.begin, t.end, ""});  // side by side: repeated_punctuation
    last = &t;
  }
}

void gimmicky_symbols(const LintText& x, const LintContext&, Words, Spans& to) {
  for (size_t i = 0; i < x.tokens.size(); ++i) {
    const Token& t = x.tokens[i];
    if (t.kind != Token::mark) continue;
    const uint32_t c = first_code(x.of(t));
    const bool currency =
        is_one_of(x.of(t), {"$", "\u00a2", "\u00a3", "\u00a4", "\u00a5"}) || (c >= 0x20A0 && c <= 0x20CF);
    const bool plain = currency || is_one_of(x.of(t), {"+", "=", "\u00b0", "\u00a9", "\u00ae", "\u2122", "\u00b1",
                                                       "\u00d7", "\u00f7", "\u2120", "\u2103", "\u2109"});
    const bool listed = is_one_of(
        x.of(t), {"*", "_", "\\", "\u2022", "\u2023", "\u2020", "\u2021", "\u203b", "\u00b7", "{", "}", "[", "]"});
    const bool symbol = (text::char_class(c) & text::kSymbol) != 0;
    if ((symbol && !plain) || listed) to.push_back({t.begin, t.end, ""});
  }
}

void emoji(const LintText& x, const LintContext&, Words, Spans& to) {
  for (const Token& t : x.tokens)
    if (t.kind == Token::emoji) to.push_back({t.begin, t.end, ""});
}

// ---- spelling -------------------------------------------------------------------------------------------------------

// Digits that stand for letters, with letters on both sides: "b3st", "fr33".
bool has_digits_for_letters(std::string_view folded) {
  if (folded.size() == 3 && folded[1] == '0') return folded[0] >= 'a' && folded[2] >= 'a';
  if (folded.size() < 4) return false;
  const auto letter = [](char c) { return c >= 'a' && c <= 'z'; };
  const auto looks_like_one = [](char c) {
    return c == '0' || c == '1' || c == '3' || c == '4' || c == '5' || c == '7';
  };
  for (size_t i = 1; i < folded.size(); ++i) {
    if (!letter(folded[i - 1]) || !looks_like_one(folded[i])) continue;
    size_t j = i;
    while (j < folded.size() && looks_like_one(folded[j])) ++j;
    if (j < folded.size() && letter(folded[j])) return true;
    if (j == folded.size() && j - i == 2 && folded[i] == folded[i + 1] && i >= 2)
      return folded == "fr33" || folded == "s33";
  }
  return looks_like_one(folded[0]) && letter(folded[1]) && letter(folded[2]) && letter(folded[3]) && folded[0] != '4' &&
         folded.find("st") != 1 && folded.find("rd") != 1 && folded.find("th") != 1;
}

bool is_single_letter(const LintText& x, const Token& t) {
  return t.kind == Token::word && text_length(x.of(t)).graphemes == 1 && is_letter(first_code(x.of(t)));
}

void gimmicky_spelling(const LintText& x, const LintContext& context, Words words, Spans& to) {
  const auto is_name = [&](const Token& t) {
    return std::any_of(context.names.begin(), context.names.end(),
                       [&](const std::string& n) { return folded(n).find(t.folded) != std::string::npos; });
  };
  const auto& ts = x.tokens;
  for (size_t i = 0; i < ts.size(); ++i) {
    if (ts[i].kind == Token::mixed && has_digits_for_letters(ts[i].folded) && !LintText::listed(words, ts[i].folded) &&
        !is_name(ts[i]))
      to.push_back({ts[i].begin, ts[i].end, ""});
    // A symbol inside a word, or in front of one: "s@le", "ca$h", "$ave".
    if (ts[i].kind == Token::mark && i + 1 < ts.size() && ts[i + 1].kind == Token::word && touches(ts[i], ts[i + 1])) {
      const std::string_view mark = x.of(ts[i]);
      const bool letter_before = i > 0 && ts[i - 1].kind == Token::word && touches(ts[i - 1], ts[i]);
      const bool money = is_one_of(mark, {"$", "\u20ac", "\u00a3", "\u00a5", "\u00a2"});
      const bool address = mark == "@" && letter_before && x.text.find('.', ts[i].end) != x.text.npos;
      const bool inside = letter_before && (money || is_one_of(mark, {"@", "*", "!", "|", "^", "#"})) && !address;
      const bool in_front = !letter_before && money && text_length(x.of(ts[i + 1])).graphemes >= 2;
      const bool single =
          inside && mark == "!" && ts[i + 1].starts_sentence && is_upper_letter(first_code(x.of(ts[i + 1])));
      const bool at_word =
          mark == "@" && !letter_before && x.text.substr(ts[i + 1].begin, ts[i + 1].end - ts[i + 1].begin) == "ll";
      if ((inside && !single) || in_front || at_word)
        to.push_back({inside ? ts[i - 1].begin : ts[i].begin, ts[i + 1].end, ""});
    }
    // Letters one by one: "S.A.L.E", "F-R-E-E", "B U Y".
    size_t j = i, dotted = 0;
    while (j < ts.size() && is_single_letter(x, ts[j])) {
      if (j + 2 < ts.size() && is_one_of(ts[j + 1].folded, {".", "*", "_", "~", "+"}) && touches(ts[j], ts[j + 1]) &&
          touches(ts[j + 1], ts[j + 2]) && is_single_letter(x, ts[j + 2])) {
        ++dotted;
        j += 2;
      } else if (j + 1 < ts.size() && is_single_letter(x, ts[j + 1]) && ts[j + 1].starts_sentence == false) {
        ++dotted;
        ++j;
      } else {
        break;
      }
    }
    if (dotted >= 2) {
      std::string letters;
      for (size_t k = i; k <= j; ++k)
        if (ts[k].kind == Token::word) letters += ts[k].folded;
      if (!is_one_of(letters, {"usa", "uae", "eta", "aka", "phd", "dna", "nyc", "asap", "usaf", "rip"}))
        to.push_back({ts[i].begin, ts[j].end, ""});
      i = j;
    }
  }
}

// Capitals: a word of four letters and more, or of three and less that is a plain English word, or one of several.
void capitals(const LintText& x, const LintContext& context, Words known, Spans& to) {
  static constexpr std::string_view kShort[] = {
      "buy", "now", "new", "get", "try", "you", "the", "for", "and", "our", "all",  "any", "off", "out", "big",  "hot",
      "top", "day", "win", "one", "yes", "not", "act", "see", "use", "eat", "your", "ask", "fun", "act", "only", "go"};
  const auto is_capital = [&](const Token& t) {
    if (t.kind != Token::word) return false;
    int64_t letters = 0, upper = 0;
    each_code(x.of(t), [&](uint32_t c, size_t, size_t) {
      letters += is_letter(c);
      upper += is_upper_letter(c);
    });
    return letters >= 2 && upper == letters;
  };
  const auto is_written_so = [&](const Token& t) {
    return std::any_of(context.names.begin(), context.names.end(),
                       [&](const std::string& n) { return n.find(x.of(t)) != std::string::npos; });
  };
  // "FrEe", "sALe"; but PayPal, eBay, McDonald's.
  const auto is_alternating = [&](const Token& t) {
    if (t.kind != Token::word) return false;
    int64_t changes = 0, run = 0, longest[2] = {0, 0};  // runs of small letters, of capitals
    bool before = false, first = true;
    each_code(x.of(t), [&](uint32_t c, size_t, size_t) {
      if (!is_letter(c)) return;
      const bool upper = is_upper_letter(c);
      run = !first && upper == before ? run + 1 : 1;
      changes += !first && upper != before;
      longest[upper] = std::max(longest[upper], run);
      before = upper;
      first = false;
    });
    return (changes >= 3 && longest[0] <= 1) ||
           (changes == 2 && !is_upper_letter(first_code(x.of(t))) && longest[1] >= 2);
  };
  size_t words = 0, in_capitals = 0;
  for (const Token& t : x.tokens) {
    words += t.kind == Token::word;
    in_capitals += is_capital(t);
  }
  const bool all = words >= 3 && in_capitals == words;
  for (const Token& t : x.tokens) {
    const bool alternates = is_alternating(t);
    if ((!is_capital(t) && !alternates) || is_written_so(t)) continue;
    const bool short_word = std::find(std::begin(kShort), std::end(kShort), t.folded) != std::end(kShort);
    const bool abbreviation = LintText::listed(known, t.folded) || (text_length(x.of(t)).graphemes <= 3 && !short_word);
    if (alternates ? !LintText::listed(known, t.folded) : all || !abbreviation) to.push_back({t.begin, t.end, ""});
  }
}

void mixed_alphabets(const LintText& x, const LintContext&, Words, Spans& to) {
  for (const Token& t : x.tokens) {
    if (t.kind != Token::word && t.kind != Token::mixed) continue;
    unsigned seen = 0;
    each_code(x.of(t), [&](uint32_t c, size_t, size_t) {
      if (!is_letter(c)) return;
      if (c < 0x250 || (c >= 0x1E00 && c <= 0x1EFF)) seen |= c == 0xAA || c == 0xBA || c == 0xB5 ? 0u : 1u;
      if (c >= 0x370 && c <= 0x3FF) seen |= 2;
      if (c >= 0x400 && c <= 0x52F) seen |= 4;
    });
    if (seen & (seen - 1)) to.push_back({t.begin, t.end, ""});
  }
}

void hidden_characters(const LintText& x, const LintContext&, Words, Spans& to) {
  each_code(x.text, [&](uint32_t c, size_t begin, size_t end) {
    const bool control = (c < 0x20 && c != '\n') || (c >= 0x7F && c < 0xA0);
    const bool direction = (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
    const bool unseen = c == 0xAD || c == 0x200B || c == 0x2060 || c == 0xFEFF || c == 0x180E ||
                        (c >= 0xE0000 && c <= 0xE0FFF && c < 0xE0020);
    if (control || direction || unseen || c == 0xFFFD || c == 0xFFFE || c == 0xFFFF) to.push_back({begin, end, ""});
  });
}

// ---- spaces and repetition ------------------------------------------------------------------------------------------

void spacing(const LintText& x, const LintContext& context, Words, Spans& to) {
  const std::string_view s = x.text;
  for (size_t at = 0; at < s.size();) {
    size_t end = at;
    while (end < s.size() && (s[end] == ' ' || s[end] == '\t')) ++end;
    if (end > at && (end - at >= 2 || s[at] == '\t' || at == 0 || end == s.size())) to.push_back({at, end, ""});
    at = end + 1;
  }
  const bool french = context.language.substr(0, 2) == "fr";
  for (size_t i = 1; i < x.tokens.size(); ++i) {
    const Token &t = x.tokens[i], &before = x.tokens[i - 1];
    if (t.kind == Token::mark && t.space_before && before.is_text() &&
        (is_one_of(t.folded, {",", "."}) || (!french && is_one_of(t.folded, {"!", "?", ";", ":"})))) {
      const bool decimal =
          i + 1 < x.tokens.size() && x.tokens[i + 1].kind == Token::number && touches(t, x.tokens[i + 1]);
      if (!decimal) to.push_back({before.end, t.end, ""});
    }
    if (!t.is_text() || !touches(before, t) || before.kind != Token::mark || i < 2 || !x.tokens[i - 2].is_text() ||
        !touches(x.tokens[i - 2], before))
      continue;
    // word,word  word!word  Word.Word: but not www.example.com, a.m., 3:30.
    const bool words = t.kind == Token::word && x.tokens[i - 2].kind == Token::word;
    const bool number = t.kind == Token::number || x.tokens[i - 2].kind == Token::number;
    const bool wide = is_wide_grapheme(x.of(t));
    const bool upper = is_upper_letter(first_code(x.of(t)));
    const bool dot = is_mark(before, ".") && words && upper && text_length(x.of(x.tokens[i - 2])).graphemes >= 3;
    const bool joined = is_one_of(before.folded, {",", ";", "?"}) && !number && !wide;
    const bool shout = is_mark(before, "!") && words && upper && !wide;
    const bool colon = is_mark(before, ":") && words && !wide;
    if (dot || joined || shout || colon) to.push_back({x.tokens[i - 2].begin, t.end, ""});
  }
}

void repetition(const LintText& x, const LintContext&, Words allowed, Spans& to) {
  static constexpr std::string_view kStop[] = {"with", "your", "from",  "this", "that", "have",  "more",
                                               "will", "they", "their", "what", "when", "where", "every",
                                               "into", "over", "than",  "them", "just"};
  std::unordered_map<std::string, size_t> sentences;  // where one began; several words each
  std::string sentence;
  for (size_t i = 0, begin = 0, words = 0; i <= x.tokens.size(); ++i) {
    if (i == x.tokens.size() || x.tokens[i].starts_sentence) {
      if (words >= 2 && !sentences.emplace(sentence, begin).second)
        to.push_back({x.tokens[begin].begin, x.tokens[i - 1].end, "the same sentence"});
      sentence.clear();
      begin = i;
      words = 0;
    }
    if (i < x.tokens.size() && x.tokens[i].is_text()) {
      sentence += x.tokens[i].folded + " ";
      ++words;
    }
  }
  std::unordered_map<std::string_view, size_t> count;
  for (size_t i = 0; i < x.tokens.size(); ++i) {
    const Token& t = x.tokens[i];
    if (t.kind != Token::word) continue;
    const bool again = i > 0 && x.tokens[i - 1].folded == t.folded && x.tokens[i - 1].kind == Token::word;
    const bool across = i > 1 && x.tokens[i - 1].kind == Token::mark && x.tokens[i - 2].folded == t.folded &&
                        is_one_of(x.tokens[i - 1].folded, {",", "!", ".", "?"}) && x.tokens[i - 2].kind == Token::word;
    const int64_t letters = text_length(x.of(t)).graphemes;
    if (((again && letters >= 2) || (across && letters >= 3)) && !LintText::listed(allowed, t.folded)) {
      to.push_back({x.tokens[i - (again ? 1 : 2)].begin, t.end, ""});
      continue;
    }
    const bool stop = std::find(std::begin(kStop), std::end(kStop), t.folded) != std::end(kStop);
    if (letters >= 4 && !stop && ++count[t.folded] == 3) to.push_back({t.begin, t.end, "three times"});
  }
}

// ---- numbers --------------------------------------------------------------------------------------------------------

// Groups of digits with single separators between them: enough of them, and neither a date nor grouped thousands.
void phone_number(const LintText& x, const LintContext&, Words, Spans& to) {
  const std::string_view s = x.text;
  for (size_t at = 0; at < s.size();) {
    const bool begins = is_digit(s[at]) || ((s[at] == '+' || s[at] == '(') && at + 1 < s.size() &&
                                            (is_digit(s[at + 1]) || s[at + 1] == '('));
    const char before = at > 0 ? s[at - 1] : ' ';
    if (!begins || is_digit(before) || before == '.' || before == ',' || before == '$' ||
        static_cast<unsigned char>(before) >= 0x80) {
      ++at;
      continue;
    }
    std::vector<size_t> groups;
    std::string separators;
    size_t end = at, i = at, digits = 0;
    const bool plus = s[at] == '+';
    while (i < s.size()) {
      size_t g = i;
      while (g < s.size() && (s[g] == '(' || s[g] == '+')) ++g;
      const size_t first = g;
      while (g < s.size() && is_digit(s[g])) ++g;
      if (g == first) break;
      groups.push_back(g - first);
      digits += g - first;
      while (g < s.size() && s[g] == ')') ++g;
      end = g;
      size_t sep = g;
      while (sep < s.size() && sep - g < 2 && (s[sep] == ' ' || s[sep] == '-' || s[sep] == '.' || s[sep] == '/')) ++sep;
      if (sep > g) separators += s[g];
      const bool more =
          sep < s.size() && (is_digit(s[sep]) || (s[sep] == '(' && sep + 1 < s.size() && is_digit(s[sep + 1])));
      if (!more) break;
      i = sep;
    }
    const bool unit = end < s.size() && (s[end] == '%' || s[end] == ',') && end + 1 < s.size() && is_digit(s[end + 1]);
    const bool date = groups.size() == 3 && ((groups[0] <= 2 && groups[1] <= 2 && (groups[2] == 4 || groups[2] == 2)) ||
                                             (groups[0] == 4 && groups[1] <= 2 && groups[2] <= 2));
    const bool years = groups.size() == 2 && groups[0] == 4 && groups[1] == 4 && digits == 8 && !plus;
    bool thousands = groups.size() >= 2 && groups[0] <= 3 && s[at] != '0' && !plus;
    for (size_t k = 1; k < groups.size(); ++k) thousands &= groups[k] == 3;
    const bool after_call = at > 0 && [&] {
      std::string front = folded(s.substr(at > 16 ? at - 16 : 0, at > 16 ? 16 : at));
      return front.find("call") != front.npos || front.find("tel") != front.npos || front.find("phone") != front.npos ||
             front.find("text ") != front.npos || front.find("whatsapp") != front.npos;
    }();
    const bool shaped = plus || s[at] == '0' || s[at] == '(' || groups.size() >= 2 || digits >= 9;
    const bool enough = digits >= 7 && digits <= 15 && shaped && !(thousands && !after_call);
    if (!date && !years && !unit && (enough || (after_call && digits >= 5))) to.push_back({at, end, ""});
    at = std::max(end, at + 1);
  }
}

bool is_currency(const LintText& x, const Token& t) {
  if (t.kind == Token::mark) {
    const uint32_t c = first_code(x.of(t));
    return c == '$' || (c >= 0xA2 && c <= 0xA5) || (c >= 0x20A0 && c <= 0x20CF);
  }
  static constexpr std::string_view kNames[] = {
      "usd",  "eur",   "gbp",    "chf",     "jpy",   "cad",    "aud",   "sek",  "nok",   "dkk", "pln", "czk",  "huf",
      "euro", "euros", "dollar", "dollars", "pound", "pounds", "cents", "cent", "pence", "p",   "kr",  "zl",   "fr",
      "yen",  "yuan",  "rupees", "inr",     "cny",   "krw",    "rub",   "try",  "brl",   "mxn", "zar", "bucks"};
  return std::find(std::begin(kNames), std::end(kNames), t.folded) != std::end(kNames);
}

// 9.99 with nothing beside it, or a number behind a word for prices.
void price_without_currency(const LintText& x, const LintContext&, Words, Spans& to) {
  const auto& ts = x.tokens;
  for (size_t i = 0; i < ts.size(); ++i) {
    if (ts[i].kind != Token::number) continue;
    const std::string& n = ts[i].folded;
    const bool has_currency = (i > 0 && is_currency(x, ts[i - 1])) || (i + 1 < ts.size() && is_currency(x, ts[i + 1]));
    if (has_currency) continue;
    const bool cents = n.size() >= 4 && (n[n.size() - 3] == '.' || n[n.size() - 3] == ',') && n.find(':') == n.npos &&
                       n.find('/') == n.npos &&
                       std::count_if(n.begin(), n.end(), [](char c) { return !is_digit(c); }) == 1;
    const bool ends = i + 1 >= ts.size() || ts[i + 1].kind != Token::word;
    const bool percent = i + 1 < ts.size() && (is_mark(ts[i + 1], "%") || is_mark(ts[i + 1], "+"));
    const bool named = i > 0 && is_one_of(ts[i - 1].folded, {"price", "prices", "costs", "cost", "priced", "pay"});
    const bool only = i > 0 && is_one_of(ts[i - 1].folded, {"only", "just", "from", "for"}) && cents;
    const bool priced = i > 1 && is_one_of(ts[i - 1].folded, {"at", "from", "only", "is", "now"}) &&
                        is_one_of(ts[i - 2].folded, {"price", "prices", "priced", "costs", "starting"});
    if (!percent && (only || (cents && ends) || ((named || priced) && ends)))
      to.push_back({ts[i].begin, ts[i].end, ""});
  }
}

void web_address(const LintText& x, const LintContext&, Words, Spans& to) {
  for (const std::string_view start : {"http://", "https://", "www."})
    for (size_t at = 0; (at = x.text.find(start, at)) != x.text.npos;) {
      const size_t end = std::min(x.text.find(' ', at), x.text.size());
      to.push_back({at, end, ""});
      at = end;
    }
  for (size_t i = 0; i + 2 < x.tokens.size(); ++i)
    if (x.tokens[i].kind == Token::word && is_mark(x.tokens[i + 1], ".") && touches(x.tokens[i], x.tokens[i + 1]) &&
        touches(x.tokens[i + 1], x.tokens[i + 2]) &&
        is_one_of(x.tokens[i + 2].folded,
                  {"com", "org", "net", "de", "be", "nl", "fr", "io", "eu", "uk", "shop", "store"}) &&
        x.tokens[i].folded != "www")
      to.push_back({x.tokens[i].begin, x.tokens[i + 2].end, ""});
}

// ---- limits and the brief -------------------------------------------------------------------------------------------

// Where the text passes `limit` of the placement's characters.
size_t place_of(const LintText& x, const Placement& placement, int64_t limit) {
  int64_t length = 0;
  size_t at = 0;
  while (at < x.text.size()) {
    const size_t end = grapheme_end(x.text, at);
    length += 1 + (placement.double_width && is_wide_grapheme(x.text.substr(at, end - at)));
    if (length > limit) return at;
    at = end;
  }
  return at;
}

void passes(const LintText& x, const LintContext& c, int64_t limit, Spans& to) {
  const int64_t length = length_in(*c.placement, x.text);
  if (length <= limit) return;
  const TextLength n = text_length(x.text);
  to.push_back({place_of(x, *c.placement, limit), x.text.size(),
                std::to_string(length) + " of " + std::to_string(limit) + " characters, " + std::to_string(n.utf16) +
                    " UTF-16 units"});
}

void too_long(const LintText& x, const LintContext& c, Words, Spans& to) {
  if (c.placement && c.field) passes(x, c, std::max(c.field->limit, c.field->accepted), to);
}
void truncated(const LintText& x, const LintContext& c, Words, Spans& to) {
  if (c.placement && c.field && c.field->accepted > c.field->limit) passes(x, c, c.field->limit, to);
}

void not_in_facts(const LintText& x, const LintContext& c, Words, Spans& to) {
  if (!c.facts) return;
  for (const Claim& claim : c.facts->unsupported(x.text))
    to.push_back({claim.begin, claim.end, claim.what + " " + claim.value});
}

void any_term(const LintText& x, std::span<const std::string> terms, Spans& to) {
  std::vector<Occurrence> found;
  for (const std::string& term : terms) {
    found.clear();
    find_phrase(plain_phrase(term), x.tokens, found);
    for (const Occurrence& o : found) to.push_back({x.tokens[o.first].begin, x.tokens[o.last - 1].end, term});
  }
}
void banned_term(const LintText& x, const LintContext& c, Words, Spans& to) { any_term(x, c.banned, to); }
void competitor(const LintText& x, const LintContext& c, Words, Spans& to) { any_term(x, c.competitors, to); }

constexpr std::array kFunctions = {
    NamedLintFunction{"repeated_punctuation", repeated_punctuation},
    NamedLintFunction{"ellipsis", ellipsis},
    NamedLintFunction{"exclamation", exclamation},
    NamedLintFunction{"second_exclamation", second_exclamation},
    NamedLintFunction{"gimmicky_symbols", gimmicky_symbols},
    NamedLintFunction{"emoji", emoji},
    NamedLintFunction{"gimmicky_spelling", gimmicky_spelling},
    NamedLintFunction{"capitals", capitals},
    NamedLintFunction{"mixed_alphabets", mixed_alphabets},
    NamedLintFunction{"hidden_characters", hidden_characters},
    NamedLintFunction{"spacing", spacing},
    NamedLintFunction{"repetition", repetition},
    NamedLintFunction{"phone_number", phone_number},
    NamedLintFunction{"price_without_currency", price_without_currency},
    NamedLintFunction{"web_address", web_address},
    NamedLintFunction{"too_long", too_long},
    NamedLintFunction{"truncated", truncated},
    NamedLintFunction{"not_in_facts", not_in_facts},
    NamedLintFunction{"banned_term", banned_term},
    NamedLintFunction{"competitor", competitor},
};

}  // namespace

bool LintText::listed(std::span<const std::string> words, std::string_view word) {
  return std::binary_search(words.begin(), words.end(), word);
}

std::span<const NamedLintFunction> lint_functions() { return kFunctions; }

}  // namespace puna::ads
