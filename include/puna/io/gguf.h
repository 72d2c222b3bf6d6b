// gguf.h -- writes GGUF version 3. Reading is load_checkpoint(), whose result is what was written.
// A file appears under its name only when it is complete: a failed or cancelled write leaves the old one.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "puna/io/output_tensor.h"
#include "puna/tensor/metadata.h"

namespace puna {

struct GgufWriteOptions {
  // 0 = one file. Otherwise "dir/name.gguf" becomes "dir/name-00001-of-0000N.gguf" ..., so many tensors each; the
  // metadata is in the first.
  uint64_t tensors_per_file = 0;
};

// Returns the paths written; the first is the one to open.
// The file's types are the first that hold the value, or all elements of an array: u32 (arrays: i32 before it), i32,
// i64, u64 for integers; f32 when that is exact, else f64, for reals. The data is aligned to metadata
// "general.alignment" (default 32). Keys "split.no", "split.count" and "split.tensors.count" are the writer's own.
std::vector<std::string> write_gguf(const std::string& path, const Metadata& metadata,
                                    std::span<const OutputTensor> tensors, const GgufWriteOptions& options = {});

}  // namespace puna
