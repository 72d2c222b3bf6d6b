#include "recsys/names_tensor.h"

#include "puna/base/error.h"

namespace puna::recsys {

void add_names(std::vector<OutputTensor>& tensors, std::string tensor, const Names& names) {
  if (!names.empty())
    tensors.push_back({std::move(tensor), DType::u8, {int64_t(names.bytes().size())}, names.bytes().data(), {}});
}

Names names_in(const TensorEntry& t, int64_t most, const std::string& path) {
  const std::string where = path + ": tensor '" + t.name + "'";
  if (t.dtype != DType::u8 || t.shape.rank != 1 || t.shape[0] == 0)
    fail(Status::bad_file, "%s is no U8 [bytes]", where.c_str());
  return Names::of_bytes({reinterpret_cast<const char*>(t.data), size_t(t.bytes)}, most, where);
}

}  // namespace puna::recsys
