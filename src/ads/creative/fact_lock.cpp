// fact_lock.cpp -- claims as values that can be compared: "EUR 3,50" and "3.50 euros" are the same price, "7 days" and
// "seven days" the same time. A claim of the text is supported when a fact makes the same one.
#include "puna/ads/fact_lock.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "ads/creative/tokens.h"
#include "ads/creative/vocabulary.h"
#include "base/utf8.h"

namespace puna::ads {
namespace {

// The zeros of the scripts that write decimal digits.
constexpr uint32_t kZeros[] = {0x660,  0x6F0,  0x7C0,  0x966,  0x9E6,  0xA66,  0xAE6,  0xB66,  0xBE6,
                               0xC66,  0xCE6,  0xD66,  0xDE6,  0xE50,  0xED0,  0xF20,  0x1040, 0x1090,
                               0x17E0, 0x1810, 0x1946, 0x19D0, 0x1A80, 0x1A90, 0x1B50, 0x1BB0, 0x1C40,
                               0x1C50, 0xA620, 0xA8D0, 0xA900, 0xA9D0, 0xAA50, 0xABF0, 0x104A0};

// Digits of any script as ASCII ones.
std::string with_ascii_digits(std::string_view text) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const Utf8 c = decode_utf8(text.data() + at, text.data() + text.size());
    uint32_t code = c.status == Utf8::valid ? c.code : 0;
    for (const uint32_t zero : kZeros)
      if (code - zero < 10) code = '0' + (code - zero);
    if (code < 0x80 && code > 0)
      out += char(code);
    else
      out.append(text, at, c.size);
    at += c.size;
  }
  return out;
}

// One spelling of a number: no grouping, a point before decimals, no zeros behind them. Times and dates stay.
std::string number_of(std::string_view folded) {
  std::string n = with_ascii_digits(folded);
  if (n.find(':') != n.npos || n.find('/') != n.npos) return n;
  const size_t dots = size_t(std::count(n.begin(), n.end(), '.')), commas = size_t(std::count(n.begin(), n.end(), ','));
  const size_t last = n.find_last_of(".,");
  if (dots + commas > 1 && dots != 1 && commas != 1 && !(dots > 1 && commas == 0) && !(commas > 1 && dots == 0))
    return n;
  if (dots > 1 && n.size() - n.rfind('.') != 4) return n;  // 05.12.2026
  const bool both = dots > 0 && commas > 0;
  const bool decimal = last != n.npos && (both || (dots + commas == 1 && n.size() - last != 4));
  std::string out;
  for (size_t i = 0; i < n.size(); ++i) {
    if (decimal && i == last)
      out += '.';
    else if (n[i] != '.' && n[i] != ',' && n[i] != '\'')
      out += n[i];
  }
  if (decimal) {
    while (out.back() == '0') out.pop_back();
    if (out.back() == '.') out.pop_back();
  }
  return out;
}

// EUR for the sign, the code and the names; "" for what is no currency.
std::string_view currency_of(std::string_view folded) {
  static const std::unordered_map<std::string_view, std::string_view> kCurrencies = {
      {"$", "USD"},      {"usd", "USD"},    {"dollar", "USD"},  {"dollars", "USD"}, {"\u20ac", "EUR"},
      {"eur", "EUR"},    {"euro", "EUR"},   {"euros", "EUR"},   {"\u00a3", "GBP"},  {"gbp", "GBP"},
      {"pound", "GBP"},  {"pounds", "GBP"}, {"\u00a5", "JPY"},  {"jpy", "JPY"},     {"yen", "JPY"},
      {"\u5186", "JPY"}, {"chf", "CHF"},    {"francs", "CHF"},  {"\u20b9", "INR"},  {"inr", "INR"},
      {"rupees", "INR"}, {"\u20bd", "RUB"}, {"rub", "RUB"},     {"\u20a9", "KRW"},  {"krw", "KRW"},
      {"\u20aa", "ILS"}, {"ils", "ILS"},    {"\u20ba", "TRY"},  {"sek", "SEK"},     {"nok", "NOK"},
      {"dkk", "DKK"},    {"pln", "PLN"},    {"z\u0142", "PLN"}, {"czk", "CZK"},     {"huf", "HUF"},
      {"cad", "CAD"},    {"aud", "AUD"},    {"cny", "CNY"},     {"\u5143", "CNY"},  {"brl", "BRL"},
      {"mxn", "MXN"},    {"zar", "ZAR"},    {"\u00a2", "cent"}, {"cents", "cent"},  {"cent", "cent"},
      {"kr", "kr"}};
  const auto found = kCurrencies.find(folded);
  return found == kCurrencies.end() ? std::string_view() : found->second;
}

