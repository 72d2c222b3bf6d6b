// fuzz_ads_rules.cpp -- rules of lint (JSON) up to the first zero byte, placements (JSON) up to the second, and a
// text: an Error, or findings that stand inside the text, in order.
#include "expect_error.h"
#include "puna/ads/lint.h"
#include "scratch_folder.h"
#include "target.h"

FUZZ_TARGET(ads_rules) {
  using namespace puna;
  std::string_view parts[3];
  test::split_at_zeros(test::text_of(data, size), parts);
  const auto check = [&](const ads::LintRules& rules, const ads::LintContext& context) {
    size_t last = 0;
    for (const ads::Finding& f : rules.lint(parts[2], context)) {
      test::require(f.begin < f.end && f.end <= parts[2].size() && f.begin >= last);
      last = f.begin;
    }
  };
  check(*ads::LintRules::known(), {});
  test::expect_error_only([&] {
    const auto rules = ads::LintRules::read(parts[0], "rules.json");
    const ads::Placements placements = ads::read_placements(parts[1], "placements.json");
    if (rules->rules().size() > 100) return;
    check(*rules, {});
    for (size_t i = 0; i < placements.list.size() && i < 4; ++i) {
      ads::LintContext context;
      context.placement = &placements.list[i];
      context.field = &placements.list[i].fields[0];
      check(*rules, context);
    }
  });
  return 0;
}
