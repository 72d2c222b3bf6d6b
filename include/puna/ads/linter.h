// linter.h -- lint with all that texts are held to in one object: rules, placements, and a brief with its facts, banned
// terms, competitors and names. Immutable, for any thread.
#pragma once
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "puna/ads/brief.h"
#include "puna/ads/lint.h"

namespace puna::ads {

struct LinterOptions {
  std::shared_ptr<const LintRules> rules;  // NULL = ours
  std::optional<Placements> placements;    // none: ours
  std::string brief;                       // JSON; "" = none: claims are not checked
  std::string brief_name = "the brief";    // what errors call it
  std::string language;                    // of the texts; "" = the brief's, or en
};

class Linter {
 public:
  // Error{invalid_argument}: a brief that cannot be met, no language.
  explicit Linter(LinterOptions options);
  Linter(const Linter&) = delete;
  Linter& operator=(const Linter&) = delete;

  // placement "": the rules of all platforms; field "": a text of no particular kind, without a limit.
  // Error{invalid_argument} with the nearest name, or for a field without a placement. It borrows from this object.
  LintContext context(std::string_view placement = {}, std::string_view field = {}) const;
  std::vector<Finding> lint(std::string_view text, std::string_view placement = {}, std::string_view field = {}) const {
    return rules_->lint(text, context(placement, field));
  }
  const LintRules& rules() const noexcept { return *rules_; }
  const Placements& placements() const noexcept { return placements_; }

 private:
  const std::shared_ptr<const LintRules> rules_;
  const Placements placements_;
  Brief brief_;
  std::vector<std::string> names_;
  std::unique_ptr<FactLock> lock_;
  std::string language_ = "en";
};

// One thing that was found in a text, as JSON: {"rule", "severity", "begin", "end", "text", "reason"}. begin and end
// are bytes of the text, "text" is what stands between them.
std::string finding_json(const Finding& finding, std::string_view text);
// What was found in a text, as JSON: {"text", "graphemes", "columns", "utf16", "errors", "findings": [...]},
// and by the context "length" and "limit". Error{invalid_argument}: the text is no UTF-8.
std::string lint_json(std::string_view text, std::span<const Finding> findings, const LintContext& context);

}  // namespace puna::ads
