// training_data.h -- the files behind --data and --held-out: read, unpacked where they are gzip, with warnings about
// unused fields.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "common.h"
#include "puna/train/data.h"
#include "puna/train/trainer.h"

namespace puna::cli {

// A file's bytes: mapped where it is a file, read where it is a pipe or "-" (standard input), unpacked where they are
// gzip and this build has zlib.
class DataFile {
 public:
  explicit DataFile(const std::string& path);
  std::string_view bytes() const noexcept { return bytes_; }

 private:
  SourcePtr mapped_;
  std::string text_;
  std::string_view bytes_;
};

train::TextCodec codec_of(const ModelPtr& model);

// What is measured now and then and never learned: sequences, or pairs.
struct HeldOut {
  std::vector<train::Sequence> sequences;
  std::vector<train::Preference> pairs;
  std::vector<train::PairLogProbs> reference;
  bool empty() const noexcept { return sequences.empty() && pairs.empty(); }
};

// `what` ("data", "held out") is said with the counts on standard error; NULL: nothing is. Error{bad_file} where files
// have nothing that can be used.
std::vector<train::Sequence> read_sequences(const std::vector<std::string>& files, const ModelPtr& model,
                                            const train::DataOptions& options, const char* what);
std::vector<train::Preference> read_pairs(const std::vector<std::string>& files, const ModelPtr& model,
                                          const train::DataOptions& options, const char* what);

}  // namespace puna::cli
