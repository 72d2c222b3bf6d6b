// lint.cpp -- rules as they are read, and a text held against them.
#include "puna/ads/lint.h"

#include <algorithm>

#include "ads/creative/language.h"
#include "ads/creative/lint_functions.h"
#include "ads/creative/phrases.h"
#include "base/hash.h"
#include "base/json_field.h"
#include "base/nearest.h"
#include "puna/base/error.h"

namespace puna::ads {
namespace {

constexpr const char* kRules =
#include "ads/creative/rules.inc"
    ;

struct Rule {
  RuleInfo info;
  std::vector<std::string> platforms;  // none: all
  std::vector<TextKind> kinds;         // none: all
  LintFunction run = nullptr;
  std::vector<Phrase> phrases, exceptions;
  std::vector<std::string> words;  // of the function; folded, sorted
  enum Unless : uint8_t { never, facts, date } unless = never;
};

Severity severity_of(const text::JsonField& field) {
  const std::string& name = field.string();
  for (const Severity s : {Severity::note, Severity::review, Severity::error})
    if (name == name_of(s)) return s;
  fail(Status::bad_file, "%s: expected error, review or note", field.path().c_str());
}

TextKind kind_of(const text::JsonField& field) {
  const std::string& name = field.string();
  if (name == "headline") return TextKind::headline;
  if (name == "description") return TextKind::description;
  if (name == "name") return TextKind::name;
  if (name == "path") return TextKind::path;
  fail(Status::bad_file, "%s: expected headline, description, name or path", field.path().c_str());
}

Rule read_rule(const text::JsonField& field, const PhraseLists& lists) {
  field.only({"id", "platforms", "kinds", "severity", "function", "phrases", "exceptions", "words", "unless", "reason",
              "source", "date"});
  Rule rule;
  rule.info.id = field["id"].string();
  rule.info.severity = severity_of(field["severity"]);
  rule.info.reason = field["reason"].string();
  rule.info.source = field["source"].string();
  rule.info.date = field["date"].string();
  for (size_t i = 0; i < field["platforms"].size(); ++i) rule.platforms.push_back(field["platforms"][i].string());
  if (!rule.platforms.empty()) rule.info.platform = rule.platforms.front();
  for (size_t i = 0; i < field["kinds"].size(); ++i) rule.kinds.push_back(kind_of(field["kinds"][i]));
  if (!field["function"].is_null()) {
    const std::string& name = field["function"].string();
    std::vector<std::string_view> known;
    for (const NamedLintFunction& f : lint_functions()) {
      known.emplace_back(f.name);
      if (name == f.name) rule.run = f.run;
    }
    if (!rule.run)
      fail(Status::bad_file, "%s: there is no function '%.60s'%s", field["function"].path().c_str(), name.c_str(),
           did_you_mean(name, known).c_str());
  }
  for (const auto& [key, to] : {std::pair("phrases", &rule.phrases), std::pair("exceptions", &rule.exceptions)})
    for (size_t i = 0; i < field[key].size(); ++i)
      compile_phrase(field[key][i].string(), lists, field[key][i].path(), *to);
  for (size_t i = 0; i < field["words"].size(); ++i) rule.words.push_back(folded(field["words"][i].string()));
  std::sort(rule.words.begin(), rule.words.end());
  if (!rule.run && rule.phrases.empty()) field.expected("\"phrases\" or a \"function\"");
  const std::string unless = field["unless"].string("");
  if (unless != "" && unless != "facts" && unless != "date") field["unless"].expected("facts or date");
  rule.unless = unless == "facts" ? Rule::facts : unless == "date" ? Rule::date : Rule::never;
  return rule;
}

bool applies(const Rule& rule, const LintContext& c) {
  if (c.placement && !rule.platforms.empty() &&
      std::find(rule.platforms.begin(), rule.platforms.end(), c.placement->platform) == rule.platforms.end())
    return false;
  return rule.kinds.empty() ||
         (c.field && std::find(rule.kinds.begin(), rule.kinds.end(), c.field->kind) != rule.kinds.end());
}

}  // namespace

struct LintRules::State {
  std::string date;
  uint64_t hash = 0;
  std::vector<Rule> rules;
};

LintRules::LintRules() : state_(std::make_unique<State>()) {}
LintRules::~LintRules() = default;

std::shared_ptr<const LintRules> LintRules::read(std::string_view json, const std::string& name) {
  Json tree = parse_json(json, name.c_str());
  const JsonGuard guard(tree);
  const text::JsonField root(tree, name + ": ");
  root.only({"date", "lists", "rules"});
  const std::shared_ptr<LintRules> rules(new LintRules());
  State& s = *rules->state_;
  s.date = root["date"].string();
  s.hash = hash_of(json);
  PhraseLists lists;
  const text::JsonField named = root["lists"];
  if (!named.is_null() && !named.is_object()) named.expected("an object of lists");
  if (named.is_object())
    for (const auto& member : named.json().items()) {
      const text::JsonField list = named[member.key().c_str()];
      for (size_t i = 0; i < list.size(); ++i) lists[member.key()].push_back(list[i].string());
    }
  const text::JsonField all = root["rules"];
  if (all.is_null()) all.expected("a list of rules");
  for (size_t i = 0; i < all.size(); ++i) {
    s.rules.push_back(read_rule(all[i], lists));
    for (size_t k = 0; k < i; ++k)
      if (s.rules[k].info.id == s.rules[i].info.id)
        fail(Status::bad_file, "%s.id: there is a rule '%.60s' already", all[i].path().c_str(),
             s.rules[i].info.id.c_str());
  }
  return rules;
}

std::shared_ptr<const LintRules> LintRules::known() {
  static const std::shared_ptr<const LintRules> rules = read(kRules, "rules.inc");
  return rules;
}

std::vector<Finding> LintRules::lint(std::string_view text, const LintContext& context) const {
  if (const std::string fault = fault_of_language(context.language); !fault.empty())
    fail(Status::invalid_argument, "language: %s", fault.c_str());
  const LintText x{text, tokens_of(text)};
  std::vector<Finding> findings;
  std::vector<LintSpan> spans;
  std::vector<Occurrence> found, excepted;
  for (const Rule& rule : state_->rules) {
    if (!applies(rule, context)) continue;
    if (rule.unless == Rule::date && context.facts && context.facts->has_date()) continue;
    spans.clear();
    if (rule.run) rule.run(x, context, rule.words, spans);
    found.clear();
    for (const Phrase& p : rule.phrases) find_phrase(p, x.tokens, found);
    if (!found.empty()) {
      excepted.clear();
      for (const Phrase& p : rule.exceptions) find_phrase(p, x.tokens, excepted);
    }
    for (const Occurrence& o : found) {
      const bool is_excepted = std::any_of(excepted.begin(), excepted.end(),
                                           [&](const Occurrence& e) { return e.first <= o.first && e.last >= o.last; });
      const size_t begin = x.tokens[o.first].begin, end = x.tokens[o.last - 1].end;
      const bool is_fact =
          rule.unless == Rule::facts && context.facts && context.facts->has_words(text.substr(begin, end - begin));
      if (!is_excepted && !is_fact) spans.push_back({begin, end, ""});
    }
    // Two patterns of a rule may find the same words: the longer one stands.
    std::sort(spans.begin(), spans.end(), [](const LintSpan& a, const LintSpan& b) {
      return a.begin != b.begin ? a.begin < b.begin : a.end > b.end;
    });
    size_t behind = 0;
    for (const LintSpan& span : spans) {
      if (span.end <= behind && behind > 0) continue;
      behind = span.end;
      findings.push_back({rule.info.id, rule.info.severity, span.begin, span.end,
                          span.detail.empty() ? rule.info.reason : rule.info.reason + ": " + span.detail});
    }
  }
  std::stable_sort(findings.begin(), findings.end(),
                   [](const Finding& a, const Finding& b) { return a.begin < b.begin; });
  return findings;
}

std::vector<RuleInfo> LintRules::rules() const {
  std::vector<RuleInfo> infos;
  for (const Rule& r : state_->rules) infos.push_back(r.info);
  return infos;
}
const std::string& LintRules::date() const noexcept { return state_->date; }
uint64_t LintRules::hash() const noexcept { return state_->hash; }

const char* name_of(Severity severity) noexcept {
  return severity == Severity::error ? "error" : severity == Severity::review ? "review" : "note";
}

bool has_errors(std::span<const Finding> findings) noexcept {
  return std::any_of(findings.begin(), findings.end(), [](const Finding& f) { return f.severity == Severity::error; });
}

}  // namespace puna::ads
