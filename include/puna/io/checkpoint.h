// checkpoint.h -- what every loader returns: metadata, tensors, and whatever keeps their bytes alive.
// A load is transactional: it returns a complete, validated Checkpoint or throws and leaves nothing behind.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "puna/base/context.h"
#include "puna/base/function_ref.h"
#include "puna/base/watch.h"
#include "puna/tensor/metadata.h"
#include "puna/tensor/tensor.h"

namespace puna {

// Where a file's bytes come from. `name` appears in errors.
class Source {
 public:
  virtual ~Source() = default;
  virtual const std::string& name() const noexcept = 0;
  virtual uint64_t size() const noexcept = 0;
  // The bytes themselves when they are in memory (mapping, block), else NULL.
  virtual const std::byte* data() const noexcept = 0;
  // Copies [offset, offset+bytes) to dst. The range has been checked against size(). Error{io} on failure.
  virtual void read(uint64_t offset, uint64_t bytes, void* dst) const = 0;
};

using SourcePtr = std::shared_ptr<const Source>;

// The host's reader (pak files, archives, object stores): 0 = all bytes delivered. May be called from the loading
// thread only.
struct ReadAt {
  void* user = nullptr;
  uint64_t size = 0;
  int32_t (*read_at)(void* user, uint64_t offset, uint64_t bytes, void* dst) = nullptr;
};

SourcePtr open_path_source(const std::string& path);                               // mmap
SourcePtr open_memory_source(const void* data, uint64_t bytes, std::string name);  // borrowed
SourcePtr open_read_at_source(const ReadAt& reader, std::string name);

struct Checkpoint {
  enum class Format { gguf, huggingface };
  Format format = Format::gguf;
  Metadata
      // GGUF keys but split.*; or config.json flattened with dots, generation_config.json under "generation."
      metadata;
  TensorMap tensors;
  uint64_t file_bytes = 0;
  std::vector<std::string> files;  // that hold the tensors, as their sources are named (paths, when opened by path)
  std::string folder;              // Hugging Face: where tokenizer.json and chat_template.jinja are; "" otherwise
  std::vector<std::shared_ptr<const void>> keepalive;  // mappings and loaded buffers
};

// done/total bytes; returning false cancels: Error{cancelled}, nothing left behind.
using LoadProgress = FunctionRef<bool(uint64_t done, uint64_t total)>;

// A GGUF file (further split files are found beside it) or a Hugging Face folder, recognised by content. `watch` is
// called while headers are parsed, before there is progress to report.
Checkpoint load_checkpoint(const Context& context, const std::string& path, LoadProgress progress = {},
                           const Watch& watch = Watch());
// One complete GGUF (not split) from memory or a reader.
Checkpoint load_checkpoint(const Context& context, const SourcePtr& source, LoadProgress progress = {},
                           const Watch& watch = Watch());

}  // namespace puna
