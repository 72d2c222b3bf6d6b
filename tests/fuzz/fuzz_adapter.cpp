// fuzz_adapter.cpp -- any bytes as PEFT's two files, adapter_config.json up to the first zero byte and
// adapter_model.safetensors behind it, for a Llama 4 of two layers: a puna::Error, or an adapter whose own two files
// are read again.
#include <cstring>

#include "io/hf_config.h"
#include "model/named_tensors.h"
#include "puna/base/error.h"
#include "puna/io/safetensors.h"
#include "puna/model/adapter.h"
#include "puna/model/new_llama.h"
#include "puna/runtime/model.h"
#include "target.h"

namespace {

constexpr char kConfig[] =
    R"({"model_type": "llama4_text", "architectures": ["Llama4ForCausalLM"], "hidden_size": 32, "intermediate_size": 16,
  "intermediate_size_mlp": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 16, "vocab_size": 40,
  "max_position_embeddings": 64, "num_local_experts": 2, "num_experts_per_tok": 1, "interleave_moe_layer_step": 2, "attention_chunk_size": 32,
  "rms_norm_eps": 1e-5, "rope_theta": 10000.0})";

struct Base {
  puna::ContextPtr context;
  puna::Llama model;
};

const Base& base() {
  static const Base made = [] {
    puna::ContextOptions options;
    options.threads = 1;
    options.memory_limit = 64 << 20;
    const puna::ContextPtr context = puna::make_context(options);
    puna::Metadata config;
    puna::io::flatten_config(kConfig, "config.json", "", config);
    return Base{context, puna::new_llama(*context, puna::config_from_huggingface(config), 1)};
  }();
  return made;
}

// The tensors as a file would hold them: what from_peft() takes.
void reread(const puna::Adapter& adapter) {
  std::vector<std::vector<float>> values;
  puna::TensorMap tensors;
  for (const puna::NamedTensor& t : adapter.tensors()) {
    values.emplace_back(size_t(t.shape.count()));
    puna::copy_out(values.back().data(), t, [](const void* w) { return static_cast<const float*>(w); });
    tensors.add({t.name, puna::DType::f32, t.shape, reinterpret_cast<const std::byte*>(values.back().data()),
                 values.back().size() * sizeof(float)});
  }
  const auto again = puna::Adapter::from_peft(*base().context, base().model, adapter.peft_config(), tensors);
  if (again->peft_config() != adapter.peft_config() || again->tensors().size() != adapter.tensors().size())
    __builtin_trap();
}

}  // namespace

FUZZ_TARGET(adapter) {
  const auto* const zero = static_cast<const uint8_t*>(size ? memchr(data, 0, size) : nullptr);
  if (!zero || zero + 1 == data + size) return 0;
  const std::string_view config(reinterpret_cast<const char*>(data), size_t(zero - data));
  std::shared_ptr<puna::Adapter> adapter;
  try {
    const auto file = puna::read_safetensors(
        *base().context, puna::open_memory_source(zero + 1, size_t(data + size - zero - 1), "fuzz"));
    adapter = puna::Adapter::from_peft(*base().context, base().model, config, file.tensors);
  } catch (const puna::Error&) {
    return 0;
  }
  puna::test::accepted = true;
  reread(*adapter);
  return 0;
}
