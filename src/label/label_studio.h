// label_studio.h -- Label Studio's JSON: what a result says, and what a label is as a result.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "puna/base/watch.h"
#include "puna/label/store.h"

namespace puna::label {

// The type of labels that a result of this type becomes: choices, textarea, rating, pairwise, labels.
std::optional<Type> type_of_result(std::string_view result_type);
// The value of an annotation's "result" for labels of this type, as JSON; "" when it has none. Results of other types
// are kept with the annotation and read by nobody.
std::string value_of_results(std::string_view results, Type type, const Watch& watch);
// A label without a source as "result".
std::string results_of(std::string_view value, Type type);

}  // namespace puna::label
