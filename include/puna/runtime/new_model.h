// new_model.h -- a model to be trained from nothing: a configuration, a tokenizer, random weights.
#pragma once
#include <string>

#include "puna/runtime/model.h"

namespace puna {

// config_path: a Hugging Face config.json (LlamaForCausalLM, Llama4ForCausalLM). tokenizer: "tokenizer.*" keys of a
// GGUF file (train_bpe's, or another model's). A vocab_size of 0 or less than the tokenizer's is an error.
ModelPtr new_model(const ContextPtr& context, const std::string& config_path, const Metadata& tokenizer, uint64_t seed);

}  // namespace puna
