// extra_tensors.h -- tensors that one or two families have and all others have not: each once, with its place in the
// weights, its shape and its names in both kinds of files. Readers, writers, training and fingerprints walk this list.
#pragma once
#include <string>
#include <vector>

#include "puna/model/llama.h"

namespace puna {

struct ExtraTensor {
  std::string huggingface, gguf;  // full names
  int64_t rows, cols;             // a vector has `cols` values
  Weight* matrix = nullptr;       // one of the two
  const float** vector = nullptr;
  int64_t index = 0, count = 0;  // in GGUF it is matrix `index` of a stack of `count`; 0: by itself
  int64_t gguf_rows = 0;         // in GGUF filled up with zeros to so many rows; 0: it has no more
  bool is_table = false;         // rows are looked up, nothing is multiplied: no adapter
  bool is_buffer = false;        // belongs to the checkpoint and is not trained
  bool is_fine = false;          // kept as it is when a model is quantised, as llama.cpp does
};

// Of the stream, and of one layer. `model` and `block`: what Hugging Face's names begin with ("model.",
// "model.layers.3."). The pointers lead into the weights, whose lists of matrices get the length that the model has.
std::vector<ExtraTensor> extra_tensors(const LlamaConfig& config, LlamaWeights& weights, const std::string& model);
std::vector<ExtraTensor> extra_tensors(const LlamaConfig& config, LlamaLayer& layer, int64_t index,
                                       const std::string& block);

}  // namespace puna
