// save.h -- a model to a GGUF file that gives the same logits, whatever it was loaded from.
// Llama 4's attention pattern goes into explicit puna.* keys (GGUF has none of its own; see config.h). Tokenizer and
// other metadata are carried over from a GGUF source; Hugging Face tokenizers stay in their folder. general.file_type
// says of which type most matrices are, in llama.cpp's numbers.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "puna/runtime/model.h"

namespace puna {

// Matrices whose rows the blocks of the wanted type do not fit, and what they became.
struct ReplacedType {
  DType wanted;
  DType got;
  int64_t row = 0;       // values in a row; the first of several lengths
  int64_t matrices = 0;  // that got another type
  int64_t all = 0;       // matrices of the model
};

struct SaveOptions {
  // Any weight type for all matrices but routers; none = as they are. Rows that blocks of 256 do not fit get the next
  // larger type of blocks of 32.
  std::optional<DType> matrices;
  uint64_t tensors_per_file = 0;  // 0 = one file, else split
  // How much the columns of each matrix matter, as measure_importance gives it for this model; NULL, or no entry: all
  // the same.
  std::shared_ptr<const std::unordered_map<const std::byte*, std::vector<float>>> importance = nullptr;
  std::vector<ReplacedType>* replaced = nullptr;  // filled in
  // Called as rows are written, with how many of how many; false stops with Error{cancelled}, and nothing is replaced.
  LoadProgress progress = {};
};

// Returns the paths written. The old file stays until the new one is complete. Error{unsupported} when a row does not
// fit the type's blocks, or a type cannot be written.
std::vector<std::string> save_gguf(const Model& model, const std::string& path, const SaveOptions& options = {});

}  // namespace puna
