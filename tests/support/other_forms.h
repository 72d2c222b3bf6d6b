// other_forms.h -- a golden folder's checkpoint in other forms, made from its one file: shards with their index, and
// weights in bf16. So the sets need not hold the same numbers several times.
#pragma once
#include <cstring>
#include <deque>
#include <filesystem>
#include <fstream>

#include "puna/io/safetensors.h"
#include "support/catch.h"
#include "support/context.h"
#include "support/golden.h"

namespace puna::test {

inline void copy_texts(const std::string& from, const std::string& to) {
  std::filesystem::create_directories(to);
  for (const char* name : {"config.json", "generation_config.json"})
    if (std::filesystem::exists(from + "/" + name))
      std::filesystem::copy_file(from + "/" + name, to + "/" + name, std::filesystem::copy_options::overwrite_existing);
}

// Tensors dealt out in their order, `count` files of about as many each.
inline void write_shards(const std::string& from, const std::string& to, size_t count) {
  copy_texts(from, to);
  const ContextPtr context = test_context_without_kernels();
  const SafetensorsFile whole = read_safetensors(*context, open_path_source(from + "/model.safetensors"));
  std::vector<std::vector<OutputTensor>> shards(count);
  nlohmann::json index;
  const auto name_of = [&](size_t i) {
    char name[64];
    snprintf(name, sizeof name, "model-%05zu-of-%05zu.safetensors", i + 1, count);
    return std::string(name);
  };
  const auto& all = whole.tensors.entries();
  for (size_t i = 0; i < all.size(); ++i) {
    const size_t shard = i * count / all.size();
    shards[shard].push_back({all[i].name, all[i].dtype, all[i].shape, all[i].data, {}});
    index["weight_map"][all[i].name] = name_of(shard);
  }
  for (size_t i = 0; i < count; ++i) write_safetensors(to + "/" + name_of(i), {{"format", "pt"}}, shards[i]);
  std::ofstream(to + "/model.safetensors.index.json") << index.dump(1);
}

// f32 to the nearest bf16, ties to even: the upper half of the bits.
inline void write_bf16(const std::string& from, const std::string& to) {
  copy_texts(from, to);
  const ContextPtr context = test_context_without_kernels();
  const SafetensorsFile whole = read_safetensors(*context, open_path_source(from + "/model.safetensors"));
  std::deque<std::vector<uint16_t>> values;
  std::vector<OutputTensor> tensors;
  for (const TensorEntry& t : whole.tensors.entries()) {
    REQUIRE(t.dtype == DType::f32);
    std::vector<uint16_t>& half = values.emplace_back(size_t(t.shape.count()));
    for (size_t i = 0; i < half.size(); ++i) {
      uint32_t bits;
      memcpy(&bits, t.data + 4 * i, 4);
      half[i] = uint16_t((uint64_t(bits) + 0x7fff + (bits >> 16 & 1)) >> 16);
    }
    tensors.push_back({t.name, DType::bf16, t.shape, half.data(), {}});
  }
  write_safetensors(to + "/model.safetensors", {{"format", "pt"}}, tensors);
}

}  // namespace puna::test
