// brief.cpp -- a brief as it is read: every field checked by itself, then against the others.
#include "puna/ads/brief.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "ads/creative/language.h"
#include "ads/creative/phrases.h"
#include "ads/creative/vocabulary.h"
#include "base/hash.h"
#include "base/json_field.h"
#include "base/nearest.h"
#include "base/shown.h"
#include "base/utf8.h"
#include "chat/jinja/unicode.h"
#include "puna/base/error.h"

namespace puna::ads {
namespace {

using text::JsonField;

constexpr size_t kMostFacts = 100'000, kMostText = 20'000, kMostReaders = 100, kMostTerms = 10'000, kMostDays = 3660;
constexpr int64_t kMostAsked = 50;
constexpr const char* kCurrencies[] = {"EUR", "USD", "GBP", "CHF", "JPY", "CNY", "INR", "CAD", "AUD", "NZD", "SEK",
                                       "NOK", "DKK", "PLN", "CZK", "HUF", "RON", "BGN", "TRY", "RUB", "UAH", "ILS",
                                       "AED", "SAR", "EGP", "ZAR", "NGN", "KES", "BRL", "MXN", "ARS", "CLP", "COP",
                                       "PEN", "KRW", "TWD", "HKD", "SGD", "MYR", "THB", "IDR", "PHP", "VND", "PKR",
                                       "BDT", "LKR", "IRR", "ISK", "GEL", "KZT", "MAD", "TND"};

[[noreturn]] void wrong(const JsonField& field, const std::string& what) {
  fail(Status::invalid_argument, "%s: %s", field.path().c_str(), what.c_str());
}

// ---- texts ----------------------------------------------------------------------------------------------------------

struct Cleaned {
  std::string text;
  int64_t removed = 0;  // characters that nobody sees, or that turn the direction
};

// Control characters are spaces, spaces are single, and none stands at the ends. A text is read by people.
Cleaned cleaned(std::string_view text) {
  Cleaned out;
  bool space = false;
  for (size_t at = 0; at < text.size();) {
    const Utf8 c = decode_utf8(text.data() + at, text.data() + text.size());
    const uint32_t code = c.status == Utf8::valid ? c.code : 0;
    const bool control = code < 0x20 || (code >= 0x7F && code < 0xA0);
    const bool line = code == '\n' || code == '\t' || code == '\r' || code == 0x85 || code == 0x2028 || code == 0x2029;
    const bool unseen = code == 0xAD || code == 0x200B || code == 0x2060 || code == 0xFEFF || code == 0x180E ||
                        (code >= 0x202A && code <= 0x202E) || (code >= 0x2066 && code <= 0x206F) || code == 0x200E ||
                        code == 0x200F || (code >= 0xE0000 && code < 0xE0020) || (code >= 0xFFF0 && code <= 0xFFFB) ||
                        (code & 0xFFFE) == 0xFFFE || (code >= 0xFDD0 && code <= 0xFDEF);
    out.removed += (control && !line) || unseen;
    if (control || (!unseen && jinja::is_space(char32_t(code)))) {
      space = true;
    } else if (!unseen) {
      if (space && !out.text.empty()) out.text += ' ';
      space = false;
      out.text.append(text, at, c.size);
    }
    at += c.size;
  }
  return out;
}

struct BriefReader {
  Brief brief;
  const Placements& placements;

  std::string text_of(const JsonField& field, size_t most = kMostText) {
    const std::string& raw = field.string();
    if (raw.size() > most)
      wrong(field, "a text of " + std::to_string(raw.size()) + " bytes, expected at most " + std::to_string(most));
    Cleaned c = cleaned(raw);
    if (c.removed > 0)
      brief.notes.push_back(field.path() + ": " + std::to_string(c.removed) +
                            " characters that nobody sees were taken out");
    return std::move(c.text);
  }

  std::vector<std::string> terms(const JsonField& list) {
    std::vector<std::string> all;
    if (list.size() > kMostTerms)
      wrong(list, std::to_string(list.size()) + " terms, expected at most " + std::to_string(kMostTerms));
    for (size_t i = 0; i < list.size(); ++i) {
      std::string term = text_of(list[i], 1000);
      if (plain_phrase(term).elements.empty()) wrong(list[i], "expected a word");
      all.push_back(std::move(term));
    }
    return all;
  }

