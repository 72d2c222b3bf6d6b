// tiny_model.h -- for fuzz targets: a Llama 4 of two layers and 21 KB, with a mixture and attention chunks, and the
// memory its like may take.
#pragma once
#include "byte_tokenizer.h"
#include "io/hf_config.h"
#include "puna/base/context.h"
#include "puna/model/config.h"
#include "puna/model/new_llama.h"
#include "puna/runtime/model.h"
#include "puna/runtime/session.h"

namespace puna::test {

inline const ContextPtr& tiny_context() {
  static const ContextPtr context = [] {
    ContextOptions options;
    options.threads = 1;
    options.memory_limit = 48 << 20;
    return make_context(options);
  }();
  return context;
}

inline Metadata tiny_config() {
  Metadata config;
  io::flatten_config(
      R"({"model_type": "llama4_text", "architectures": ["Llama4ForCausalLM"], "hidden_size": 16, "intermediate_size": 16,
    "intermediate_size_mlp": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 8, "vocab_size": 272,
    "max_position_embeddings": 64, "num_local_experts": 2, "num_experts_per_tok": 1, "interleave_moe_layer_step": 2, "attention_chunk_size": 16,
    "rms_norm_eps": 1e-5, "rope_theta": 10000.0})",
      "config.json", "", config);
  return config;
}

// What other families have beside it: residual streams, shared keys, inputs of every layer, sizes by layer, experts
// beside a dense block.
inline Metadata tiny_gemma3n_config() {
  Metadata config;
  io::flatten_config(
      R"({"model_type": "gemma3n_text", "hidden_size": 16, "intermediate_size": [16, 16, 24], "num_hidden_layers": 3,
    "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 8, "vocab_size": 272, "max_position_embeddings": 64,
    "vocab_size_per_layer_input": 270, "hidden_size_per_layer_input": 4, "laurel_rank": 2, "altup_num_inputs": 2,
    "num_kv_shared_layers": 1, "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
    "sliding_window": 8, "activation_sparsity_pattern": [0.5, 0.0, 0.0]})",
      "config.json", "", config);
  return config;
}
inline Metadata tiny_gemma4_config() {
  Metadata config;
  io::flatten_config(
      R"({"model_type": "gemma4_text", "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 3,
    "num_attention_heads": 2, "num_key_value_heads": 2, "head_dim": 8, "global_head_dim": 16,
    "num_global_key_value_heads": 1, "attention_k_eq_v": true, "vocab_size": 272, "vocab_size_per_layer_input": 272,
    "max_position_embeddings": 64, "hidden_size_per_layer_input": 4, "num_kv_shared_layers": 1,
    "layer_types": ["sliding_attention", "full_attention", "full_attention"], "sliding_window": 8,
    "enable_moe_block": true, "num_experts": 2, "top_k_experts": 1, "moe_intermediate_size": 8})",
      "config.json", "", config);
  return config;
}

// With byte_tokenizer's vocabulary.
inline ModelPtr tiny_model(const Metadata& config = tiny_config()) {
  Llama llama = new_llama(*tiny_context(), config_from_huggingface(config), 1);
  if (llama.config.architecture == "llama4") llama.config.rope_style = RopeStyle::interleaved;
  Checkpoint checkpoint;
  checkpoint.format = Checkpoint::Format::gguf;
  checkpoint.metadata = gguf_metadata(llama.config);
  const Metadata tokenizer = byte_level("llama-bpe");
  for (const auto& [key, value] : tokenizer.values()) checkpoint.metadata.set(key, value);
  checkpoint.metadata.set(
      "tokenizer.chat_template",
      std::string("{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>{% endfor %}"));
  return Model::from_weights(tiny_context(), std::move(checkpoint), std::move(llama));
}

}  // namespace puna::test
