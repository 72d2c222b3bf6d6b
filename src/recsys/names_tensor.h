// names_tensor.h -- names as a tensor of a file: U8, a NUL behind each.
#pragma once
#include "puna/io/output_tensor.h"
#include "puna/recsys/names.h"

namespace puna::recsys {

// Nothing where there are no names. Borrowed. Behind all other tensors: those stay aligned.
void add_names(std::vector<OutputTensor>& tensors, std::string tensor, const Names& names);
// Up to `most`. Error{bad_file} naming the tensor and the name.
Names names_in(const TensorEntry& tensor, int64_t most, const std::string& path);

}  // namespace puna::recsys
