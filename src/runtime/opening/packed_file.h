// packed_file.h -- a model's matrices as the kernels read them, in a file beside the model: the second start maps it
// instead of packing, and a model larger than memory runs from its pages. Metadata, norms and tokenizer still come from
// the model's own files, which remain the reference: the packed file stores their size, time and header, and is written
// again when they change.
//   header | one Entry a matrix | the matrices, each at a multiple of 4 KB, in the order in which the loader asks for
//   them
// Little-endian. Validated like any file: where each matrix lies follows from the model's own header, and anything else
// is an error; what is inside a matrix can only make wrong numbers (every bit pattern is a weight), and those are found
// on request by their hashes.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "base/os.h"
#include "puna/io/checkpoint.h"
#include "puna/model/llama.h"
#include "runtime/opening/weight_block.h"

namespace puna {

class PackedFile final : public WeightStore {
 public:
  // Maps the file at `path`, made first when it is not there or belongs to other source files (of another time, size or
  // header): packed in bounded memory, flushed and renamed into place. Error{bad_file} when `path` is a file of another
  // kind, which is left alone, or corrupted; Error{io} when it cannot be written.
  static std::shared_ptr<PackedFile> open_or_make(const Context& context, const Checkpoint& source,
                                                  const std::string& path, LoadProgress progress, BuildLlama build);

  Place place(const Weight& w) override;  // Error{bad_file} unless the next entry is this matrix
  // After the model was built: Error{bad_file} when matrices are left over. `verify` reads every matrix and compares
  // hashes.
  void finish(const Context& context, bool verify) const;

  struct Entry {
    int32_t dtype;
    uint32_t reserved;
    int64_t rows, cols;
    uint64_t offset, hash;
  };
  struct Header {
    char magic[8];
    uint32_t version, matrices;
    uint64_t source, bytes, table_hash;
  };

 private:
  explicit PackedFile(const std::string& path) : path_(path), file_(path) {}
  Header header() const noexcept;
  Entry entry(uint64_t i) const noexcept;
  bool belongs_to(uint64_t source) const;  // Error{bad_file} when it is no packed file, or is corrupted
  void compare_hashes(const Context& context) const;
  static void make(const Context& context, const std::string& path, uint64_t source, LoadProgress progress,
                   BuildLlama build);

  std::string path_;
  os::MappedFile file_;
  uint64_t next_ = 0;
};

// Learns where every matrix will lie. Nothing is packed.
class PackedLayout final : public WeightStore {
 public:
  Place place(const Weight& w) override;
  uint64_t finish();  // the file's length; offsets count from the first matrix until then
  std::vector<PackedFile::Entry> entries;

 private:
  uint64_t data_bytes_ = 0;
  std::byte nowhere_[1] = {};
};

}  // namespace puna
