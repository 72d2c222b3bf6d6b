// fuzz_ads_plan.cpp -- a plan that is to be written again: an Error, or a brief that reads, or is refused with its
// field.
#include "expect_error.h"
#include "puna/ads/plan.h"
#include "scratch_folder.h"
#include "target.h"

FUZZ_TARGET(ads_plan) {
  using namespace puna;
  test::expect_error_only([&] {
    const ads::PlanOrigin origin = ads::plan_origin(test::text_of(data, size), "plan.json");
    test::require(!origin.brief.empty() && origin.brief[0] == '{');
    ads::read_brief(origin.brief, "plan.json: brief", ads::known_placements());
  });
  return 0;
}
