// verifier.h -- a model's arithmetic, block by block, against reference numbers: which is the first block that differs?
#pragma once
#include <string>

#include "puna/base/function_ref.h"
#include "puna/runtime/model.h"

namespace puna::cli {

// False when something differs. `print` gets a line a block, and one that names the first that differs.
// Error{bad_file} for a damaged or hostile folder.
bool verify(const ModelPtr& model, const std::string& folder, FunctionRef<void(const std::string& line)> print);

}  // namespace puna::cli
