// hf_config.h -- the JSON files of a Hugging Face folder: configurations flattened into Metadata, the index of shards
// checked. Texts go in, so that tests and fuzzers need no folder; `file` is for messages.
#pragma once
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "puna/base/watch.h"
#include "puna/tensor/metadata.h"

namespace puna::io {

inline constexpr uint64_t kMaxConfigBytes = 4 << 20;
inline constexpr uint64_t kMaxIndexBytes = 32 << 20;

// {"a": {"b": 1}} sets prefix + "a.b". Arrays of integers, of booleans (as 0 and 1), of numbers or of strings become
// lists; of other arrays, and of objects, the metadata knows that they are there (set_other), so that no getter takes
// them for a missing key. Error{bad_file} when two keys become the same.
void flatten_config(std::string_view json, const std::string& file, const std::string& prefix, Metadata& metadata,
                    const Watch& watch = Watch());

struct ShardIndex {
  std::map<std::string, std::vector<std::string>> tensors_of;  // shard file name -> tensor names, both ascending
  uint64_t total_size = 0;                                     // bytes of all tensors by the index; 0 = not given
};

// model.safetensors.index.json. Shard names are plain file names: nothing outside the folder is ever opened.
ShardIndex parse_shard_index(std::string_view json, const std::string& file, const Watch& watch = Watch());

}  // namespace puna::io
