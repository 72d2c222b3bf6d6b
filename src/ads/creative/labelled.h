// labelled.h -- how well the rules do on texts of which somebody has said what is to be found in them.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "puna/ads/lint.h"

namespace puna::ads {

struct RuleScore {
  std::string rule;
  Severity severity = Severity::note;
  int64_t labelled = 0, found = 0, right = 0;  // texts
  // Nothing where nothing was found, or nothing was to be found: there is no share of none.
  std::optional<double> precision() const { return share(right, found); }
  std::optional<double> recall() const { return share(right, labelled); }

 private:
  static std::optional<double> share(int64_t part, int64_t all) {
    return all > 0 ? std::optional(double(part) / double(all)) : std::nullopt;
  }
};

struct LabelledScores {
  int64_t texts = 0, clean = 0;
  std::vector<RuleScore> rules;       // that are labelled or found anywhere, in the rules' order; notes are left out
  RuleScore errors, reviews;          // of all rules of that severity together
  std::vector<std::string> mistakes;  // "line 7: google/capitals not found: ..."
};

// A line a text: placement, field, rules between commas or "-", text, with tabs between them; # begins a comment.
// Error{bad_file} naming the line, or that there is no text.
LabelledScores score_labelled(std::string_view tsv, const std::string& name, const LintRules& rules,
                              const Placements& placements);

}  // namespace puna::ads
