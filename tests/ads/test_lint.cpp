// Lint: the labelled set meets its bar, findings stand where the text has them, and rules are read strictly.
#include "ads/creative/labelled.h"
#include "ads/creative/phrases.h"
#include "ads/creative/tokens.h"
#include "base/os.h"
#include "puna/ads/lint.h"
#include "support/catch.h"
#include "support/status.h"

using namespace puna;
using namespace puna::ads;
using namespace puna::test;

namespace {

constexpr const char* kLabelled = PUNA_SOURCE_DIR "/tests/data/ads/lint.tsv";

LintContext in(const char* placement, const char* field = nullptr) {
  LintContext c;
  c.placement = &known_placements().find(placement);
  if (field) c.field = &find_field(*c.placement, field);
  return c;
}

// "google/capitals 0-4, ...": errors and reviews.
std::string found(std::string_view text, const LintContext& context) {
  std::string all;
  for (const Finding& f : LintRules::known()->lint(text, context)) {
    REQUIRE(f.begin < f.end);
    REQUIRE(f.end <= text.size());
    if (f.severity != Severity::note)
      all += (all.empty() ? "" : ", ") + f.rule + " " + std::to_string(f.begin) + "-" + std::to_string(f.end);
  }
  return all;
}

std::string read_error(const std::string& json) {
  return message_of([&] { LintRules::read(json, "rules.json"); });
}

std::string with_rule(const std::string& rule) { return R"({"date": "2026-12-01", "rules": [)" + rule + "]}"; }

}  // namespace

TEST_CASE("rules meet their bar on the labelled texts", "[ads][lint]") {
  const LabelledScores s =
      score_labelled(os::read_file(kLabelled, 1 << 20), kLabelled, *LintRules::known(), known_placements());
  CHECK(s.texts >= 300);
  CHECK(s.clean * 10 >= s.texts * 4);
  for (const std::string& m : s.mistakes) INFO(m);
  CHECK(s.errors.precision() >= 0.95);
  CHECK(s.errors.recall() >= 0.90);
  CHECK(s.reviews.precision() >= 0.9);
  CHECK(s.reviews.recall() >= 0.9);
  for (const RuleScore& r : s.rules) {
    CAPTURE(r.rule, r.labelled, r.found, r.right);
    CHECK(r.precision() >= 0.8);
    CHECK(r.recall() >= 0.8);
  }
}

TEST_CASE("rules meet their bar on texts that they were not made with", "[ads][lint]") {
  const std::string path = PUNA_SOURCE_DIR "/tests/data/ads/lint_unseen.tsv";
  const LabelledScores s = score_labelled(os::read_file(path, 1 << 20), path, *LintRules::known(), known_placements());
  CHECK(s.texts >= 50);
  CHECK(s.errors.precision() >= 0.95);
  CHECK(s.errors.recall() >= 0.90);
}

TEST_CASE("labelled texts begin with a byte order mark or none, and a table without any is refused", "[ads][lint]") {
  const auto score = [](const std::string& tsv) {
    return score_labelled(tsv, "l.tsv", *LintRules::known(), known_placements());
  };
  const std::string row = "meta.feed\theadline\t-\tFresh bread in Ghent\n";
  for (const std::string begin : {"", "\xEF\xBB\xBF", "\xEF\xBB\xBF# texts\n"}) CHECK(score(begin + row).texts == 1);
  for (const std::string nothing : {"", "\n", "# texts\n", "\xEF\xBB\xBF# texts\r\n"})
    CHECK(message_of([&] { (void)score(nothing); }).starts_with("l.tsv: there is no text in it"));
  const LabelledScores s = score(row);  // nothing was to be found, and nothing was
  CHECK(!s.errors.precision());
  CHECK(!s.errors.recall());
}

TEST_CASE("findings stand where the text has them", "[ads][lint]") {
  CHECK(found("Fresh bread in Ghent", in("google.search", "headline")) == "");
  CHECK(found("SALE on bread!", in("google.search", "headline")) ==
        "google/capitals 0-4, google/exclamation-in-headline 13-14");
  CHECK(found("\u00c9clairs  and t\u00e9a", in("google.search", "headline")) == "google/spacing 8-10");
  CHECK(found("Are you a Muslim?", in("meta.feed", "primary_text")) == "meta/personal-religion 0-16");
  CHECK(found("Are you a Muslim?", in("google.search", "headline")) == "");
  CHECK(found("Click here, click here", in("google.search")).find("google/click-here 12-22") != std::string::npos);
  // 28 characters, of which 3 are wide, are 31 columns: the last one is too much.
  CHECK(found("Bread for all your \u30d1\u30f3\u5c4b fans.", in("google.search", "headline")).substr(0, 12) ==
        "any/too-long");
  CHECK(found("Bread for all your \u30d1\u30f3\u5c4b fans", in("google.search", "headline")) == "");
  LintContext nowhere;
  CHECK(found("Are you a Muslim? CHEAP", nowhere) == "meta/personal-religion 0-16, google/capitals 18-23");
  CHECK(found("", nowhere) == "");
  CHECK(found(std::string("\xff\xfe\0 bread", 9), nowhere).find("any/hidden-characters") != std::string::npos);
}

