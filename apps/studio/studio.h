// studio.h -- an advertiser's desk, as JSON: a brief goes in, variants come out, every edit is linted, every text is
// approved or rejected by a person, a week is simulated. No HTTP here; api.h has the addresses. Any thread.
//
//   state   -> {"brief", "plan", "can_write", "writing": {"done", "total"} or null, "placements", "decisions", "keeps"}
//   lint    {"brief": {...}, "texts": [{"placement", "field", "text"}]} -> {"texts": [{"length", "limit", "accepted",
//           "shown", "errors", "findings": [{"begin", "end", "severity", "rule", "reason"}]}]}; begin, end and shown
//           (how much the placement shows) are UTF-16 units, as a page counts
//   plan    {"brief": {...}} -> {"plan"}: writes it, which may take minutes; {"stop": true} stops that
//   decide  {"variant", "field", "place", "text", "verdict": "approved" or "rejected", "request"} -> {"kept": true}
//           once it is on the disk, as a label of the project "ads"
//   week    {"brief": {...}, "seed"} -> seven simulated days: spend, clicks, which variant was shown
#pragma once
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "http/answer.h"
#include "puna/ads/brief.h"
#include "puna/ads/lint.h"
#include "puna/ads/placements.h"
#include "puna/base/watch.h"
#include "puna/label/store.h"

namespace puna::studio {

using http::Refused;

struct StudioOptions {
  std::string brief, plan;  // JSON to begin with, or ""
  std::shared_ptr<const ads::LintRules> rules;
  ads::Placements placements;
  // Writes the plan of a brief: JSON. None: this studio shows plans and writes none.
  std::function<std::string(std::string_view brief, const Watch& watch,
                            const std::function<void(int64_t done, int64_t total)>& progress)>
      write;
  label::LabelStore* store = nullptr;  // NULL: what people decide is not kept
};

class Studio {
 public:
  // Error{invalid_argument}: a brief or a plan that is none.
  explicit Studio(StudioOptions options);

  std::string state();
  std::string lint(std::string_view json) const;
  std::string plan(std::string_view json);
  std::string decide(std::string_view json, const std::string& person, int64_t now);
  std::string week(std::string_view json) const;

 private:
  const StudioOptions o_;
  std::mutex mutex_;  // of plan_ and brief_
  std::string brief_, plan_;
  std::atomic<bool> writing_{false}, stop_{false};
  std::atomic<int64_t> done_{0}, total_{0};
};

// Seven days of the brief's budget on simulated auctions and readers, as JSON (week.cpp). variants: how many are shown.
std::string simulated_week(const ads::Brief& brief, int32_t variants, uint64_t seed);

}  // namespace puna::studio
