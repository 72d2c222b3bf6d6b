// leftovers.h -- what a file says and we do not compute. A key of that kind must be absent or have the value that
// changes nothing; a tensor beside those that were read must be known not to change the numbers. Everything else
// refuses the model, by name: dropped in silence, it would give wrong answers. What passes here unread is listed by
// `puna info` (runtime/not_used.h).
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "puna/base/function_ref.h"
#include "puna/tensor/metadata.h"
#include "puna/tensor/tensor.h"

namespace puna {

struct NeutralKey {
  const char* key;  // behind the prefix
  // numbers compare as numbers, to six digits; null and an empty list are neutral always
  std::vector<MetadataValue> neutral;
};

// Error{unsupported} naming the key and its value.
void require_neutral(const Metadata& metadata, const std::string& prefix, std::span<const NeutralKey> keys);

// Tensors that were not read: why(name) says in words what refuses the model, as the end of "tensor 'name' ..."; "" =
// it may lie there.
void judge_unread(const TensorMap& tensors, FunctionRef<std::string(std::string_view name)> why);

// N of "prefixN.rest"; -1 when `name` is nothing like it.
int64_t layer_of(std::string_view name, std::string_view prefix);

}  // namespace puna