TEST_CASE("a brief's terms, names and facts are held against the text", "[ads][lint]") {
  const std::string facts[] = {"Open since 1987 in Ghent", "Free delivery on 5 May"};
  const std::string names[] = {"ACME"}, banned[] = {"cheap", "low cost"}, rivals[] = {"Bakery Janssens"};
  const FactLock lock(facts, names);
  LintContext c = in("google.search", "description");
  CHECK(found("ACME bread", c) == "google/capitals 0-4");
  CHECK(found("Free delivery, last chance", c) == "any/free 0-13, any/urgency 15-26");
  c.facts = &lock;
  c.names = names;
  c.banned = banned;
  c.competitors = rivals;
  CHECK(found("ACME bread", c) == "");
  CHECK(found("Free delivery, last chance", c) == "");  // the facts say so, and have a date
  CHECK(found("Low-cost bread since 1987", c) == "any/banned-term 0-8");
  CHECK(found("Not bakery Janssens", c) == "any/competitor 4-19, any/not-in-facts 11-19");
  CHECK(found("Open since 1988", c) == "any/not-in-facts 11-15");
}

TEST_CASE("texts of a language that there is not are refused, not held to English", "[ads][lint]") {
  for (const char* tag : {"xx", "", "english", "e-n"}) {
    LintContext context;
    context.language = tag;
    CHECK(message_of([&] { LintRules::known()->lint("Bread", context); }).find("language: '") == 0);
  }
}

TEST_CASE("patterns of words match what they say", "[ads][lint]") {
  const PhraseLists lists = {{"drinks", {"tea", "iced coffee"}}};
  const auto matches = [&](const char* pattern, const char* text) {
    std::vector<Phrase> phrases;
    compile_phrase(pattern, lists, "here", phrases);
    std::vector<Occurrence> found;
    const std::vector<Token> tokens = tokens_of(text);
    for (const Phrase& p : phrases) find_phrase(p, tokens, found);
    std::string all;
    for (const Occurrence& o : found) all += std::to_string(o.first) + "-" + std::to_string(o.last) + " ";
    return all;
  };
  CHECK(matches("good bread", "Good bread, good-bread, good. Bread") == "0-2 3-5 ");
  CHECK(matches("lose*|drop <number> kg", "losing 3 kg, drop 4 kg, lose kg") == "4-7 ");
  CHECK(matches("los* a|an? <number>", "losing 3, lost a 4") == "0-2 3-6 ");
  CHECK(matches("make ..2 money", "make money make more money make so much more money") == "0-2 2-5 ");
  CHECK(matches("{drinks} please", "Tea please, iced coffee please") == "0-2 3-6 ");
  CHECK(matches("100 %", "100% pure") == "0-2 ");
  CHECK(matches("<word> bread", "good bread. bread") == "0-2 ");
  for (const char* wrong : {"", "a?", "..2 a", "a ..3", "a||b", "{cakes}", "{drinks", "{drinks} {drinks}"}) {
    CAPTURE(wrong);
    CHECK(status_of([&] { matches(wrong, "a"); }) == Status::bad_file);
  }
}

TEST_CASE("rules are read strictly", "[ads][lint]") {
  const std::string rule =
      R"({"id": "x", "severity": "error", "phrases": ["a b"], "reason": "r", "source": "s", "date": "d")";
  CHECK(LintRules::read(with_rule(rule + "}"), "rules.json")->rules().at(0).id == "x");
  CHECK(read_error(with_rule(rule + R"(, "phrase": []})")) ==
        "rules.json: rules[0].phrase: there is no such field, did you mean 'phrases'?");
  CHECK(read_error(with_rule(
            R"({"id": "x", "severity": "eror", "phrases": ["a"], "reason": "r", "source": "s", "date": "d"})")) ==
        "rules.json: rules[0].severity: expected error, review or note");
  CHECK(read_error(with_rule(
            R"({"id": "x", "severity": "error", "function": "capital", "reason": "r", "source": "s", "date": "d"})")) ==
        "rules.json: rules[0].function: there is no function 'capital', did you mean 'capitals'?");
  CHECK(read_error(with_rule(rule + "}, " + rule + "}")) == "rules.json: rules[1].id: there is a rule 'x' already");
  CHECK(status_of([] { LintRules::read("[]", "rules.json"); }) == Status::bad_file);
  CHECK(status_of([] { read_placements(R"({"date": "d", "placements": [{"id": "a"}]})", "p"); }) == Status::bad_file);
  CHECK(message_of([] { known_placements().find("google.serach"); }) ==
        "there is no placement 'google.serach', did you mean 'google.search'?");
}
