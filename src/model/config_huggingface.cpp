// config_huggingface.cpp -- a flattened config.json to a LlamaConfig: what the families have in common. Two layouts of
// one content: published files (rope_theta, rope_scaling) and transformers v5 (rope_parameters); a model with vision
// nests the text part under text_config.
#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstring>
#include <string>

#include "model/config_common.h"
#include "model/family.h"
#include "model/huggingface_keys.h"
#include "model/leftovers.h"
#include "model/scaled_weights.h"
#include "puna/base/error.h"

namespace puna {
namespace {

// A key that transformers, or the code that ships with a model, computes with and we do not.
void require_nothing_else(const LlamaConfig& c, const HuggingFaceKeys& k) {
  const MetadataValue zero = int64_t{0}, one = int64_t{1}, no = false;
  const std::vector<NeutralKey> keys = {
      {"attention_bias", {c.out_bias}},
      {"mlp_bias", {no}},
      {"bias", {no}},
      {"use_bias", {no}},
      {"qkv_bias", {no}},
      {"attention_qkv_bias", {no}},
      {"attention_out_bias", {no}},
      {"attention_o_bias", {no}},
      {"lm_head_bias", {no}},
      {"add_bias_linear", {no}},
      {"add_qkv_bias", {no}},
      {"attention_multiplier", {double(c.score_scale())}},
      {"residual_multiplier", {double(c.residual_scale)}},
      {"embedding_multiplier", {double(c.embedding_scale)}},
      {"embedding_scale", {one}},
      {"logits_scaling", {1 / double(c.logit_scale)}},
      {"logit_scale", {one}},
      {"lm_head_multiplier", {one}},
      {"scale_emb", {one}},
      {"scale_depth", {std::sqrt(double(c.layers))}},
      {"dim_model_base", {c.hidden}},
      {"final_logit_softcapping", {double(c.final_softcap)}},
      {"attn_logit_softcap", {zero}},
      {"final_logit_softcap", {zero}},
      {"clip_qkv", {zero}},
      {"clamp_kqv", {zero}},
      {"qk_layernorm", {no}},
      {"qk_norm", {no}},
      {"alibi", {no}},
      {"parallel_residual", {no}},
      {"use_parallel_residual", {no}},
      {"parallel_attn", {no}},
      {"rotary_pct", {one}},
      {"rotary_dim", {c.head_dim}},
      {"rope_interleaved", {no}},
      {"use_mrope", {no}},
      {"num_kv_shared_layers", {c.shared_kv}},
      {"is_decoder", {true, no}},
      {"add_cross_attention", {no}},
      {"is_encoder_decoder", {no}},
  };
  require_neutral(k.m, k.prefix, keys);
  const NeutralKey silu[] = {{"hidden_act", {std::string("silu"), std::string("swish")}},
                             {"hidden_activation", {std::string("silu"), std::string("swish")}}};
  if (c.glu.kind != Glu::Kind::gelu) require_neutral(k.m, k.prefix, silu);  // Gemma's reader looks at them
  const NeutralKey scalar[] = {{"query_pre_attn_scalar", {1 / (double(c.score_scale()) * double(c.score_scale()))}}};
  if (!c.value_norm) require_neutral(k.m, k.prefix, scalar);  // Gemma 3n and 4 have a scale of 1 in transformers
  const NeutralKey softcap[] = {{"attn_logit_softcapping", {double(c.attention_softcap)}}};
  if (c.architecture != "gemma3") require_neutral(k.m, k.prefix, softcap);  // which does not read it in transformers
  scaled_layout(k.m, c.architecture == "gpt-oss");
  if (c.architecture == "llama4") return;
  const std::vector<NeutralKey> dense = {
      {"use_qk_norm", {no}}, {"attn_temperature_tuning", {no, zero}}, {"attention_chunk_size", {zero}}};
  require_neutral(k.m, k.prefix, dense);
  const std::vector<NeutralKey> experts = {{"num_local_experts", {zero, one, c.experts}},
                                           {"num_experts", {zero, one, c.experts}},
                                           {"n_routed_experts", {zero, one}}};
  require_neutral(k.m, k.prefix, experts);
  if (c.architecture == "smollm3") return;
  if (const auto* rope = k.m.integers(k.key("no_rope_layers")))
    for (size_t i = 0; i < rope->size(); ++i)
      if ((*rope)[i] == 0)
        fail(Status::unsupported, "no_rope_layers[%zu] is 0: layers without RoPE are not supported in model_type %s", i,
             c.architecture.c_str());
}

// Ids of special tokens: whether the vocabulary has them is the tokenizer's affair; what is no id at all is refused. -1
// says none.
void require_ids(const Metadata& m, const std::string& prefix) {
  for (const char* name : {"bos_token_id", "eos_token_id", "pad_token_id"}) {
    const std::string key = prefix + name;
    if (!m.has(key)) continue;
    const MetadataValue* v = m.find(key);
    if (v && std::holds_alternative<std::vector<int64_t>>(*v)) {
      for (const int64_t id : *m.integers(key))
        if (id < -1 || id > INT32_MAX)
          fail(Status::bad_file, "metadata '%s' holds %jd, which is no id of a token", key.c_str(), id);
    } else {
      m.integer(key, -1, INT32_MAX);
    }
  }
}

// Which class the folder was saved from. Another family's under our model_type is a mistake in one of the two.
void require_architecture(const Metadata& m, const Family& family) {
  const auto* names = m.strings("architectures");
  if (!names) return;
  for (const std::string& name : *names) {
    std::string lower = name;
    for (char& c : lower) c = char(std::tolower(static_cast<unsigned char>(c)));
    const Family* named = nullptr;  // the family with the longest part in common
    size_t longest = 0;
    for (const Family& f : families())
      for (const char* part : f.classes)
        if (part && lower.find(part) != lower.npos && strlen(part) > longest) {
          named = &f;
          longest = strlen(part);
        }
    const bool other = lower.find("mixtral") != lower.npos || lower.find("mistral3for") == 0;
    if (named != &family || other)
      fail(Status::unsupported, "architectures names '%.60s', which is not the model_type '%.40s'", name.c_str(),
           m.string("model_type").c_str());
  }
}

LlamaConfig read_config(const Metadata& m) {
  for (const char* group : {"text_config", "vision_config"})
    if (m.has(group) && !m.has_group(group)) {
      const MetadataValue* v = m.find(group);
      fail(Status::bad_file, "%s is %s, expected an object", group, v ? describe(*v).c_str() : "a list");
    }
  const std::string outer = m.string("model_type");
  const std::string nested = "text_config.";
  const auto first = m.values().lower_bound(nested);
  const bool has_text = m.has_group("text_config") || (first != m.values().end() && first->first.starts_with(nested));
  const HuggingFaceKeys k{m, has_text ? nested : ""};
  const std::string type = k.prefix.empty() ? outer : m.string("text_config.model_type", outer);
  LlamaConfig c;
  const Family* const family = family_of_type(type);
  if (!family)
    fail(Status::unsupported, "model_type '%.40s' is not supported; known: %s", type.c_str(), known_types().c_str());
  c.architecture = family->name;
  if (!has_text) require_architecture(m, *family);  // a model that sees has a class of its own

  c.layers = k.integer("num_hidden_layers", 1, kMaxLayers);
  c.hidden = k.integer("hidden_size", 1, kMaxHidden);
  c.heads = k.integer("num_attention_heads", 1, kMaxHeads);
  c.kv_heads = k.integer("num_key_value_heads", 1, kMaxHeads, c.heads);
  c.head_dim = k.integer("head_dim", 2, kMaxHeadDim, family->head_dim ? family->head_dim : c.hidden / c.heads);
  c.vocab = k.integer("vocab_size", 1, kMaxVocab);
  c.max_positions = k.integer("max_position_embeddings", 1, kMaxPositions, 2048);
  c.norm_eps = float(k.number("rms_norm_eps", kMinNormEps, 1.0, family->eps));
  c.tied = k.boolean("tie_word_embeddings", m.boolean("tie_word_embeddings", family->tied));
  c.uses_rope.assign(size_t(c.layers), 1);
  c.is_moe.assign(size_t(c.layers), 0);
  c.rope_style = c.architecture == "llama4" ? RopeStyle::interleaved : RopeStyle::half_split;
  family->from_huggingface(c, k);
  require_nothing_else(c, k);
  require_ids(m, k.prefix);
  if (has_text) require_ids(m, "");
  require_ids(m, "generation.");
  if (family->two_ropes)
    read_huggingface_two_ropes(c, k, 10000);
  else
    read_huggingface_rope(c, k);
  validate(c);
  return c;
}

}  // namespace

LlamaConfig config_from_huggingface(const Metadata& m) {
  try {
    return read_config(m);
  } catch (const Error& e) {
    fail(e.status(), "config.json: %s", e.what());
  }
}

}  // namespace puna
