// Folders that hold more than the model: what changes nothing is listed, what would change the numbers refuses the
// model by its name.
#include <filesystem>

#include "puna/base/error.h"
#include "puna/runtime/new_model.h"
#include "puna/runtime/session.h"
#include "puna/text/train_bpe.h"
#include "support/catch.h"
#include "support/tiny_files.h"

using namespace puna;
using namespace puna::test;
using Catch::Contains;

namespace test_not_used {
namespace {

// The smallest dense model, tied or not, with fields and tensors of the test's.
struct Folder {
  TempFolder at;
  std::map<std::string, Shape> shapes;
  std::map<std::string, std::vector<float>> values;

  explicit Folder(bool tied = false) : tied_(tied) {
    add("model.embed_tokens.weight", {40, 32});
    if (!tied) add("lm_head.weight", {40, 32});
    add("model.norm.weight", {32});
    const std::string layer = "model.layers.0.";
    for (const char* norm : {"input_layernorm", "post_attention_layernorm"}) add(layer + norm + ".weight", {32});
    for (const char* matrix : {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj"})
      add(layer + matrix + ".weight", {32, 32});
    for (const char* matrix : {"mlp.gate_proj", "mlp.up_proj"}) add(layer + matrix + ".weight", {48, 32});
    add(layer + "mlp.down_proj.weight", {32, 48});
    config("");
  }
  void add(const std::string& name, const Shape& shape) {
    shapes[name] = shape;
    std::vector<float>& v = values[name];
    for (int64_t i = 0; i < shape.count(); ++i)
      v.push_back(float((i * 37 + int64_t(name.size()) * 11) % 101) / 101 - 0.5f);
  }
  void config(const std::string& fields) const {
    write_file(
        at / "config.json",
        R"({"model_type": "llama", "num_hidden_layers": 1, "hidden_size": 32, "num_attention_heads": 4, "vocab_size": 40, "intermediate_size": 48,
      "tie_word_embeddings": )" +
            std::string(tied_ ? "true" : "false") + (fields.empty() ? "" : ", ") + fields + "}");
  }
  ModelPtr open() const {
    std::vector<OutputTensor> out;
    for (const auto& [name, v] : values) out.push_back({name, DType::f32, shapes.at(name), v.data(), {}});
    write_safetensors(at / "model.safetensors", {}, out);
    return Model::open(make_context({}), at.path());
  }

 private:
  bool tied_;
};

std::vector<float> logits_of(const ModelPtr& model) {
  Session session(model, {true, 0, 256});
  const std::vector<int32_t> ids = {1, 5, 7, 3};
  std::vector<float> logits(ids.size() * size_t(model->config().vocab));
  session.append(ids, {.logits = logits});
  return logits;
}

std::vector<std::string> names(const std::vector<NotUsed::Item>& items) {
  std::vector<std::string> list;
  for (const NotUsed::Item& item : items) list.push_back(item.name);
  return list;
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("a tensor that is no part of the model is listed and changes nothing", "[runtime]") {
  const std::vector<float> want = logits_of(Folder().open());
  for (const char* name : {"extra.scale", "model.layers.0.self_attn.rotary_emb.inv_freq", "model.rotary_emb.inv_freq",
                           "model.layers.1.self_attn.q_proj.bias", "mtp.0.weight", "vision_tower.x", "score.weight",
                           "model.layers_extra"}) {
    CAPTURE(name);
    Folder folder;
    folder.add(name, {4});
    const ModelPtr model = folder.open();
    CHECK(names(model->not_used().tensors) == Names{name});
    CHECK(model->not_used().tensors[0].note == "F32 [4]");
    CHECK(logits_of(model) == want);
    CHECK(model->parameter_count() == Folder().open()->parameter_count());
  }
  CHECK(Folder().open()->not_used().tensors.empty());
}

TEST_CASE("a tensor beside those that a layer reads refuses the folder by its name", "[runtime]") {
  for (const char* name : {"model.layers.0.self_attn.q_proj.bias", "model.layers.0.self_attn.o_proj.bias",
                           "model.layers.0.mlp.down_proj.bias", "model.layers.0.input_layernorm.bias",
                           "model.layers.0.self_attn.q_norm.weight", "model.layers.0.self_attn.q_proj.weight_scale_inv",
                           "model.layers.0.mlp.experts.0.gate_proj.weight", "model.layers.0.never_seen", "lm_head.bias",
                           "model.norm.bias", "model.embed_tokens.weight_scale"}) {
    CAPTURE(name);
    Folder folder;
    folder.add(name, {4});
    CHECK_THROWS_WITH(folder.open(), Contains(std::string("'") + name + "'"));
  }
}

TEST_CASE("a second copy of a tied head is listed when it is the embedding and refused when it is not", "[runtime]") {
  Folder folder(/*tied=*/true);
  const std::vector<float> want = logits_of(folder.open());
  folder.add("lm_head.weight", {40, 32});
  folder.values["lm_head.weight"] = folder.values["model.embed_tokens.weight"];
  const ModelPtr model = folder.open();
  CHECK(names(model->not_used().tensors) == Names{"lm_head.weight"});
  CHECK(logits_of(model) == want);
  folder.values["lm_head.weight"].back() += 1;
  CHECK_THROWS_WITH(folder.open(), Contains("'lm_head.weight'") && Contains("tie_word_embeddings"));
}

TEST_CASE("fields of config.json that change nothing are listed, a misspelt one with the nearest known field",
          "[runtime]") {
  const Folder folder;
  folder.config(
      R"("torch_dtype": "float32", "rope_tetha": 500000, "use_cache": true, "max_positon_embeddings": 64, "my_own": [{"a": 1}])");
  const NotUsed found = folder.open()->not_used();
  CHECK(names(found.keys) == Names{"max_positon_embeddings", "rope_tetha", "torch_dtype", "use_cache", "my_own"});
  for (const NotUsed::Item& key : found.keys) {
    const std::string note = key.name == "rope_tetha"               ? "did you mean 'rope_theta'?"
                             : key.name == "max_positon_embeddings" ? "did you mean 'max_position_embeddings'?"
                                                                    : "";
    CHECK(key.note == note);
  }
}

TEST_CASE("with_weights keeps the list of what is not used", "[runtime]") {
  Folder folder;
  folder.add("extra.scale", {4});
  const ModelPtr model = folder.open();
  CHECK(names(model->with_weights(model->llama())->not_used().tensors) == Names{"extra.scale"});
}

TEST_CASE("a misspelt field of a configuration for a new model is an error", "[runtime]") {
  const TempFolder folder;
  const std::string head =
      R"({"model_type": "llama", "num_hidden_layers": 1, "hidden_size": 32, "num_attention_heads": 4, "vocab_size": 300, "intermediate_size": 48)";
  const Metadata tokenizer = train_bpe("a text that is long enough, a text", {300, 2, {"<|begin|>", "<|end|>"}, ""});
  write_file(folder / "config.json", head + R"(, "rope_theta": 20000, "initializer_range": 0.02, "comment": "mine"})");
  CHECK(new_model(make_context({}), folder / "config.json", tokenizer, 1)->config().rope_theta == 20000);
  write_file(folder / "config.json", head + R"(, "rope_tehta": 20000})");
  CHECK_THROWS_WITH(new_model(make_context({}), folder / "config.json", tokenizer, 1),
                    Contains("rope_tehta") && Contains("did you mean 'rope_theta'"));
}

}  // namespace test_not_used
