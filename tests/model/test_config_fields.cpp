// config.json field by field: what it may say, what refuses the model by the field's name, and two spellings of one
// thing that contradict each other.
#include "io/hf_config.h"
#include "model/made_model.h"
#include "model/same_config.h"
#include "puna/base/error.h"
#include "puna/runtime/new_model.h"
#include "support/tiny_files.h"

using namespace puna;
using namespace puna::test;
using Catch::Contains;

namespace {

const std::string kHead =
    R"({"model_type": "llama", "num_hidden_layers": 2, "hidden_size": 64, "num_attention_heads": 4, "vocab_size": 512, "intermediate_size": 48)";
const std::string kLlama4 =
    R"({"model_type": "llama4_text", "num_hidden_layers": 4, "hidden_size": 64, "num_attention_heads": 4, "head_dim": 16, "vocab_size": 512,
  "intermediate_size": 48, "intermediate_size_mlp": 96, "num_local_experts": 4)";

Metadata metadata_of(const std::string& json) {
  Metadata m;
  io::flatten_config(json, "config.json", "", m);
  return m;
}
LlamaConfig config_of(const std::string& fields, const std::string& head = kHead) {
  return config_from_huggingface(metadata_of(head + (fields.empty() ? "" : ", ") + fields + "}"));
}
void same(const std::string& a, const std::string& b) {
  CAPTURE(a, b);
  check_same_config(config_of(a), config_of(b));
}
void refused(const std::string& fields, const std::string& name, const std::string& head = kHead) {
  CAPTURE(fields, name);
  CHECK_THROWS_WITH(config_of(fields, head), Contains(name) && Contains("config.json"));
}

}  // namespace

TEST_CASE("a field of config.json that is of another type is an error that names it", "[model]") {
  for (const char* field : {"head_dim",
                            "max_position_embeddings",
                            "num_key_value_heads",
                            "rms_norm_eps",
                            "hidden_act",
                            "tie_word_embeddings",
                            "rope_theta",
                            "attention_bias",
                            "mlp_bias",
                            "sliding_window",
                            "partial_rotary_factor",
                            "rope_parameters",
                            "rope_scaling",
                            "eos_token_id",
                            "bos_token_id",
                            "pad_token_id",
                            "text_config",
                            "vision_config",
                            "layer_types",
                            "hidden_activation",
                            "logits_scaling"})
    for (const char* value : {"{}", "{\"a\": 1}", "[{}]", "[1, \"x\"]", "\"many\"", "0.5", "-2147483648", "1e300"}) {
      const std::string name = field, text = value;
      const bool group = name.starts_with("rope_") && name != "rope_theta";
      if (group && text[0] == '{') continue;                      // what it is
      if (name.ends_with("_config") && text[0] == '{') continue;  // tested below
      if (name == "rope_theta" && text[0] == '1') continue;       // a number, and too large: tested elsewhere
      if ((name == "partial_rotary_factor" || name == "rms_norm_eps") && text == "0.5") {
        if (name == "rms_norm_eps") continue;  // odd, and a norm's epsilon
      }
      refused("\"" + name + "\": " + text, name);
    }
  for (const char* field : {"rope_parameters", "rope_scaling", "text_config", "vision_config", "head_dim",
                            "max_position_embeddings", "num_key_value_heads"})
    for (const char* value : {"true", "false", "[]", "[1]", "\"x\"", "3.5"})
      refused("\"" + std::string(field) + "\": " + value, field);
  refused("\"rope_parameters\": {\"rope_theta\": {}}", "rope_parameters.rope_theta");
  refused("\"rope_parameters\": {\"rope_type\": [\"x\", 1]}", "rope_parameters.rope_type");
  refused("\"rope_scaling\": {\"type\": \"linear\", \"factor\": \"2\"}", "rope_scaling.factor");
  refused("\"rope_scaling\": {\"type\": \"linear\", \"factor\": true}", "rope_scaling.factor");
  refused("\"text_config\": {}", "num_hidden_layers");
}