  // ---- budget -------------------------------------------------------------------------------------------------------

  // 25, 25.5 or "25.50", exactly.
  Micros amount(const JsonField& field) {
    std::string digits;
    if (field.is_string())
      digits = field.string();
    else if (field.json().is_number_integer())
      digits = field.json().dump();
    else if (field.json().is_number_float()) {
      const double value = field.json().get<double>();
      if (!(value > 0) || value > double(kMostMicros) / kOneUnit)
        wrong(field, "expected an amount from 0.000001 to 9000000");
      return Micros(std::llround(value * double(kOneUnit)));
    } else
      field.expected("an amount, such as 25 or \"25.50\"");
    const size_t point = digits.find('.');
    const std::string whole = digits.substr(0, point);
    std::string part = point == digits.npos ? "" : digits.substr(point + 1);
    const auto plain = [](const std::string& d) {
      return std::all_of(d.begin(), d.end(), [](char c) { return c >= '0' && c <= '9'; });
    };
    if (whole.empty() || whole.size() > 7 || part.size() > 6 || (point != digits.npos && part.empty()) ||
        !plain(whole) || !plain(part))
      wrong(field, "'" + shown(digits) + "' is no amount from 0.000001 to 9000000, such as 25 or \"25.50\"");
    part.resize(6, '0');
    const Micros micros = std::stoll(whole) * kOneUnit + std::stoll(part);
    if (micros < 1 || micros > kMostMicros) wrong(field, "expected an amount from 0.000001 to 9000000");
    return micros;
  }

  // Days since 1970 of "2026-12-07" (H. Hinnant's days_from_civil).
  int64_t day(const JsonField& field) {
    const std::string& s = field.string();
    const bool shaped = s.size() == 10 && s[4] == '-' && s[7] == '-' && [&] {
      for (size_t i = 0; i < 10; ++i)
        if (i != 4 && i != 7 && (s[i] < '0' || s[i] > '9')) return false;
      return true;
    }();
    if (!shaped) wrong(field, "'" + shown(s) + "' is no date, expected one such as 2026-12-07");
    int64_t y = std::stoi(s.substr(0, 4));
    const int m = std::stoi(s.substr(5, 2)), d = std::stoi(s.substr(8, 2));
    static constexpr int kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
    if (y < 1970 || m < 1 || m > 12 || d < 1 || d > kDays[m - 1] + (m == 2 && leap))
      wrong(field, "there is no day '" + s + "'");
    y -= m <= 2;
    const int64_t era = y / 400, of_era = y - era * 400;
    const int64_t of_year = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
  }

  // UTC, +02:00, or a name of the time zone database by its shape: which names there are, no library of ours knows.
  void time_zone(const JsonField& field) {
    const std::string& z = field.string();
    const auto digit = [&](size_t i) { return z[i] >= '0' && z[i] <= '9'; };
    const bool offset = z.size() == 6 && (z[0] == '+' || z[0] == '-') && digit(1) && digit(2) && z[3] == ':' &&
                        digit(4) && digit(5) && (z[1] == '0' || (z[1] == '1' && z[2] <= '4')) && z[4] <= '5';
    const size_t slash = z.find('/');
    const bool name = slash != z.npos && slash > 1 && slash + 1 < z.size() && z.size() <= 40 &&
                      std::all_of(z.begin(), z.end(), [](char c) {
                        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '/' || c == '_' || c == '-' ||
                               c == '+' || (c >= '0' && c <= '9');
                      });
    if (z != "UTC" && !offset && !name)
      wrong(field, "'" + shown(z) + "' is no time zone, expected UTC, +01:00 or a name such as Europe/Brussels");
    brief.budget.time_zone = z;
  }