std::string singular(std::string word) {
  if (word.size() > 3 && word.back() == 's' && word[word.size() - 2] != 's') word.pop_back();
  return word;
}

bool no_unit(std::string_view word) {
  static const std::unordered_set<std::string_view> kWords = {
      "a",   "an", "and", "or", "to", "in",  "at",  "on",   "of", "for",   "with", "from", "the",
      "is",  "by", "are", "as", "we", "you", "our", "your", "it", "until", "till", "und",  "oder",
      "bis", "et", "ou",  "y",  "o",  "e",   "en",  "de",   "le", "la",    "per",  "a.m",  "with"};
  return kWords.count(word) != 0;
}

std::string without_possessive(std::string folded) {
  if (folded.size() > 2 && folded.ends_with("'s")) folded.resize(folded.size() - 2);
  return folded;
}

bool has_inner_capital(std::string_view word) {
  bool first = true;
  for (size_t at = 0; at < word.size();) {
    const Utf8 c = decode_utf8(word.data() + at, word.data() + word.size());
    if (!first && c.status == Utf8::valid && is_upper_letter(c.code)) return true;
    first = false;
    at += c.size;
  }
  return false;
}

struct ClaimReader {
  std::string_view text;
  std::vector<Token> tokens;
  std::vector<Claim> claims;

  std::string_view of(size_t i) const { return text.substr(tokens[i].begin, tokens[i].end - tokens[i].begin); }
  bool follows(size_t i) const { return i < tokens.size() && !tokens[i].starts_sentence; }

  // The number of token i, with what stands beside it. The token behind.
  size_t number(size_t i, std::string value) {
    size_t begin = i, end = i + 1;
    // 1 000 000: groups of three behind a space.
    while (follows(end) && tokens[end].kind == Token::number && tokens[end].folded.size() == 3 && value.size() <= 9 &&
           std::all_of(tokens[end].folded.begin(), tokens[end].folded.end(), is_digit))
      value += tokens[end++].folded;
    const char* what = "number";
    std::string unit;
    if (i > 0 && !currency_of(tokens[i - 1].folded).empty() &&
        (tokens[i - 1].kind == Token::mark || !tokens[i].starts_sentence)) {
      unit = currency_of(tokens[i - 1].folded);
      begin = i - 1;
    }
    const bool more = follows(end);
    if (unit.empty() && more && !currency_of(tokens[end].folded).empty()) {
      unit = currency_of(tokens[end++].folded);
    } else if (more &&
               (tokens[end].folded == "%" || tokens[end].folded == "\u066a" || tokens[end].folded == "percent")) {
      unit = "%";
      what = "per cent";
      ++end;
    } else if (more && tokens[end].folded == "per" && end + 1 < tokens.size() && tokens[end + 1].folded == "cent") {
      unit = "%";
      what = "per cent";
      end += 2;
    } else if (unit.empty() && more && tokens[end].kind == Token::word && !no_unit(tokens[end].folded)) {
      unit = singular(tokens[end].folded);
      ++end;
    }
    if (!unit.empty() && *what == 'n') what = currency_of(unit).empty() && unit != "cent" ? what : "price";
    for (const char* code : {"USD", "EUR", "GBP", "JPY", "CHF", "INR", "cent", "kr"})
      if (unit == code) what = "price";
    if (vocabulary().dates.count(unit) || unit == "may" || unit == "march") what = "date";
    claims.push_back({tokens[begin].begin, tokens[end - 1].end, what, unit.empty() ? value : value + " " + unit});
    return end;
  }

  // "20th", "5km", "10am": the digits, with the letters as their unit.
  void mixed(size_t i) {
    const std::string n = with_ascii_digits(tokens[i].folded);
    claims.push_back({tokens[i].begin, tokens[i].end, "number", n});
  }

  bool is_capital(size_t i) const { return tokens[i].kind == Token::word && is_upper_letter(first_code(of(i))); }

