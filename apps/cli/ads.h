// ads.h -- the verbs behind `puna ads`, a file each, and what they share.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "ads/text_file.h"
#include "base/os.h"
#include "command_line.h"
#include "puna/ads/lint.h"
#include "puna/ads/money.h"

namespace puna::cli {

void add_ads_feedback(const Verb& ads);  // with SQLite and the statistics of evaluation
void add_ads_lint(const Verb& ads);
void add_ads_ope(const Verb& ads);
void add_ads_plan(const Verb& ads);
void add_ads_report(const Verb& ads);
void add_ads_serve(const Verb& ads);  // as add_ads_feedback
void add_ads_simulate(const Verb& ads);

// A text file for as long as this lives: mapped, or, of a pipe or "-", read.
class TextInput {
 public:
  explicit TextInput(const std::string& path);
  const ads::TextFile& file() const { return file_; }
  // Its first bytes will not be read again soon.
  void drop(size_t bytes);

 private:
  std::unique_ptr<os::MappedFile> mapped_;
  std::string read_;
  ads::TextFile file_;
  size_t dropped_ = 0;
};

// Of a file, or ours where the path is "".
std::shared_ptr<const ads::LintRules> ads_rules(const std::string& path);
ads::Placements ads_placements(const std::string& path);

// "0,1,2" or "0-7": numbers of an option. Error{invalid_argument} naming it.
std::vector<uint64_t> parse_seeds(const std::string& list, const char* option);
// "99.95": money above 0, exact, up to six digits behind the point. Error{invalid_argument} naming the option.
ads::Micros parse_money(const std::string& text, const char* option);

}  // namespace puna::cli