  void budget(const JsonField& field) {
    if (field.is_null())
      wrong(field, "there is none: expected {\"daily\": 25, \"currency\": \"EUR\", \"start\": ..., \"end\": ...}");
    field.only({"daily", "lifetime", "currency", "start", "end", "time_zone"});
    Budget& b = brief.budget;
    const bool daily = !field["daily"].is_null(), lifetime = !field["lifetime"].is_null();
    if (daily == lifetime) wrong(field, "expected one of \"daily\" and \"lifetime\"");
    (daily ? b.daily : b.lifetime) = amount(field[daily ? "daily" : "lifetime"]);
    b.currency = field["currency"].string();
    if (std::find_if(std::begin(kCurrencies), std::end(kCurrencies), [&](const char* c) { return b.currency == c; }) ==
        std::end(kCurrencies))
      wrong(field["currency"],
            "there is no currency '" + shown(b.currency) + "'" + did_you_mean(b.currency, kCurrencies));
    b.start = field["start"].string();
    b.end = field["end"].string();
    b.days = day(field["end"]) - day(field["start"]) + 1;
    if (b.days < 1) wrong(field["end"], b.end + " is before the start, " + b.start);
    if (b.days > int64_t(kMostDays)) wrong(field["end"], std::to_string(b.days) + " days, expected at most 3660");
    if (daily && b.days > kMostMicros / b.daily) wrong(field["daily"], "too much for all days together");
    if (lifetime && b.lifetime < b.days) wrong(field["lifetime"], "less than a millionth for each of the days");
    if (field["time_zone"].is_null())
      b.time_zone = "UTC";
    else
      time_zone(field["time_zone"]);
    if (daily) b.lifetime = b.daily * b.days;
    if (!daily) b.daily = 0;
  }

  // ---- what it says, and to whom ------------------------------------------------------------------------------------

  void facts(const JsonField& list) {
    if (list.is_null() || list.size() == 0)
      wrong(list, "there are none: facts are the only claims that an advertisement may make");
    if (list.size() > kMostFacts)
      wrong(list, std::to_string(list.size()) + " facts, expected at most " + std::to_string(kMostFacts));
    WordSet ids;
    for (size_t i = 0; i < list.size(); ++i) {
      const JsonField field = list[i];
      Fact fact{"fact " + std::to_string(i + 1), ""};
      if (field.is_object()) {
        field.only({"id", "text"});
        if (!field["id"].is_null()) fact.id = text_of(field["id"], 100);
        fact.text = text_of(field["text"]);
      } else {
        fact.text = text_of(field);
      }
      if (fact.text.empty()) {
        brief.notes.push_back(field.path() + ": it is empty, and not used");
        continue;
      }
      if (!ids.insert(fact.id).second) wrong(field, "there is another fact with the id '" + shown(fact.id) + "'");
      brief.facts.push_back(std::move(fact));
    }
    if (brief.facts.empty()) wrong(list, "all of them are empty");
  }

  void segments(const JsonField& list) {
    if (list.size() > kMostReaders) wrong(list, std::to_string(list.size()) + " segments, expected at most 100");
    double given = 0;
    size_t without = 0;
    for (size_t i = 0; i < list.size(); ++i) {
      const JsonField field = list[i];
      field.only({"name", "about", "share"});
      Segment s;
      s.name = text_of(field["name"], 200);
      if (s.name.empty()) wrong(field["name"], "it is empty");
      for (const Segment& other : brief.segments)
        if (other.name == s.name) wrong(field["name"], "there is another segment '" + shown(s.name) + "'");
      if (!field["about"].is_null()) s.about = text_of(field["about"], 1000);
      s.share = -1;
      if (!field["share"].is_null()) {
        const Json& share = field["share"].json();
        if (!share.is_number() || !(share.get<double>() >= 0 && share.get<double>() <= 1))
          wrong(field["share"], "expected a number from 0 to 1");
        s.share = share.get<double>();
        given += s.share;
      }
      without += s.share < 0;
      brief.segments.push_back(std::move(s));
    }
    if (brief.segments.empty()) brief.segments.push_back({"everybody", "", 1});
    if (list.size() == 0) return;
    if (given > 1 + 1e-9 || (without == 0 && std::fabs(given - 1) > 1e-6) || (without > 0 && given > 1 - 1e-9))
      wrong(list, "their shares make " + std::to_string(given) + ", expected 1 of all together");
    for (Segment& s : brief.segments)
      if (s.share < 0) s.share = (1 - given) / double(without);
  }

