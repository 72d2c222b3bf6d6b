// adapter_config.json field by field: patterns in the order of the file, what changes the formula refused by name, what
// changes nothing listed.
#include <map>

#include "io/hf_config.h"
#include "model/named_tensors.h"
#include "ops/inference.h"
#include "puna/base/error.h"
#include "puna/model/adapter.h"
#include "puna/model/new_llama.h"
#include "support/catch.h"
#include "support/run_model.h"

using namespace puna;
using namespace puna::test;
using Catch::Contains;

namespace test_peft_fields {
namespace {

struct Base {
  ContextPtr context = context_with();
  Llama model;
  Base() {
    Metadata m;
    io::flatten_config(
        R"({"model_type": "llama", "num_hidden_layers": 2, "hidden_size": 32, "num_attention_heads": 4, "vocab_size": 40, "intermediate_size": 48})",
        "config.json", "", m);
    model = new_llama(*context, config_from_huggingface(m), 1);
  }
};

struct File {
  std::vector<std::vector<float>> values;
  TensorMap tensors;
  void add(const std::string& name, const Shape& shape) {
    values.emplace_back(size_t(shape.count()), 0.5f);
    tensors.add(
        {name, DType::f32, shape, reinterpret_cast<const std::byte*>(values.back().data()), values.back().size() * 4});
  }
  void lora(const std::string& module, int64_t rank, int64_t in = 32, int64_t out = 32) {
    add("base_model.model." + module + ".lora_A.weight", {rank, in});
    add("base_model.model." + module + ".lora_B.weight", {out, rank});
  }
};

const std::string kQ0 = "model.layers.0.self_attn.q_proj", kQ1 = "model.layers.1.self_attn.q_proj",
                  kO1 = "model.layers.1.self_attn.o_proj";

File usual() {
  File f;
  for (const std::string& module : {kQ0, kQ1, kO1}) f.lora(module, 2);
  return f;
}

std::shared_ptr<Adapter> load(const std::string& fields, const File& file = usual(),
                              const std::string& head = R"("peft_type": "LORA", "r": 2, "lora_alpha": 4)") {
  static const Base base;
  return Adapter::from_peft(*base.context, base.model, "{" + head + (fields.empty() ? "" : ", ") + fields + "}",
                            file.tensors);
}

// alpha / rank of each of the three matrices.
std::vector<float> scales(const std::string& fields) {
  static const Base base;
  const std::shared_ptr<Adapter> adapter = Adapter::from_peft(
      *base.context, base.model, R"({"peft_type": "LORA", "r": 2, "lora_alpha": 4, )" + fields + "}", usual().tensors);
  std::vector<float> found;
  for (const Weight* w :
       {&base.model.weights.layers[0].wq, &base.model.weights.layers[1].wq, &base.model.weights.layers[1].wo})
    found.push_back(adapter->loras().at(w->panels).scale);
  return found;
}

void refused(const std::string& fields, const std::string& name) {
  CAPTURE(fields, name);
  CHECK_THROWS_WITH(load(fields), Contains(name) && Contains("adapter_config.json"));
}

using Scales = std::vector<float>;

}  // namespace

TEST_CASE("alpha_pattern's keys are expressions, and the first of the file that fits counts", "[model]") {
  CHECK(scales(R"("alpha_pattern": {})") == Scales{2, 2, 2});
  CHECK(scales(R"("alpha_pattern": {".*layers\\.0\\..*q_proj": 40})") == Scales{20, 2, 2});
  CHECK(scales(R"("alpha_pattern": {"(q|k)_proj": 40})") == Scales{20, 20, 2});
  CHECK(scales(R"("alpha_pattern": {"^model.layers.0.self_attn.q_proj": 40})") == Scales{20, 2, 2});
  CHECK(scales(R"("alpha_pattern": {"^layers.0.*": 40})") == Scales{2, 2, 2});
  CHECK(scales(R"("alpha_pattern": {"q_proj": 8, "layers.0.self_attn.q_proj": 40})") == Scales{4, 4, 2});
  CHECK(scales(R"("alpha_pattern": {"layers.0.self_attn.q_proj": 40, "q_proj": 8})") == Scales{20, 4, 2});
  CHECK(scales(R"("alpha_pattern": {"proj": 8, "_proj": 8, "attn.q_proj": 8})") == Scales{2, 2, 2});
  CHECK(scales(R"("alpha_pattern": {"o_proj": 0}, "use_rslora": true)") ==
        Scales{4 / std::sqrt(2.0f), 4 / std::sqrt(2.0f), 0});
  for (const char* bad : {"3", "[]", "\"x\"", "true", "{\"q_proj\": \"8\"}", "{\"q_proj\": true}", "{\"q_proj\": null}",
                          "{\"(q\": 8}", "{\"(?=q)\": 8}"})
    refused("\"alpha_pattern\": " + std::string(bad), "alpha_pattern");
}

TEST_CASE("ranks are the file's and what the configuration says of them", "[model]") {
  File f = usual();
  f.lora("model.layers.0.self_attn.o_proj", 3);
  CHECK_THROWS_WITH(load("", f),
                    Contains("model.layers.0.self_attn.o_proj") && Contains("rank 3") && Contains("says 2"));
  CHECK_NOTHROW(load(R"("rank_pattern": {"layers\\.0\\..*o_proj": 3})", f));
  CHECK_THROWS_WITH(load(R"("rank_pattern": {"o_proj": 3})", f), Contains(kO1) && Contains("says 3"));
  refused(R"("rank_pattern": {"q_proj": 2.5})", "rank_pattern");
  refused(R"("rank_pattern": {"q_proj": 0})", "rank_pattern");
  CHECK_NOTHROW(load("", usual(), R"("peft_type": "LORA", "lora_alpha": 4)"));
  for (const char* r : {"0", "-1", "2.0", "\"2\"", "true", "[2]", "1e300", "18446744073709551615"})
    CHECK_THROWS_WITH(load("", usual(), R"("peft_type": "LORA", "lora_alpha": 4, "r": )" + std::string(r)),
                      Contains("adapter_config.json: r is"));
  for (const char* alpha : {"\"4\"", "true", "null", "[4]"})
    CHECK_THROWS_WITH(load("", usual(), R"("peft_type": "LORA", "r": 2, "lora_alpha": )" + std::string(alpha)),
                      Contains("lora_alpha"));
}

TEST_CASE("fields that change the formula are refused unless they are off", "[model]") {
  for (const char* field : {"use_dora", "lora_bias", "fan_in_fan_out", "use_qalora", "use_bdlora", "modules_to_save",
                            "trainable_token_indices", "alora_invocation_tokens", "layer_replication", "arrow_config",
                            "kasa_config", "velora_config", "monteclora_config", "megatron_config"}) {
    for (const char* no : {"null", "false", "[]", "{}"}) CHECK_NOTHROW(load("\"" + std::string(field) + "\": " + no));
    for (const char* yes : {"true", "[1]", "{\"a\": 1}", "\"yes\"", "7"})
      refused("\"" + std::string(field) + "\": " + yes, field);
  }
  for (const char* bias : {"\"all\"", "\"lora_only\"", "true", "7"}) refused("\"bias\": " + std::string(bias), "bias");
  for (const char* type : {"\"LOHA\"", "\"lora\"", "null", "7"})
    CHECK_THROWS_WITH(load("", usual(), R"("r": 2, "lora_alpha": 4, "peft_type": )" + std::string(type)),
                      Contains("peft_type"));
  refused("\"use_rslora\": \"yes\"", "use_rslora");
  refused("\"use_rslora\": 1", "use_rslora");
}

TEST_CASE("a beginning that changes the base model is refused, others are not", "[model]") {
  for (const char* fine : {"true", "false", "null", "\"gaussian\"", "\"eva\"", "\"orthogonal\""})
    CHECK_NOTHROW(load("\"init_lora_weights\": " + std::string(fine)));
  for (const char* other :
       {"\"pissa\"", "\"pissa_niter_16\"", "\"olora\"", "\"loftq\"", "\"corda\"", "\"lora_ga\"", "\"new\"", "3"})
    refused("\"init_lora_weights\": " + std::string(other), "init_lora_weights");
}

TEST_CASE("a field unknown to PEFT may only be off, and a typo names the nearest field", "[model]") {
  for (const char* no : {"null", "false", "0", "\"\"", "[]", "{}"})
    CHECK_NOTHROW(load("\"new_in_a_later_version\": " + std::string(no)));
  refused("\"new_in_a_later_version\": true", "new_in_a_later_version");
  CHECK_THROWS_WITH(load("\"use_rslorra\": true"), Contains("use_rslorra") && Contains("did you mean 'use_rslora'"));
  CHECK_THROWS_WITH(load("\"alpha_patern\": {\"q_proj\": 3}"), Contains("did you mean 'alpha_pattern'"));
}

TEST_CASE("fields that change nothing are listed when they are set", "[model]") {
  const auto adapter = load(
      R"("task_type": "CAUSAL_LM", "lora_dropout": 0.05, "revision": null, "inference_mode": false, "eva_config": {"rho": 2.0})");
  CHECK(adapter->not_used() == std::vector<std::string>{"task_type", "lora_dropout", "eva_config"});
}

TEST_CASE("matrices of a module that the configuration leaves out are refused, as PEFT would not load them",
          "[model]") {
  for (const char* fits :
       {R"("target_modules": ["q_proj", "o_proj"])", R"("target_modules": ".*(q|o)_proj")",
        R"("target_modules": "all-linear")", R"("target_modules": null)",
        R"x("target_modules": "(?:.*?(?:self_attn|mlp).*?(?:q_proj|k_proj|o_proj).*?)|(?:\\bmodel\\.x)")x",
        R"("target_modules": ["q_proj", "o_proj"], "layers_to_transform": [0, 1])",
        R"("target_modules": ["q_proj", "o_proj"], "layers_to_transform": [])",
        R"("target_modules": ["q_proj", "o_proj"], "layers_to_transform": [0, 1], "layers_pattern": "layers")",
        R"("target_modules": ["q_proj", "o_proj"], "exclude_modules": ["v_proj", "proj"])"})
    CHECK_NOTHROW(load(fits));
  refused(R"("target_modules": ["q_proj"])", "'" + kO1 + "'");
  refused(R"("target_modules": ["proj"])", "target_modules");
  refused(R"("target_modules": "q_proj")", "target_modules");
  refused(R"("target_modules": [])", "target_modules");
  refused(R"("target_modules": ["q_proj", "o_proj"], "exclude_modules": ["o_proj"])", "exclude_modules");
  refused(R"("target_modules": ["q_proj", "o_proj"], "exclude_modules": ".*layers.1.*")", "exclude_modules");
  refused(R"("target_modules": ["q_proj", "o_proj"], "layers_to_transform": 0)", "layers_to_transform");
  refused(R"("target_modules": ["q_proj", "o_proj"], "layers_to_transform": [0, 1], "layers_pattern": ["h"])",
          "layers_pattern");
  for (const char* nonsense : {R"("target_modules": 7)", R"("target_modules": [7])",
                               R"("target_modules": {"q_proj": 1})", R"("target_modules": "(q_proj")"})
    refused(nonsense, "target_modules");
  refused(R"("layers_to_transform": "1")", "layers_to_transform");
  refused(R"("layers_to_transform": 0.5)", "layers_to_transform");
}

TEST_CASE("a tensor of an adapter that fits nothing is refused by its name", "[model]") {
  const auto with = [](const std::string& name, const Shape& shape) {
    File f = usual();
    f.add(name, shape);
    return f;
  };
  for (const char* name : {"base_model.model.model.layers.0.self_attn.q_proj.lora_magnitude_vector.weight",
                           "base_model.model.model.embed_tokens.lora_embedding_A", "base_model.model.lm_head.weight",
                           "base_model.model.model.layers.0.self_attn.q_proj.lora_B.bias", "extra"})
    CHECK_THROWS_WITH(load("", with(name, {2})), Contains(std::string("'") + name + "'"));
  for (const char* module : {"model.layers.2.self_attn.q_proj", "model.layers.0.self_attn.z_proj",
                             "model.layers.0.self_attn.q_proj.default", "model.norm"}) {
    File f = usual();
    f.lora(module, 2);
    CHECK_THROWS_WITH(load("", f), Contains(module) && Contains("fits no weight"));
  }
  File half;
  half.add("base_model.model." + kQ0 + ".lora_A.weight", {2, 32});
  CHECK_THROWS_WITH(load("", half), Contains(kQ0));
  CHECK_THROWS_WITH(load("", File()), Contains("no tensors"));
}

}  // namespace test_peft_fields
