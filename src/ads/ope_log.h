// ope_log.h -- logs and policies in text files for off-policy evaluation: whatever names actions and contexts have
// there.
#pragma once
#include <functional>
#include <string>

#include "ads/text_file.h"
#include "puna/ads/ope.h"
#include "puna/base/watch.h"

namespace puna::ads {

// Columns by name; "": the one of the usual names that the log has; two of them are an error.
struct LogColumns {
  std::string action{};      // action, item_id, variant
  std::string reward{};      // reward, click, clicked
  std::string propensity{};  // propensity, propensity_score, pscore, p
  std::string context{};     // position, segment or context, or none; several between commas
};

// Of "uniform", or of a table with the columns action, probability and, where contexts differ, context (a context of
// several columns by their values between commas). `read` is told of the bytes that were read, of two passes, and may
// free them.
struct LogReport : OpeReport {
  std::string worst_action_name;
  std::string columns;  // which were read, and which were not
};
LogReport evaluate_log(const TextFile& log, const LogColumns& columns, const TextFile* policy,
                       const OpeOptions& options, const Watch& watch,
                       const std::function<void(size_t bytes)>& read = {});

}  // namespace puna::ads
