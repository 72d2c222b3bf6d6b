// ads_handles.h -- what is behind the opaque pointers of puna_ads.h.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "guard.h"
#include "puna/ads/choice.h"
#include "puna/ads/clearing_price.h"
#include "puna/ads/ledger.h"
#include "puna/ads/linter.h"
#include "puna/ads/ope.h"
#include "puna/ads/pacing.h"
#include "puna/ads/reward_book.h"
#include "puna/ads/spend_plan.h"
#include "puna_ads.h"
#include "translate.h"

struct puna_ledger {
  puna::ads::Ledger impl;
};

struct puna_spend_plan {
  std::shared_ptr<const puna::ads::SpendPlan> impl;
};

struct puna_pacer {
  std::shared_ptr<const puna::ads::SpendPlan> plan;  // of impl
  puna::ads::Pacer impl;
};

struct puna_clearing_prices {
  puna::ads::ClearingPrices impl;
  int32_t hours;
};

struct puna_chooser {
  puna::ads::Chooser impl;
};

struct puna_reward_book {
  puna::ads::RewardBook impl;
  std::vector<puna_shown_and_clicked> outcomes;  // collected last
};

struct puna_off_policy {
  puna::ads::OffPolicy impl;
  // Of the last report.
  puna::ads::OpeReport report;
  std::vector<puna_estimate> estimates;
  std::vector<const char*> refusals, warnings;
};

struct puna_lint {
  puna::ads::Linter impl;
};

namespace puna::capi {

// The object behind a handle; `name` is the argument's. (They hold no threads and go on working after fork().)
template <class Handle>
auto& ads_handle(Handle* handle, const char* name) {
  PUNA_REQUIRE(handle != nullptr, "%s is NULL", name);
  return handle->impl;
}

template <class T>
T& ads_output(T* out, const char* name) {
  PUNA_REQUIRE(out != nullptr, "%s is NULL", name);
  return *out;
}

// An array of the caller's with room for `count` values.
template <class T>
std::span<T> ads_array(T* out, size_t capacity, size_t count, const char* name) {
  PUNA_REQUIRE(out != nullptr, "%s is NULL", name);
  PUNA_REQUIRE(count <= capacity, "%s has room for %zu values, %zu are needed", name, capacity, count);
  return {out, count};
}

inline ads::Micros amount_in(int64_t amount, const char* name) { return in_range(amount, 0, ads::kMostMicros, name); }

}  // namespace puna::capi
