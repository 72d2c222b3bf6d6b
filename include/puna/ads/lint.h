// lint.h -- what an advertising platform, or a reader, will object to in a text, with the place and the reason. The
// rules are data (src/ads/creative/rules.inc): patterns of words, or one of the functions named there. Advice, not
// legal clearance. A text of an advertisement takes less than a millisecond.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "puna/ads/fact_lock.h"
#include "puna/ads/placements.h"

namespace puna::ads {

// error: the platform refuses it, or the text says what it may not. review: somebody has to look. note: worth knowing.
enum class Severity : uint8_t { note, review, error };
const char* name_of(Severity severity) noexcept;

struct Finding {
  std::string rule;  // google/capitals
  Severity severity = Severity::note;
  size_t begin = 0, end = 0;  // bytes of the text
  std::string reason;
};

struct LintContext {
  const Placement* placement = nullptr;   // its platform's rules and limits; NULL = the rules of all platforms
  const PlacementField* field = nullptr;  // NULL: a text of no particular kind, without a limit
  const FactLock* facts = nullptr;        // NULL: claims are not checked
  std::string_view language = "en";       // a tag such as en or pt-BR
  std::span<const std::string> banned, competitors;  // terms
  std::span<const std::string> names;                // of the business: written as it writes them
};

struct RuleInfo {
  std::string id, platform, reason, source, date;  // platform "": all
  Severity severity = Severity::note;
};

class LintRules {
 public:
  // Error{bad_file} that names the rule. `name`: what errors call the text.
  static std::shared_ptr<const LintRules> read(std::string_view json, const std::string& name);
  static std::shared_ptr<const LintRules> known();  // ours
  ~LintRules();

  // By place, then by rule. Error{invalid_argument}: the context's language is none.
  std::vector<Finding> lint(std::string_view text, const LintContext& context) const;
  std::vector<RuleInfo> rules() const;
  const std::string& date() const noexcept;
  uint64_t hash() const noexcept;  // of the text they were read from

 private:
  LintRules();
  struct State;
  std::unique_ptr<State> state_;
};

bool has_errors(std::span<const Finding> findings) noexcept;

}  // namespace puna::ads
