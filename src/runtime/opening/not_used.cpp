#include "puna/runtime/not_used.h"

#include <algorithm>
#include <string_view>

#include "base/nearest.h"

namespace puna {
namespace {

// Keys that are read, and may be misspelt in a file that says nothing else of them.
constexpr std::string_view kOfConfig[] = {"num_hidden_layers",
                                          "hidden_size",
                                          "num_attention_heads",
                                          "num_key_value_heads",
                                          "head_dim",
                                          "vocab_size",
                                          "intermediate_size",
                                          "intermediate_size_mlp",
                                          "max_position_embeddings",
                                          "rms_norm_eps",
                                          "hidden_act",
                                          "tie_word_embeddings",
                                          "rope_theta",
                                          "rope_scaling",
                                          "rope_parameters",
                                          "rope_parameters.rope_theta",
                                          "rope_parameters.rope_type",
                                          "rope_parameters.factor",
                                          "rope_parameters.low_freq_factor",
                                          "rope_parameters.high_freq_factor",
                                          "rope_parameters.original_max_position_embeddings",
                                          "rope_scaling.rope_theta",
                                          "rope_scaling.rope_type",
                                          "rope_scaling.type",
                                          "rope_scaling.factor",
                                          "rope_scaling.low_freq_factor",
                                          "rope_scaling.high_freq_factor",
                                          "rope_scaling.original_max_position_embeddings",
                                          "partial_rotary_factor",
                                          "attention_bias",
                                          "mlp_bias",
                                          "sliding_window",
                                          "bos_token_id",
                                          "eos_token_id",
                                          "pad_token_id",
                                          "no_rope_layers",
                                          "no_rope_layer_interval",
                                          "attention_chunk_size",
                                          "layer_types",
                                          "use_qk_norm",
                                          "attn_temperature_tuning",
                                          "floor_scale",
                                          "attn_scale",
                                          "num_local_experts",
                                          "num_experts_per_tok",
                                          "interleave_moe_layer_step",
                                          "moe_layers"};
constexpr std::string_view kOfGguf[] = {"block_count",
                                        "embedding_length",
                                        "feed_forward_length",
                                        "context_length",
                                        "vocab_size",
                                        "attention.head_count",
                                        "attention.head_count_kv",
                                        "attention.key_length",
                                        "attention.value_length",
                                        "attention.layer_norm_rms_epsilon",
                                        "attention.sliding_window",
                                        "attention.scale",
                                        "attention.clamp_kqv",
                                        "rope.dimension_count",
                                        "rope.freq_base",
                                        "rope.scaling.type",
                                        "rope.scaling.factor",
                                        "rope.scale_linear",
                                        "rope.scaling.attn_factor",
                                        "expert_count",
                                        "expert_used_count",
                                        "expert_feed_forward_length",
                                        "interleave_moe_layer_step",
                                        "logit_scale",
                                        "residual_scale",
                                        "embedding_scale",
                                        "nextn_predict_layers"};

// Similar to a known key, but valid keys themselves.
constexpr std::string_view kHonest[] = {"use_cache",
                                        "initializer_range",
                                        "attention_dropout",
                                        "hidden_dropout",
                                        "torch_dtype",
                                        "dtype",
                                        "pretraining_tp",
                                        "transformers_version",
                                        "model_max_length",
                                        "max_window_layers",
                                        "num_nextn_predict_layers",
                                        "router_aux_loss_coef",
                                        "router_jitter_noise",
                                        "output_router_logits",
                                        "max_sequence_length",
                                        "rope.scaling.finetuned",
                                        "rope.scaling.original_context_length",
                                        "rope.scaling.yarn_beta_fast",
                                        "rope.scaling.yarn_beta_slow",
                                        "attention.layer_norm_epsilon",
                                        "attention.group_norm_epsilon",
                                        "tensor_data_layout",
                                        "pooling_type"};

template <class List>
std::string meant(const Metadata& m, std::string_view prefix, std::string_view name, const List& known) {
  if (std::find(std::begin(kHonest), std::end(kHonest), name) != std::end(kHonest)) return "";
  std::vector<std::string_view> absent;
  for (const std::string_view k : known)
    if (m.values().find(std::string(prefix) + std::string(k)) == m.values().end() &&
        !m.has_group(std::string(prefix) + std::string(k)))
      absent.push_back(k);
  const std::string_view near = nearest_word(name, absent);
  return near.empty() ? "" : "did you mean '" + std::string(prefix) + std::string(near) + "'?";
}

std::string note_of(const Checkpoint& c, const std::string& key) {
  std::string_view name = key;
  const auto strip = [&](std::string_view prefix) {
    const bool there = name.starts_with(prefix);
    if (there) name.remove_prefix(prefix.size());
    return there;
  };
  if (c.format == Checkpoint::Format::gguf) {
    const auto found = c.metadata.values().find("general.architecture");
    const auto* architecture = found == c.metadata.values().end() ? nullptr : std::get_if<std::string>(&found->second);
    return architecture && strip(*architecture + ".") ? meant(c.metadata, *architecture + ".", name, kOfGguf) : "";
  }
  for (const char* other : {"generation.", "vision_config.", "quantization_config."})
    if (name.starts_with(other)) return "";
  const bool nested = strip("text_config.");
  return meant(c.metadata, nested ? "text_config." : "", name, kOfConfig);
}

}  // namespace

NotUsed not_used(const Checkpoint& c) {
  NotUsed result;
  const auto& tensors = c.tensors.entries();
  for (size_t i = 0; i < tensors.size(); ++i)
    if (!c.tensors.was_read(i))
      result.tensors.push_back({tensors[i].name, std::string(name(tensors[i].dtype)) + " " + tensors[i].shape.text()});
  for (const UnreadableTensor& t : c.tensors.unreadable()) result.tensors.push_back({t.name, t.why});
  for (std::string& key : c.metadata.unread()) {
    std::string note = note_of(c, key);
    result.keys.push_back({std::move(key), std::move(note)});
  }
  return result;
}

}  // namespace puna
