// gguf_header.h -- everything of a GGUF file before the tensors' bytes: parsed, checked, nothing of the data touched.
#pragma once
#include <vector>

#include "io/file_tensors.h"

namespace puna::io {

struct GgufHeader {
  Metadata metadata, split;  // split: the keys of gguf::is_split_key
  std::vector<FileTensor> tensors;
  uint64_t data_offset = 0;
};

// Error{bad_file} or {unsupported} naming the file and the field.
GgufHeader read_gguf_header(const Source& source, const Watch& watch = Watch());

}  // namespace puna::io