TEST_CASE("null is a field that is not there", "[model]") {
  for (const char* field : {"head_dim", "num_key_value_heads", "sliding_window", "rope_scaling", "rope_parameters",
                            "eos_token_id", "pad_token_id", "text_config", "vision_config", "quantization_config",
                            "layer_types", "partial_rotary_factor", "attention_multiplier", "hidden_act"})
    same("\"" + std::string(field) + "\": null", "");
}

TEST_CASE("ids of special tokens are ids, lists of ids, or -1", "[model]") {
  for (const char* ids : {"2", "[2, 3]", "-1", "[]", "null", "100000"})
    same("\"eos_token_id\": " + std::string(ids), "");
  for (const char* ids :
       {"0.5", "-2", "-2147483648", "4294967296", "\"2\"", "true", "[2, 0.5]", "[2, -7]", "[[2]]", "1e300"})
    refused("\"eos_token_id\": " + std::string(ids), "eos_token_id");
}

TEST_CASE("fields of config.json that others compute with must have the value that changes nothing", "[model]") {
  struct Field {
    const char *name, *neutral, *changing;
  };
  const Field fields[] = {
      {"attention_bias", "false", "true"},
      {"mlp_bias", "false", "true"},
      {"qkv_bias", "false", "true"},
      {"hidden_act", "\"silu\"", "\"gelu\""},
      {"hidden_act", "\"swish\"", "\"relu\""},
      {"hidden_activation", "\"silu\"", "\"gelu_pytorch_tanh\""},
      {"attention_multiplier", "0.25", "0.0625"},
      {"query_pre_attn_scalar", "16", "144"},
      {"residual_multiplier", "1.0", "0.22"},
      {"embedding_multiplier", "1", "12.0"},
      {"logits_scaling", "1.0", "8.0"},
      {"logit_scale", "1", "0.0625"},
      {"final_logit_softcapping", "null", "30.0"},
      {"attn_logit_softcapping", "null", "50.0"},
      {"clip_qkv", "null", "8"},
      {"partial_rotary_factor", "1.0", "0.5"},
      {"rotary_pct", "1", "0.25"},
      {"sliding_window", "2048", "1024"},
      {"use_qk_norm", "false", "true"},
      {"qk_layernorm", "false", "true"},
      {"num_local_experts", "1", "8"},
      {"attn_temperature_tuning", "false", "true"},
      {"layer_types", "[\"full_attention\", \"full_attention\"]", "[\"full_attention\", \"sliding_attention\"]"},
      {"no_rope_layers", "[1, 1]", "[1, 0]"},
      {"use_parallel_residual", "false", "true"},
      {"scale_emb", "1", "12"},
      {"quantization_config", "null", "{\"load_in_4bit\": true}"},
      {"quantization_config", "null", "7"},
      {"compression_config", "null", "{\"format\": \"x\"}"}};
  for (const Field& f : fields) {
    const std::string name = std::string("\"") + f.name + "\": ";
    same(name + f.neutral, "");
    refused(name + f.changing, f.name);
  }
  CHECK_THROWS_WITH(config_of(R"("quantization_config": {"quant_method": "exl2"})"),
                    Contains("exl2") && Contains("GGUF"));
  for (const char* name : {"attention_bias", "quantization_config", "logits_scaling", "attention_multiplier"})
    refused("\"" + std::string(name) +
                "\": " + (std::string(name).ends_with("config") ? "{\"quant_method\": \"exl2\"}" : "5"),
            name, kLlama4);
}

TEST_CASE("rope_theta is read from either place, and from both only when they are equal", "[model]") {
  const std::string theta = "\"rope_theta\": 500000.0";
  same(theta, R"("rope_parameters": {"rope_theta": 500000, "rope_type": "default"})");
  same(theta, R"("rope_parameters": {"rope_type": "default"}, "rope_theta": 500000)");
  same(theta, R"("rope_parameters": {"rope_theta": 500000})");
  same(theta, R"("rope_scaling": {"rope_theta": 500000, "rope_type": "default"})");
  same(theta, R"("rope_parameters": {"rope_theta": 500000.0}, "rope_theta": 500000)");
  CHECK(config_of(theta).inverse_frequency != config_of("").inverse_frequency);
  refused(R"("rope_parameters": {"rope_theta": 10000.0}, "rope_theta": 500000)", "rope_theta is 500000");
  refused(R"("rope_parameters": {"rope_theta": 10000.0}, "rope_scaling": {"rope_theta": 500000})",
          "rope_scaling.rope_theta");
}

