// labelled.h -- how well the rules do on texts of which somebody has said what is to be found in them.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "puna/ads/lint.h"

namespace puna::ads {

struct RuleScore {
  std::string rule;
  Severity severity = Severity::note;
  int64_t labelled = 0, found = 0, right = 0;  // texts
  double precision() const { return found ? double(right) / double(found) : 1; }
  double recall() const { return labelled ? double(right) / double(labelled) : 1; }
};

struct LabelledScores {
  int64_t texts = 0, clean = 0;
  std::vector<RuleScore> rules;       // that are labelled or found anywhere, in the rules' order; notes are left out
  RuleScore errors, reviews;          // of all rules of that severity together
  std::vector<std::string> mistakes;  // "line 7: google/capitals not found: ..."
};

// A line a text: placement, field, rules between commas or "-", text, with tabs between them; # begins a comment.
// Error{bad_file} naming the line.
LabelledScores score_labelled(std::string_view tsv, const std::string& name, const LintRules& rules,
                              const Placements& placements);

}  // namespace puna::ads