  void word(size_t i) {
    const Token& t = tokens[i];
    const Vocabulary& v = vocabulary();
    if (v.dates.count(t.folded)) {
      claims.push_back({t.begin, t.end, "date", t.folded});
      return;
    }
    // May and March: a month where it is written as one, beside a number or inside a sentence.
    const bool month = t.folded == "may" || t.folded == "march";
    const bool beside = (i > 0 && tokens[i - 1].kind == Token::number) ||
                        (i + 1 < tokens.size() && tokens[i + 1].kind == Token::number);
    if (month && is_capital(i) && (beside || !t.starts_sentence)) {
      claims.push_back({t.begin, t.end, "date", t.folded});
      return;
    }
    const std::string bare = without_possessive(t.folded);
    if (v.common.count(bare) || !currency_of(t.folded).empty() || t.folded == "i" || t.folded.starts_with("i'")) return;
    const bool name_follows = i + 1 < tokens.size() && is_capital(i + 1) && !tokens[i + 1].starts_sentence &&
                              !v.common.count(tokens[i + 1].folded);
    if (has_inner_capital(of(i)) || (is_capital(i) && (!t.starts_sentence || name_follows)))
      claims.push_back({t.begin, t.end, "name", bare});
  }

  void run() {
    tokens = tokens_of(text);
    const Vocabulary& v = vocabulary();
    for (size_t i = 0; i < tokens.size();) {
      const Token& t = tokens[i];
      const auto spoken = t.kind == Token::word ? v.numbers.find(t.folded) : v.numbers.end();
      // "one" is a pronoun more often than a number: a number before "day", "hour" and their like.
      const bool one =
          t.folded == "one" && follows(i + 1) &&
          (tokens[i + 1].folded == "day" || tokens[i + 1].folded == "hour" || tokens[i + 1].folded == "week" ||
           tokens[i + 1].folded == "month" || tokens[i + 1].folded == "year" || tokens[i + 1].folded == "minute" ||
           !currency_of(tokens[i + 1].folded).empty());
      if (t.kind == Token::number) {
        i = number(i, number_of(t.folded));
      } else if (spoken != v.numbers.end() || one) {
        i = number(i, one ? "1" : spoken->second);
      } else {
        if (t.kind == Token::mixed) mixed(i);
        if (t.kind == Token::word) word(i);
        ++i;
      }
    }
  }
};

bool is_date(const Claim& c) {
  const auto digits = [](const std::string& v) { return std::count_if(v.begin(), v.end(), is_digit); };
  return c.what == "date" || (c.what == "number" && c.value.find('/') != std::string::npos && digits(c.value) >= 4);
}

}  // namespace

struct FactLock::State {
  std::unordered_map<std::string, std::vector<size_t>> claims;  // by value: of these facts
  std::unordered_map<std::string, std::vector<size_t>> words;   // folded; names of the business: of no fact
  std::vector<std::string> lines;                               // words of each fact between spaces
  bool has_date = false;
};

FactLock::FactLock(std::span<const std::string> facts, std::span<const std::string> names)
    : state_(std::make_unique<State>()) {
  State& s = *state_;
  for (size_t f = 0; f < facts.size(); ++f) {
    for (const Claim& c : claims_of(facts[f])) {
      s.claims[c.value].push_back(f);
      s.has_date |= is_date(c);
    }
    std::string line = " ";
    for (const Token& t : tokens_of(facts[f])) {
      const std::string bare = without_possessive(t.folded);
      s.words[bare].push_back(f);
      line += t.folded + " ";
    }
    s.lines.push_back(std::move(line));
  }
  for (const std::string& name : names) {
    for (const Claim& c : claims_of(name)) s.claims[c.value];
    for (const Token& t : tokens_of(name)) s.words[without_possessive(t.folded)];
  }
}
FactLock::~FactLock() = default;
FactLock::FactLock(FactLock&&) noexcept = default;
FactLock& FactLock::operator=(FactLock&&) noexcept = default;

std::vector<Claim> FactLock::claims_of(std::string_view text) {
  ClaimReader reader{text, {}, {}};
  reader.run();
  return std::move(reader.claims);
}

std::vector<Claim> FactLock::unsupported(std::string_view text) const {
  std::vector<Claim> claims = claims_of(text);
  std::erase_if(claims, [&](const Claim& c) {
    return c.what == "name" ? state_->words.count(c.value) != 0 : state_->claims.count(c.value) != 0;
  });
  return claims;
}

std::vector<size_t> FactLock::facts_of(const Claim& claim) const {
  const auto& from = claim.what == "name" ? state_->words : state_->claims;
  const auto found = from.find(claim.value);
  if (found == from.end()) return {};
  std::vector<size_t> facts = found->second;
  facts.erase(std::unique(facts.begin(), facts.end()), facts.end());
  return facts;
}

bool FactLock::has_date() const noexcept { return state_->has_date; }

bool FactLock::has_words(std::string_view text) const {
  std::string line = " ";
  for (const Token& t : tokens_of(text)) line += t.folded + " ";
  return std::any_of(state_->lines.begin(), state_->lines.end(),
                     [&](const std::string& l) { return l.find(line) != l.npos; });
}

}  // namespace puna::ads