TEST_CASE("rope_scaling and rope_parameters are two names of one thing", "[model]") {
  const std::string llama3 =
      R"({"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 256})";
  same("\"rope_scaling\": " + llama3, "\"rope_parameters\": " + llama3);
  same("\"rope_scaling\": " + llama3, "\"rope_parameters\": " + llama3 + ", \"rope_scaling\": " + llama3);
  same(
      "\"rope_scaling\": " + llama3,
      R"("rope_scaling": {"type": "llama3", "factor": 8, "low_freq_factor": 1, "high_freq_factor": 4}, "original_max_position_embeddings": 256)");
  same(R"("rope_scaling": {"type": "linear", "factor": 2})",
       R"("rope_scaling": {"rope_type": "linear", "type": "linear", "factor": 2.0})");
  refused("\"rope_scaling\": " + llama3 + ", \"original_max_position_embeddings\": 512",
          "original_max_position_embeddings");
  refused("\"rope_scaling\": " + llama3 + R"(, "rope_parameters": {"rope_type": "linear", "factor": 8.0})",
          "rope_type");
  refused(R"("rope_scaling": {"type": "dynamic", "rope_type": "linear", "factor": 2})", "type");
  refused(R"("rope_parameters": {"full_attention": {"rope_type": "default"}})", "full_attention");
}

TEST_CASE("RoPE that is stretched without saying how, or in a way that is not computed, is refused", "[model]") {
  refused(R"("rope_scaling": {"factor": 4.0})", "rope_scaling.factor");
  refused(R"("rope_parameters": {"rope_theta": 10000, "factor": 4.0})", "rope_parameters.factor");
  refused(R"("rope_scaling": {"rope_type": "default", "low_freq_factor": 1.0})", "low_freq_factor");
  same(R"("rope_scaling": {"rope_type": "default", "factor": 1.0})", "");
  same(R"("rope_scaling": {})", "");
  for (const char* type : {"dynamic", "yarn", "longrope", "su", "mrope", "ntk"})
    refused(R"("rope_scaling": {"type": ")" + std::string(type) + R"(", "factor": 2})", type);
  refused(R"("rope_scaling": {"type": "linear"})", "factor");
  for (const char* field : {"\"attention_factor\": 1.2", "\"long_factor\": [1, 2]", "\"mrope_section\": [2, 3, 3]",
                            "\"llama_4_scaling_beta\": 0.1", "\"partial_rotary_factor\": 0.5"})
    refused(R"("rope_parameters": {"rope_type": "linear", "factor": 2, )" + std::string(field) + "}",
            std::string(field).substr(1, 8));
}

TEST_CASE("architectures of another family than model_type are refused", "[model]") {
  for (const char* ours : {"LlamaForCausalLM", "LLaMAForCausalLM", "MistralForCausalLM", "LlamaModel"})
    same(R"("architectures": [")" + std::string(ours) + "\"]", "");
  for (const char* other :
       {"GraniteForCausalLM", "Llama4ForCausalLM", "MixtralForCausalLM", "Qwen2ForCausalLM", "SmolLM3ForCausalLM"})
    refused(R"("architectures": [")" + std::string(other) + "\"]", other);
  refused(R"("architectures": ["LlamaForCausalLM"])", "LlamaForCausalLM", kLlama4);
  refused(R"("architectures": 7)", "architectures");
}

TEST_CASE("a text_config inside a text_config is not looked into", "[model]") {
  CHECK_THROWS_WITH(config_from_huggingface(
                        metadata_of(R"({"model_type": "llama4", "text_config": {"text_config": )" + kLlama4 + "}}}")),
                    Contains("text_config.num_hidden_layers"));
}
