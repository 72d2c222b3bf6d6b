// file_tensors.h -- the tensors a file claims to hold: sizes computed, ranges checked together, then given their bytes.
// Shared by every format, so that every check is written once.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "io/progress_meter.h"
#include "puna/io/checkpoint.h"

namespace puna::io {

// Far above what models have (128 experts in 60 layers: 24,000). A description takes several times its bytes in the
// file.
inline constexpr size_t kMostTensors = 1 << 18;

// A tensor as a header describes it: entry.data stays NULL until attach().
struct FileTensor {
  TensorEntry entry;
  uint64_t offset = 0;          // from the start of the file's data section
  std::string unreadable = {};  // why not; only name, place and bytes are known then. "" = it can be read
};

// Makes entry with shape and bytes from dims, outermost first: 0 to 4 of them, each from 1 to 2^63-1, rows of whole
// blocks, nothing that overflows. `status` is bad_file when reading and invalid_argument when writing.
TensorEntry make_entry(const std::string& file, std::string name, DType dtype, std::span<const uint64_t> dims,
                       Status status = Status::bad_file);

enum class Holes { allowed, forbidden };
// Names are unique and ranges lie inside the `data_bytes` of the data section without overlap (and cover it, if holes
// are forbidden).
void check_layout(const std::string& file, const std::vector<FileTensor>& tensors, uint64_t data_bytes, Holes holes);

// Points every tensor at its bytes and adds it to the checkpoint: in place when the source is in memory and the address
// suits the type, else in a buffer of the context, read in pieces with progress.
void attach(const Context& context, const SourcePtr& source, uint64_t data_offset, std::vector<FileTensor> tensors,
            ProgressMeter& meter, TensorMap& map, std::vector<std::shared_ptr<const void>>& keepalive);

}  // namespace puna::io