  void places(const JsonField& list, int64_t variants) {
    if (list.is_null() || list.size() == 0) wrong(list, "there are none, expected some such as \"google.search\"");
    for (size_t i = 0; i < list.size(); ++i) {
      BriefPlacement p;
      p.variants = variants;
      const JsonField field = list[i];
      if (field.is_object()) {
        field.only({"id", "variants"});
        p.id = field["id"].string();
        if (!field["variants"].is_null()) p.variants = field["variants"].integer(1, kMostAsked);
      } else {
        p.id = field.string();
      }
      const auto known = std::find_if(placements.list.begin(), placements.list.end(),
                                      [&](const Placement& k) { return k.id == p.id; });
      if (known == placements.list.end()) {
        std::vector<std::string_view> ids;
        for (const Placement& k : placements.list) ids.push_back(k.id);
        wrong(field, "there is no placement '" + shown(p.id) + "'" + did_you_mean(p.id, ids));
      }
      for (const BriefPlacement& other : brief.placements)
        if (other.id == p.id) wrong(field, "'" + p.id + "' is there already");
      brief.placements.push_back(std::move(p));
    }
  }

  // ---- the language, and contradictions -----------------------------------------------------------------------------

  // By the letters of the facts, or by small words that only one language has.
  std::string seen_language() const {
    std::map<std::string, int64_t> scripts, words;
    int64_t latin = 0;
    for (size_t f = 0; f < brief.facts.size() && f < 200; ++f) {
      const std::string& text = brief.facts[f].text;
      for (size_t at = 0; at < text.size();) {
        const Utf8 c = decode_utf8(text.data() + at, text.data() + text.size());
        at += c.size;
        const uint32_t u = c.status == Utf8::valid ? c.code : 0;
        static constexpr struct {
          uint32_t first, last;
          const char* language;
        } kScripts[] = {{0x370, 0x3FF, "el"},   {0x400, 0x52F, "ru"},  {0x590, 0x5FF, "he"}, {0x600, 0x6FF, "ar"},
                        {0x900, 0x97F, "hi"},   {0x980, 0x9FF, "bn"},  {0xE00, 0xE7F, "th"}, {0x3040, 0x30FF, "ja"},
                        {0x4E00, 0x9FFF, "zh"}, {0xAC00, 0xD7A3, "ko"}};
        latin += (u >= 'a' && u <= 'z') || (u >= 'A' && u <= 'Z') || (u >= 0xC0 && u < 0x250);
        for (const auto& s : kScripts)
          if (u >= s.first && u <= s.last) ++scripts[s.language];
      }
      for (const Token& t : tokens_of(text))
        for (const auto& [language, small] : vocabulary().seen_in)
          words[language] += std::find(small.begin(), small.end(), t.folded) != small.end();
    }
    if (scripts.count("ja")) scripts["ja"] += scripts["zh"];  // kana beside kanji
    const auto most = [](const std::map<std::string, int64_t>& of) {
      std::pair<std::string, int64_t> best{"", 0};
      for (const auto& [name, n] : of)
        if (n > best.second || (n == best.second && name == "en" && n > 0)) best = {name, n};
      return best;
    };
    if (const auto [language, n] = most(scripts); n > latin) return language;
    const auto [language, n] = most(words);
    return n > 0 ? language : "en";
  }

  void language(const JsonField& field) {
    if (field.is_null()) {
      brief.language = seen_language();
      brief.language_was_seen = true;
      return;
    }
    const std::string& tag = field.string();
    if (const std::string fault = fault_of_language(tag); !fault.empty()) wrong(field, fault);
    brief.language = tag;
  }

  bool contains(const std::string& text, const std::string& term) const {
    std::vector<Occurrence> found;
    find_phrase(plain_phrase(term), tokens_of(text), found);
    return !found.empty();
  }

  void contradictions(const JsonField& root) {
    for (size_t b = 0; b < brief.banned.size(); ++b) {
      const JsonField field = root["banned"][b];
      if (contains(brief.name, brief.banned[b])) wrong(field, "'" + shown(brief.banned[b]) + "' is part of the name");
      for (size_t w = 0; w < brief.voice_words.size(); ++w)
        if (contains(brief.voice_words[w], brief.banned[b]))
          wrong(field, "'" + shown(brief.banned[b]) + "' is one of voice.words, [" + std::to_string(w) + "]");
    }
    for (size_t c = 0; c < brief.competitors.size(); ++c)
      if (contains(brief.name, brief.competitors[c]))
        wrong(root["competitors"][c], "'" + shown(brief.competitors[c]) + "' is part of the name");
  }

