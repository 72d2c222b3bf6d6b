// plan_json.h -- a plan as it is kept: the texts with their records, the budget's split, and all that it takes to write
// it again.
#pragma once
#include <string>

#include "puna/ads/plan.h"

namespace puna::ads {

// options with placements and rules.
std::string plan_json(const Plan& plan, const std::string& brief_json, const Brief& brief, const Model& model,
                      const PlanOptions& options);

}  // namespace puna::ads
