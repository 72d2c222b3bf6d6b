// fuzz_ads_log.cpp -- a log of choices (CSV) up to the first zero byte, and a policy behind it: an Error, or a report
// whose estimates are numbers unless it refuses.
#include <cmath>

#include "ads/ope_log.h"
#include "expect_error.h"
#include "scratch_folder.h"
#include "target.h"

FUZZ_TARGET(ads_log) {
  using namespace puna;
  using test::require;
  std::string_view parts[2];
  test::split_at_zeros(test::text_of(data, size), parts);
  const ads::TextFile log{.text = parts[0], .name = "log.csv"}, policy{.text = parts[1], .name = "policy.csv"};
  for (const bool uniform : {true, false})
    test::expect_error_only([&] {
      const ads::LogReport r = ads::evaluate_log(log, {}, uniform ? nullptr : &policy, {}, Watch());
      require(r.rows > 0 && r.contexts > 0 && r.actions > 0 && r.rewarded <= r.rows);
      require(r.ess <= double(r.rows) * (1 + 1e-9));
      if (!r.refusals.empty()) return;
      for (const ads::Estimate& e : r.estimates) require(std::isfinite(e.value) && e.standard_error >= 0);
    });
  return 0;
}
