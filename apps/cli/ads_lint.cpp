// puna ads lint: what a platform, or a reader, will object to in texts; and how well the rules do on labelled ones.

#include "ads.h"
#include "ads/creative/labelled.h"
#include "base/format.h"
#include "base/json.h"
#include "base/os.h"
#include "common.h"
#include "puna/ads/linter.h"
#include "puna/base/error.h"
#include "puna/text/graphemes.h"

namespace puna::cli {
namespace {

struct LintFlags {
  std::vector<std::string> texts;
  std::string placement, field, brief, rules, placements, language, labelled;
  bool json = false, list = false;
};

std::string cells(const std::string& text, size_t begin, size_t end) {  // a line of ^ below a part of a text
  const TextLength before = text_length(std::string_view(text).substr(0, begin));
  const TextLength part = text_length(std::string_view(text).substr(begin, end - begin));
  return std::string(size_t(before.columns), ' ') + std::string(size_t(std::max<int64_t>(part.columns, 1)), '^');
}

ads::LinterOptions options_of(const LintFlags& f) {
  ads::LinterOptions o;
  o.rules = ads_rules(f.rules);
  o.placements = ads_placements(f.placements);
  if (!f.brief.empty()) {
    o.brief = read_input(f.brief);
    o.brief_name = f.brief;
    if (o.brief.empty()) fail(Status::bad_file, "%s: the brief is empty", f.brief.c_str());
  }
  o.language = f.language;
  return o;
}

void print_text(const std::string& text, const std::vector<ads::Finding>& findings) {
  print_format("%s\n", text.c_str());
  for (const ads::Finding& x : findings)
    print_format("%s %s %s: %s\n", cells(text, x.begin, x.end).c_str(), ads::name_of(x.severity), x.rule.c_str(),
                 x.reason.c_str());
}

OrderedJson json_of(std::optional<double> share) { return share ? OrderedJson(*share) : OrderedJson(); }
std::string text_of(std::optional<double> share) { return share ? format("%.3f", *share) : "-"; }

void run_labelled(const LintFlags& f, const ads::Linter& linter) {
  const ads::LabelledScores s =
      ads::score_labelled(read_input(f.labelled), f.labelled, linter.rules(), linter.placements());
  std::vector<ads::RuleScore> rows = s.rules;
  rows.push_back(s.errors);
  rows.push_back(s.reviews);
  if (f.json) {
    OrderedJson rules = OrderedJson::array();
    for (const ads::RuleScore& r : rows)
      rules.push_back({{"rule", r.rule},
                       {"severity", ads::name_of(r.severity)},
                       {"texts", r.labelled},
                       {"precision", json_of(r.precision())},
                       {"recall", json_of(r.recall())}});
    print(json_text({{"texts", s.texts}, {"clean", s.clean}, {"rules", rules}, {"mistakes", s.mistakes}}) + "\n");
    return;
  }
  print_format("%jd texts, %jd of them clean\n%-32s %-7s %6s %10s %7s\n", intmax_t(s.texts), intmax_t(s.clean), "", "",
               "texts", "precision", "recall");
  for (const ads::RuleScore& r : rows)
    print_format("%-32s %-7s %6jd %10s %7s\n", r.rule.c_str(), ads::name_of(r.severity), intmax_t(r.labelled),
                 text_of(r.precision()).c_str(), text_of(r.recall()).c_str());
  for (const std::string& m : s.mistakes) print_format("%s\n", m.c_str());
}

void run_lint(const LintFlags& f) {
  if (f.placement.empty() && !f.field.empty())
    fail(Status::invalid_argument, "--field without --placement, which has the field");
  const ads::Linter linter(options_of(f));
  const ads::LintContext context = linter.context(f.placement, f.field);
  if (f.list) {
    for (const ads::RuleInfo& r : linter.rules().rules())
      print_format("%-32s %-7s %s (%s, %s)\n", r.id.c_str(), ads::name_of(r.severity), r.reason.c_str(),
                   r.source.c_str(), r.date.c_str());
    return;
  }
  if (!f.labelled.empty()) return run_labelled(f, linter);
  if (f.texts.empty()) usage_error_missing("TEXT");
  bool errors = false;
  std::string all;
  for (const std::string& text : f.texts) {
    const std::vector<ads::Finding> findings = linter.rules().lint(text, context);
    errors |= ads::has_errors(findings);
    if (f.json)
      all += (all.empty() ? "" : ",") + ads::lint_json(text, findings, context);
    else
      print_text(text, findings);
  }
  if (f.json) print("[" + all + "]\n");
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
  const auto lints = [f] { return f->labelled.empty() && !f->list; };
  constexpr const char* kLinting = "without --labelled and --list";
  verb.option("TEXT", f->texts, "one text or more").read_when(lints, kLinting);
  verb.option("--placement", f->placement,
              "google.search, google.pmax, meta.feed, meta.reels, meta.stories: its rules alone")
      .read_when(lints, kLinting);
  verb.option("--field", f->field, "headline, description, ...: with its limit").read_when(lints, kLinting);
  verb.option("--brief", f->brief, "a brief: claims that its facts do not make, its banned terms and competitors")
      .read_when(lints, kLinting);
  verb.option("--language", f->language, "of the texts (default: the brief's, or en)").read_when(lints, kLinting);
  verb.option("--rules", f->rules, "other rules: a file as src/ads/creative/rules.inc has them");
  verb.option("--placements", f->placements, "other placements, likewise");
  verb.option("--labelled", f->labelled,
              "a table of texts and what is to be found in them: precision and recall per rule")
      .read_when([f] { return !f->list; }, "without --list");
  verb.flag("--list", f->list, "the rules");
  verb.flag("--json", f->json, "one line of JSON").read_when([f] { return !f->list; }, "without --list");
  verb.run([f] { run_lint(*f); });
}

}  // namespace puna::cli
