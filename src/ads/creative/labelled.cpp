#include "ads/creative/labelled.h"

#include <algorithm>
#include <map>
#include <set>

#include "ads/creative/tokens.h"
#include "base/shown.h"
#include "base/utf8.h"
#include "puna/base/error.h"

namespace puna::ads {
LabelledScores score_labelled(std::string_view tsv, const std::string& name, const LintRules& rules,
                              const Placements& placements) {
  LabelledScores scores;
  std::map<std::string, size_t, std::less<>> place;
  for (const RuleInfo& r : rules.rules()) {
    place[r.id] = scores.rules.size();
    scores.rules.push_back({r.id, r.severity});
  }
  int64_t line = 0;
  for (std::string_view row : split_text(without_bom(tsv), '\n')) {
    ++line;
    if (!row.empty() && row.back() == '\r') row.remove_suffix(1);
    if (row.empty() || row.front() == '#') continue;
    const std::vector<std::string_view> cells = split_text(row, '\t');
    if (cells.size() != 4)
      fail(Status::bad_file, "%s, line %jd: %zu columns, expected placement, field, rules and text", name.c_str(), line,
           cells.size());
    LintContext context;
    context.placement = &placements.find(cells[0]);
    context.field = &find_field(*context.placement, cells[1]);
    std::set<std::string, std::less<>> want, got;
    if (cells[2] != "-")
      for (const std::string_view rule : split_text(cells[2], ',')) {
        if (!place.contains(rule))
          fail(Status::bad_file, "%s, line %jd: there is no rule '%s'", name.c_str(), line, shown(rule).c_str());
        want.emplace(rule);
      }
    for (const Finding& f : rules.lint(cells[3], context))
      if (f.severity != Severity::note) got.insert(f.rule);
    ++scores.texts;
    scores.clean += want.empty();
    for (const auto& [rule, i] : place) {
      const bool w = want.count(rule) != 0, g = got.count(rule) != 0;
      RuleScore& all = scores.rules[i].severity == Severity::error ? scores.errors : scores.reviews;
      for (RuleScore* s : {&scores.rules[i], &all}) {
        s->labelled += w;
        s->found += g;
        s->right += w && g;
      }
      if (w != g)
        scores.mistakes.push_back("line " + std::to_string(line) + ": " + rule + (w ? " not found: " : " found: ") +
                                  std::string(cells[3]));
    }
  }
  if (scores.texts == 0)
    fail(Status::bad_file, "%s: there is no text in it, expected lines of placement, field, rules and text, with tabs",
         name.c_str());
  scores.errors.rule = "all errors";
  scores.errors.severity = Severity::error;
  scores.reviews.rule = "all reviews";
  scores.reviews.severity = Severity::review;
  std::erase_if(scores.rules, [](const RuleScore& r) { return r.labelled == 0 && r.found == 0; });
  return scores;
}

}  // namespace puna::ads
