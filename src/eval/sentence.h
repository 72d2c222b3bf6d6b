// sentence.h -- one difference in one sentence.
#pragma once
#include "puna/eval/compare.h"

namespace puna::eval {

std::string sentence_of(const Difference& d, const CompareOptions& options);

}  // namespace puna::eval