  void read(const JsonField& root) {
    for (const char* picture : {"image", "images", "picture", "pictures", "photo", "photos", "video", "videos", "logo"})
      if (!root[picture].is_null())
        fail(Status::unsupported, "%s: pictures are neither made nor placed here: texts only",
             root[picture].path().c_str());
    root.only({"name", "objective", "language", "budget", "landing_page", "facts", "voice", "banned", "competitors",
               "segments", "placements", "variants", "seed"});
    brief.name = text_of(root["name"], 500);
    if (brief.name.empty()) wrong(root["name"], "it is empty");
    const std::string& objective = root["objective"].string();
    const char* const kObjectives[] = {"awareness", "traffic", "leads", "sales"};
    size_t o = 0;
    while (o < 4 && objective != kObjectives[o]) ++o;
    if (o == 4)
      wrong(root["objective"], "there is no objective '" + shown(objective) +
                                   "', expected awareness, traffic, leads or sales" +
                                   did_you_mean(objective, kObjectives));
    brief.objective = Objective(o);
    budget(root["budget"]);
    if (const JsonField page = root["landing_page"]; !page.is_null()) {
      page.only({"url", "text"});
      if (!page["url"].is_null()) brief.page_url = text_of(page["url"], 2000);
      if (!page["text"].is_null()) brief.page_text = text_of(page["text"], size_t(1) << 20);
    }
    facts(root["facts"]);
    language(root["language"]);
    if (const JsonField voice = root["voice"]; voice.is_string()) {
      brief.voice = text_of(voice, 2000);
    } else if (!voice.is_null()) {
      voice.only({"description", "words"});
      if (!voice["description"].is_null()) brief.voice = text_of(voice["description"], 2000);
      brief.voice_words = terms(voice["words"]);
    }
    brief.banned = terms(root["banned"]);
    brief.competitors = terms(root["competitors"]);
    segments(root["segments"]);
    places(root["placements"], root["variants"].is_null() ? 3 : root["variants"].integer(1, kMostAsked));
    if (!root["seed"].is_null()) brief.seed = uint64_t(root["seed"].integer(0, INT64_MAX));
    contradictions(root);
  }
};

}  // namespace

const char* name_of(Objective objective) noexcept {
  constexpr const char* kNames[] = {"awareness", "traffic", "leads", "sales"};
  return kNames[size_t(objective)];
}

std::vector<Micros> split_exactly(Micros total, const std::vector<double>& shares) {
  double all = 0;
  for (const double s : shares) all += s;
  std::vector<Micros> amounts;
  std::vector<std::pair<double, size_t>> rest;
  Micros given = 0;
  for (size_t i = 0; i < shares.size(); ++i) {
    const double want = all > 0 ? double(total) * (shares[i] / all) : double(total) / double(shares.size());
    amounts.push_back(std::min<Micros>(Micros(want), total - given));
    given += amounts.back();
    rest.push_back({want - double(amounts.back()), i});
  }
  std::stable_sort(rest.begin(), rest.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  for (size_t k = 0; given < total && !rest.empty(); k = (k + 1) % rest.size(), ++given) ++amounts[rest[k].second];
  return amounts;
}

std::vector<Micros> Budget::by_day() const {
  if (daily > 0) return std::vector<Micros>(size_t(days), daily);
  return split_exactly(lifetime, std::vector<double>(size_t(days), 1.0));
}

Brief read_brief(std::string_view json, const std::string& name, const Placements& placements) {
  Json tree;
  const JsonGuard guard(tree);
  try {
    tree = parse_json(json, name.c_str());
    BriefReader reader{{}, placements};
    reader.brief.hash = hash_of(json);
    reader.read(JsonField(tree, name + ": "));
    return std::move(reader.brief);
  } catch (const Error& e) {
    if (e.status() != Status::bad_file) throw;
    fail(Status::invalid_argument, "%s", e.what());  // a brief is what a caller asks for
  }
}

}  // namespace puna::ads
