#include "model/family.h"

#include "puna/base/error.h"

namespace puna {
namespace {

constexpr Family kFamilies[] = {
    {.name = "llama",
     .types = {"llama", "mistral", "ministral", "smollm"},
     .classes = {"llama", "istral", "smollm"},
     .from_huggingface = family::llama_huggingface,
     .from_gguf = family::llama_gguf,
     .to_gguf = family::llama_to_gguf,
     .permuted = true,
     .scaling = false},
    {.name = "llama4",
     .types = {"llama4_text", "llama4"},
     .classes = {"llama4"},
     .from_huggingface = family::llama4_huggingface,
     .from_gguf = family::llama4_gguf,
     .to_gguf = family::llama4_to_gguf,
     .scaling = false,
     .theta = 500000,
     .mlp = "feed_forward."},
    {.name = "qwen2",
     .types = {"qwen2"},
     .classes = {"qwen2for"},
     .from_huggingface = family::qwen2_huggingface,
     .from_gguf = family::qwen2_gguf,
     .to_gguf = family::qwen2_to_gguf},
    {.name = "qwen3",
     .types = {"qwen3"},
     .classes = {"qwen3for"},
     .from_huggingface = family::qwen3_huggingface,
     .from_gguf = family::qwen3_gguf,
     .to_gguf = family::qwen3_to_gguf,
     .head_dim = 128},
    {.name = "qwen3moe",
     .types = {"qwen3_moe"},
     .classes = {"qwen3moe"},
     .from_huggingface = family::qwen3moe_huggingface,
     .from_gguf = family::qwen3moe_gguf,
     .to_gguf = family::qwen3moe_to_gguf,
     .router = "gate",
     .experts = ExpertLayout::one_by_one},
    {.name = "mistral3",
     .types = {"ministral3"},
     .classes = {"ministral3"},
     .from_huggingface = family::mistral3_huggingface,
     .from_gguf = family::mistral3_gguf,
     .to_gguf = family::mistral3_to_gguf,
     .permuted = true},
    {.name = "olmo2",
     .types = {"olmo2"},
     .classes = {"olmo2"},
     .from_huggingface = family::olmo2_huggingface,
     .from_gguf = family::olmo2_gguf,
     .to_gguf = family::olmo2_to_gguf,
     .eps = 1e-5},
    {.name = "granite",
     .types = {"granite"},
     .classes = {"granitefor"},
     .from_huggingface = family::granite_huggingface,
     .from_gguf = family::granite_gguf,
     .to_gguf = family::granite_to_gguf,
     .permuted = true},
    {.name = "smollm3",
     .types = {"smollm3"},
     .classes = {"smollm3"},
     .from_huggingface = family::smollm3_huggingface,
     .from_gguf = family::smollm3_gguf,
     .to_gguf = family::smollm3_to_gguf,
     .permuted = true,
     .theta = 2000000,
     .tied = true},
    {.name = "phi3",
     .types = {"phi3"},
     .classes = {"phi3for"},
     .from_huggingface = family::phi3_huggingface,
     .from_gguf = family::phi3_gguf,
     .to_gguf = family::phi3_to_gguf,
     .fused = true,
     .eps = 1e-5},
    {.name = "gemma2",
     .types = {"gemma2"},
     .classes = {"gemma2"},
     .from_huggingface = family::gemma2_huggingface,
     .from_gguf = family::gemma2_gguf,
     .to_gguf = family::gemma2_to_gguf,
     .one_more = true,
     .tied = true,
     .head_dim = 256},
    {.name = "gemma3",
     .types = {"gemma3_text", "gemma3"},
     .classes = {"gemma3for"},
     .from_huggingface = family::gemma3_huggingface,
     .from_gguf = family::gemma3_gguf,
     .to_gguf = family::gemma3_to_gguf,
     .one_more = true,
     .two_ropes = true,
     .theta = 1000000,
     .tied = true,
     .head_dim = 256},
    {.name = "gemma3n",
     .types = {"gemma3n_text", "gemma3n"},
     .classes = {"gemma3nfor"},
     .from_huggingface = family::gemma3n_huggingface,
     .from_gguf = family::gemma3n_gguf,
     .to_gguf = family::gemma3n_to_gguf,
     .two_ropes = true,
     .by_layer = true,
     .theta = 1000000,
     .tied = true,
     .head_dim = 256},
    {.name = "gemma4",
     .types = {"gemma4_text", "gemma4"},
     .classes = {"gemma4for"},
     .from_huggingface = family::gemma4_huggingface,
     .from_gguf = family::gemma4_gguf,
     .to_gguf = family::gemma4_to_gguf,
     .two_ropes = true,
     .by_layer = true,
     .theta = 1000000,
     .tied = true,
     .head_dim = 256,
     .router = "router.proj",
     .moe = "",
     .experts = ExpertLayout::stacked_rows},
    {.name = "gpt-oss",
     .types = {"gpt_oss"},
     .classes = {"gptoss"},
     .from_huggingface = family::gpt_oss_huggingface,
     .from_gguf = family::gpt_oss_gguf,
     .to_gguf = family::gpt_oss_to_gguf,
     .theta = 150000,
     .eps = 1e-5,
     .head_dim = 64,
     .gguf_ffn_norm = "post_attention_norm",
     .experts = ExpertLayout::interleaved},
};

}  // namespace

std::span<const Family> families() noexcept { return kFamilies; }

const Family* family_of_gguf(std::string_view architecture) noexcept {
  for (const Family& f : kFamilies)
    if (architecture == f.name) return &f;
  return nullptr;
}

const Family* family_of_type(std::string_view model_type) noexcept {
  for (const Family& f : kFamilies)
    for (const char* type : f.types)
      if (type && model_type == type) return &f;
  return nullptr;
}

const Family& family_of(const LlamaConfig& c) {
  const Family* f = family_of_gguf(c.architecture);
  PUNA_REQUIRE(f, "architecture '%.40s' is not known", c.architecture.c_str());
  return *f;
}

std::string known_architectures() {
  std::string all;
  for (const Family& f : kFamilies) all += std::string(all.empty() ? "" : ", ") + f.name;
  return all;
}

std::string known_types() {
  std::string all;
  for (const Family& f : kFamilies)
    for (const char* type : f.types)
      if (type) all += std::string(all.empty() ? "" : ", ") + type;
  return all;
}

LayerNames huggingface_names(const LlamaConfig& c, const std::string& model, int64_t layer) {
  const Family& f = family_of(c);
  const std::string block = model + "layers." + std::to_string(layer) + ".", attention = block + "self_attn.",
                    mlp = block + f.mlp, moe = block + (f.moe ? f.moe : f.mlp);
  LayerNames n;
  n.block = block;
  if (c.pre_norm) {
    n.attn_norm = block + "input_layernorm";
    n.ffn_norm = block + (c.post_norm ? "pre_feedforward_layernorm" : "post_attention_layernorm");
  }
  if (c.post_norm) {
    n.post_attn_norm = block + "post_attention_layernorm";
    n.post_ffn_norm = block + "post_feedforward_layernorm";
  }
  n.q = attention + "q_proj";
  n.k = attention + "k_proj";
  n.v = attention + "v_proj";
  n.o = attention + "o_proj";
  n.q_norm = attention + "q_norm";
  n.k_norm = attention + "k_norm";
  n.sinks = attention + "sinks";
  n.gate = mlp + "gate_proj";
  n.up = mlp + "up_proj";
  n.down = mlp + "down_proj";
  n.router = moe + f.router;
  n.experts = moe + "experts";
  if (f.fused) {
    n.qkv = attention + "qkv_proj";
    n.gate_up = mlp + "gate_up_proj";
  }
  return n;
}

LayerNames gguf_names(const LlamaConfig& c, int64_t layer) {
  const Family& f = family_of(c);
  const std::string block = "blk." + std::to_string(layer) + ".";
  LayerNames n;
  n.block = block;
  if (c.pre_norm) {
    n.attn_norm = block + "attn_norm";
    n.ffn_norm = block + f.gguf_ffn_norm;
  }
  if (c.post_norm) {
    n.post_attn_norm = block + "post_attention_norm";
    n.post_ffn_norm = block + "post_ffw_norm";
  }
  n.q = block + "attn_q";
  n.k = block + "attn_k";
  n.v = block + "attn_v";
  n.o = block + "attn_output";
  n.q_norm = block + "attn_q_norm";
  n.k_norm = block + "attn_k_norm";
  n.sinks = block + "attn_sinks.weight";
  n.gate = block + "ffn_gate";
  n.up = block + "ffn_up";
  n.down = block + "ffn_down";
  n.router = block + "ffn_gate_inp";
  n.experts = block + "ffn_";
  if (f.fused) {
    n.qkv = block + "attn_qkv";
    n.gate_up = block + "ffn_up";
  }
  return n;
}

}  // namespace puna
