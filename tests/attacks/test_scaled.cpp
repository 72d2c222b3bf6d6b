// Hostile quantised folders: what quantization_config may say and must not, groups that are not there, tensors that
// contradict the configuration.
#include <cstring>

#include "attacks/model_attack.h"
#include "support/golden.h"

using namespace puna;
using namespace puna::test;

namespace test_scaled {
namespace {

struct Folder {
  explicit Folder(const std::string& name) : context(context_with()) {
    for (const Golden& g : goldens([](const Golden& s) { return s.fixture() == "scaled"; }))
      if (g.folder().ends_with(name)) checkpoint = load_checkpoint(*context, g.folder());
    REQUIRE(checkpoint.tensors.size() > 0);
    REQUIRE_NOTHROW(Llama::from_huggingface(*context, checkpoint.metadata, checkpoint.tensors));
  }
  void refuse(const std::string& key, const MetadataValue& value, const char* named = nullptr) const {
    const std::string full = "quantization_config." + key;
    CAPTURE(full, describe(value));
    Metadata m = checkpoint.metadata;
    m.replace(full, value);
    expect_model_refused(context, named ? named : full,
                         [&](const Context& c) { Llama::from_huggingface(c, m, checkpoint.tensors); });
  }
  void refuse_tensors(const TensorMap& tensors, const std::string& named) const {
    expect_model_refused(context, named,
                         [&](const Context& c) { Llama::from_huggingface(c, checkpoint.metadata, tensors); });
  }
  ContextPtr context;
  Checkpoint checkpoint;
};

const std::string kLayer = "model.layers.0.";

}  // namespace

TEST_CASE("what a quantiser may say and is not read is refused by its key", "[attacks][golden]") {
  for (const char* name : {"scaled_awq", "scaled_gptq"}) {
    const Folder f(name);
    for (const int64_t bits : {int64_t{2}, int64_t{3}, int64_t{8}, int64_t{0}, int64_t{-4}, kHuge})
      f.refuse("bits", bits);
    for (const int64_t group : {int64_t{0}, int64_t{-2}, int64_t{16}, int64_t{48}, int64_t{31}, kHuge})
      f.refuse("group_size", group);
    for (const int64_t group : {int64_t{32}, int64_t{64}, int64_t{-1}})  // its scales are of groups of 128
      f.refuse("group_size", group, ".scales'");
    f.refuse("group_size", int64_t{96}, "groups of 96");
    f.refuse("group_size", std::string("128"));
    for (const char* method : {"bitsandbytes", "hqq", "aqlm", "eetq", "quanto", "torchao", "mxfp4", ""})
      f.refuse("quant_method", std::string(method));
    f.refuse("quant_method", int64_t{1});
  }
  const Folder awq("scaled_awq"), gptq("scaled_gptq"), packed("scaled_packed"), blocks("scaled_f8_blocks");
  for (const char* version : {"gemv", "gemv_fast", "marlin", "llm-awq", ""})
    awq.refuse("version", std::string(version));
  gptq.refuse("checkpoint_format", std::string("marlin"));
  gptq.refuse("pack_dtype", std::string("int64"));
  const std::string weights = "config_groups.group_0.weights.";
  packed.refuse("format", std::string("marlin-24"));
  packed.refuse("format", std::string("int-quantized"));
  packed.refuse(weights + "num_bits", int64_t{8});
  packed.refuse(weights + "type", std::string("float"));
  packed.refuse(weights + "strategy", std::string("tensor_group"));
  packed.refuse(weights + "group_size", int64_t{8});
  packed.refuse(weights + "symmetric", false, "weight_zero_point");
  for (const Integers& block : {Integers{96}, Integers{0, 96}, Integers{-96, 96}, Integers{96, 0}, Integers{96, 16},
                                Integers{INT64_MAX, INT64_MAX}, Integers{96, 96, 96}})
    blocks.refuse("weight_block_size", block);
  blocks.refuse("weight_block_size", Integers{32, 32}, ".weight_scale_inv'");  // its scales are of other blocks
  blocks.refuse("weight_block_size", std::string("96"));
}

TEST_CASE("an input's group is one that is there", "[attacks][golden]") {
  const Folder f("scaled_gptq_act_order");
  for (const int32_t group : {-1, 4, INT32_MAX, INT32_MIN}) {
    const std::string name = kLayer + "mlp.up_proj.g_idx";
    const TensorEntry* const is = f.checkpoint.tensors.find(name);
    REQUIRE((is && is->shape == Shape{128}));
    std::vector<int32_t> values(128);
    memcpy(values.data(), is->data, is->bytes);
    values[77] = group;
    TensorEntry changed = *is;
    changed.data = reinterpret_cast<const std::byte*>(values.data());
    CAPTURE(group);
    f.refuse_tensors(with(f.checkpoint.tensors, "", &changed), "'" + name + "': value 77");
    changed.shape = {64};
    changed.bytes = 256;
    f.refuse_tensors(with(f.checkpoint.tensors, "", &changed), "'" + name + "'");
  }
}

TEST_CASE("tensors that the configuration does not explain are refused", "[attacks][golden]") {
  const Folder f("scaled_gptq");
  Metadata plain = f.checkpoint.metadata;
  Metadata without;
  for (const auto& [key, value] : plain.values())
    if (!key.starts_with("quantization_config")) without.set(key, value);
  expect_model_refused(f.context, "q_proj.weight'",
                       [&](const Context& c) { Llama::from_huggingface(c, without, f.checkpoint.tensors); });
  // A bias that is not zero; the ones that are pass.
  const std::string bias = kLayer + "self_attn.o_proj.bias";
  const TensorEntry* const is = f.checkpoint.tensors.find(bias);
  REQUIRE(is);
  std::vector<std::byte> values(is->data, is->data + is->bytes);
  values.back() = std::byte{0x3C};
  TensorEntry changed = *is;
  changed.data = values.data();
  f.refuse_tensors(with(f.checkpoint.tensors, "", &changed), bias);
  // Codes beside plain weights: which of them counts?
  TensorMap both = with(f.checkpoint.tensors, "");
  const std::vector<float> weights(128 * 128);
  both.add({kLayer + "self_attn.o_proj.weight",
            DType::f32,
            {128, 128},
            reinterpret_cast<const std::byte*>(weights.data()),
            weights.size() * 4});
  f.refuse_tensors(both, "self_attn.o_proj.");
}

}  // namespace test_scaled
