// safetensors.h -- one safetensors file, read and written: adapters, training checkpoints. (Whole models:
// load_checkpoint.) Accepted files have a header of at most 100 MB, unique names, and tensors that cover the data
// without overlap or holes.
#pragma once
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "puna/io/checkpoint.h"
#include "puna/io/output_tensor.h"

namespace puna {

struct SafetensorsFile {
  std::map<std::string, std::string> metadata;  // "__metadata__"
  TensorMap tensors;
  std::vector<std::shared_ptr<const void>> keepalive;  // mappings and loaded buffers
};

SafetensorsFile read_safetensors(const Context& context, const SourcePtr& source, LoadProgress progress = {});

// Replaces `path` in one step when all bytes are written.
void write_safetensors(const std::string& path, const std::map<std::string, std::string>& metadata,
                       std::span<const OutputTensor> tensors);

}  // namespace puna
