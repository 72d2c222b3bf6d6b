// puna ads lint: what a platform, or a reader, will object to in texts; and how well the rules do on labelled ones.

#include "ads.h"
#include "ads/creative/labelled.h"
#include "base/json.h"
#include "base/os.h"
#include "common.h"
#include "puna/ads/brief.h"
#include "puna/ads/lint.h"
#include "puna/base/error.h"
#include "puna/text/graphemes.h"

namespace puna::cli {
namespace {

struct LintFlags {
  std::vector<std::string> texts;
  std::string placement, field, brief, rules, placements, language, labelled;
  bool json = false, list = false;
};

struct Against {  // what texts are held against
  std::shared_ptr<const ads::LintRules> rules;
  ads::Placements placements;
  ads::Brief brief;
  std::vector<std::string> names;
  std::unique_ptr<ads::FactLock> lock;
  ads::LintContext context;
};

std::string cells(const std::string& text, size_t begin, size_t end) {  // a line of ^ below a part of a text
  const TextLength before = text_length(std::string_view(text).substr(0, begin));
  const TextLength part = text_length(std::string_view(text).substr(begin, end - begin));
  return std::string(size_t(before.columns), ' ') + std::string(size_t(std::max<int64_t>(part.columns, 1)), '^');
}

void read(const LintFlags& f, Against& a) {
  a.rules = ads_rules(f.rules);
  a.placements = ads_placements(f.placements);
  if (f.placement.empty() && !f.field.empty())
    fail(Status::invalid_argument, "--field without --placement, which has the field");
  if (!f.placement.empty()) a.context.placement = &a.placements.find(f.placement);
  if (!f.field.empty()) a.context.field = &ads::find_field(*a.context.placement, f.field);
  if (!f.brief.empty()) {
    a.brief = ads::read_brief(read_input(f.brief), f.brief, a.placements);
    std::vector<std::string> facts;
    for (const ads::Fact& fact : a.brief.facts) facts.push_back(fact.text);
    a.names = a.brief.voice_words;
    a.names.push_back(a.brief.name);
    a.lock = std::make_unique<ads::FactLock>(facts, a.names);
    a.context.facts = a.lock.get();
    a.context.banned = a.brief.banned;
    a.context.competitors = a.brief.competitors;
    a.context.names = a.names;
    a.context.language = a.brief.language;
  }
  if (!f.language.empty()) a.context.language = f.language;
}

void print_text(const std::string& text, const std::vector<ads::Finding>& findings) {
  print_format("%s\n", text.c_str());
  for (const ads::Finding& x : findings)
    print_format("%s %s %s: %s\n", cells(text, x.begin, x.end).c_str(), ads::name_of(x.severity), x.rule.c_str(),
                 x.reason.c_str());
}

OrderedJson json_of(const std::string& text, const std::vector<ads::Finding>& findings, const Against& a) {
  const TextLength n = text_length(text);
  OrderedJson list = OrderedJson::array();
  for (const ads::Finding& x : findings)
    list.push_back({{"rule", x.rule},
                    {"severity", ads::name_of(x.severity)},
                    {"begin", x.begin},
                    {"end", x.end},
                    {"text", text.substr(x.begin, x.end - x.begin)},
                    {"reason", x.reason}});
  OrderedJson json = {{"text", text},
                      {"graphemes", n.graphemes},
                      {"columns", n.columns},
                      {"utf16", n.utf16},
                      {"errors", ads::has_errors(findings)},
                      {"findings", list}};
  if (a.context.placement) json["length"] = ads::length_in(*a.context.placement, text);
  if (a.context.field) json["limit"] = a.context.field->limit;
  return json;
}

void run_labelled(const LintFlags& f, const Against& a) {
  const ads::LabelledScores s = ads::score_labelled(read_input(f.labelled), f.labelled, *a.rules, a.placements);
  std::vector<ads::RuleScore> rows = s.rules;
  rows.push_back(s.errors);
  rows.push_back(s.reviews);
  if (f.json) {
    OrderedJson rules = OrderedJson::array();
    for (const ads::RuleScore& r : rows)
      rules.push_back({{"rule", r.rule},
                       {"severity", ads::name_of(r.severity)},
                       {"texts", r.labelled},
                       {"precision", r.precision()},
                       {"recall", r.recall()}});
    print(json_text({{"texts", s.texts}, {"clean", s.clean}, {"rules", rules}, {"mistakes", s.mistakes}}) + "\n");
    return;
  }
  print_format("%jd texts, %jd of them clean\n%-32s %-7s %6s %10s %7s\n", intmax_t(s.texts), intmax_t(s.clean), "", "",
               "texts", "precision", "recall");
  for (const ads::RuleScore& r : rows)
    print_format("%-32s %-7s %6jd %10.3f %7.3f\n", r.rule.c_str(), ads::name_of(r.severity), intmax_t(r.labelled),
                 r.precision(), r.recall());
  for (const std::string& m : s.mistakes) print_format("%s\n", m.c_str());
}

void run_lint(const LintFlags& f) {
  Against a;
  read(f, a);
  if (f.list) {
    for (const ads::RuleInfo& r : a.rules->rules())
      print_format("%-32s %-7s %s (%s, %s)\n", r.id.c_str(), ads::name_of(r.severity), r.reason.c_str(),
                   r.source.c_str(), r.date.c_str());
    return;
  }
  if (!f.labelled.empty()) return run_labelled(f, a);
  if (f.texts.empty()) usage_error_missing("TEXT");
  bool errors = false;
  OrderedJson all = OrderedJson::array();
  for (const std::string& text : f.texts) {
    const std::vector<ads::Finding> findings = a.rules->lint(text, a.context);
    errors |= ads::has_errors(findings);
    if (f.json)
      all.push_back(json_of(text, findings, a));
    else
      print_text(text, findings);
  }
  if (f.json) print(json_text(all) + "\n");
  if (errors) fail(Status::invalid_argument, "lint found errors");
}

}  // namespace

std::shared_ptr<const ads::LintRules> ads_rules(const std::string& path) {
  return path.empty() ? ads::LintRules::known() : ads::LintRules::read(read_input(path), path);
}
ads::Placements ads_placements(const std::string& path) {
  return path.empty() ? ads::known_placements() : ads::read_placements(read_input(path), path);
}

void add_ads_lint(const Verb& ads) {
  const auto f = std::make_shared<LintFlags>();
  const Verb verb(ads, "lint",
                  "What a platform will object to in texts, with the place and the reason; exit code 1: errors");
  const Option texts = verb.option("TEXT", f->texts, "one text or more");
  const Option placement = verb.option(
      "--placement", f->placement, "google.search, google.pmax, meta.feed, meta.reels, meta.stories: its rules alone");
  const Option field = verb.option("--field", f->field, "headline, description, ...: with its limit");
  const Option brief =
      verb.option("--brief", f->brief, "a brief: claims that its facts do not make, its banned terms and competitors");
  const Option language = verb.option("--language", f->language, "of the texts (default: the brief's, or en)");
  verb.option("--rules", f->rules, "other rules: a file as src/ads/creative/rules.inc has them");
  verb.option("--placements", f->placements, "other placements, likewise");
  // Each row says its placement and field; there is no brief.
  const Option labelled = verb.option(
      "--labelled", f->labelled, "a table of texts and what is to be found in them: precision and recall per rule");
  const Option list = verb.flag("--list", f->list, "the rules");
  for (const Option* other : {&texts, &placement, &field, &brief, &language}) {
    labelled.excludes(*other);
    list.excludes(*other);
  }
  list.excludes(labelled);
  verb.flag("--json", f->json, "one line of JSON");
  verb.run([f] { run_lint(*f); });
}

}  // namespace puna::cli
