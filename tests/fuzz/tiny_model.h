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

// With byte_tokenizer's vocabulary.
inline ModelPtr tiny_model() {
  Llama llama = new_llama(*tiny_context(), config_from_huggingface(tiny_config()), 1);
  llama.config.rope_style = RopeStyle::interleaved;
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
