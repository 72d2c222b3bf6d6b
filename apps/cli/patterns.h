// patterns.h -- regular expressions of tasks, by PCRE2: close to Python's re, with limits on time and memory.
#pragma once
#include <memory>

#include "puna/eval/evaluation.h"

namespace puna::cli {

// NULL where this build has no PCRE2.
std::unique_ptr<eval::TextPatterns> make_patterns();

}  // namespace puna::cli
