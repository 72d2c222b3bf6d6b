// family.h -- the families of decoders and how their files map onto a LlamaConfig: one row a family. What differs
// between their forward passes is in the config, not here. Semantics: Hugging Face modeling_<family>.py.
#pragma once
#include <span>
#include <string>
#include <string_view>

#include "puna/model/config.h"

namespace puna {

struct HuggingFaceKeys;
struct GgufKeys;

// How a checkpoint stores the experts of a layer.
enum class ExpertLayout : uint8_t {
  stacked,       // experts.gate_up_proj [E, in, gate | up]: Llama 4
  one_by_one,    // experts.N.gate_proj.weight: Qwen 3
  interleaved,   // experts.gate_up_proj [E, in, gate and up by turns] with biases, or its MXFP4 blocks: gpt-oss
  stacked_rows,  // experts.gate_up_proj [E, gate | up, in]: Gemma 4
};

struct Family {
  const char* name;        // general.architecture of GGUF files, and ours
  const char* types[4];    // model_type of config.json
  const char* classes[3];  // what architectures may name, in lower case; a part of it
  void (*from_huggingface)(LlamaConfig&, const HuggingFaceKeys&);
  void (*from_gguf)(LlamaConfig&, const GgufKeys&);
  void (*to_gguf)(Metadata&, const LlamaConfig&);
  bool permuted = false;     // GGUF files have the rows of q and k as interleaved pairs
  bool one_more = false;     // config.json's norms are x (1 + w); GGUF files have 1 + w
  bool fused = false;        // qkv_proj and gate_up_proj are one tensor each
  bool scaling = true;       // rope_scaling of the type yarn is known
  bool two_ropes = false;    // sliding layers have frequencies of their own
  bool by_layer = false;     // KV heads and widths of blocks may differ from layer to layer
  double theta = 10000;      // where rope_theta is missing
  double eps = 1e-6;         // where rms_norm_eps is missing
  bool tied = false;         // where tie_word_embeddings is missing
  int64_t head_dim = 0;      // where head_dim is missing; 0: hidden / heads
  const char* mlp = "mlp.";  // names in checkpoints
  const char* router = "router";
  const char* moe = nullptr;  // what router and experts stand in; NULL: in mlp
  const char* gguf_ffn_norm = "ffn_norm";
  ExpertLayout experts = ExpertLayout::stacked;
};

std::span<const Family> families() noexcept;
const Family* family_of_gguf(std::string_view architecture) noexcept;  // NULL: unknown
const Family* family_of_type(std::string_view model_type) noexcept;
const Family& family_of(const LlamaConfig& config);
std::string known_architectures();  // "gemma2, gemma3, ..."
std::string known_types();

// Names of a layer's tensors, without ".weight" and ".bias" (but for sinks); "" = not there under a name of its own.
struct LayerNames {
  std::string attn_norm, post_attn_norm, ffn_norm, post_ffn_norm;
  std::string q, k, v, qkv, o, q_norm, k_norm, sinks;
  std::string gate, up, gate_up, down;
  std::string router, experts;  // experts: what their tensors' names begin with
  std::string block;            // what all of these begin with
};
// `model`: what the names of the text model begin with, "model." for one.
LayerNames huggingface_names(const LlamaConfig& config, const std::string& model, int64_t layer);
LayerNames gguf_names(const LlamaConfig& config, int64_t layer);

// The readers of families.
namespace family {
#define PUNA_FAMILY(name)                                        \
  void name##_huggingface(LlamaConfig&, const HuggingFaceKeys&); \
  void name##_gguf(LlamaConfig&, const GgufKeys&);               \
  void name##_to_gguf(Metadata&, const LlamaConfig&);
PUNA_FAMILY(llama)
PUNA_FAMILY(llama4)
PUNA_FAMILY(qwen2)
PUNA_FAMILY(qwen3)
PUNA_FAMILY(qwen3moe)
PUNA_FAMILY(mistral3)
PUNA_FAMILY(olmo2)
PUNA_FAMILY(granite)
PUNA_FAMILY(smollm3)
PUNA_FAMILY(phi3)
PUNA_FAMILY(gemma2)
PUNA_FAMILY(gemma3)
PUNA_FAMILY(gemma3n)
PUNA_FAMILY(gemma4)
PUNA_FAMILY(gpt_oss)
#undef PUNA_FAMILY
}  // namespace family

}  // namespace puna
