// What a GGUF file says and no loader reads: a tensor or a key that would change the numbers refuses the model by its
// name; what surely does not change them may lie there, and the logits stay as they are.
#include <functional>

#include "model/leftovers.h"
#include "model/made_model.h"
#include "puna/base/error.h"

using namespace puna;
using namespace puna::test;
using Catch::Contains;

namespace {

LlamaConfig small(bool llama4) { return make_config(llama4, 2, 64, 4, 2, 16, 40, 96); }

std::vector<float> logits(const Made& made) {
  const LoadedLlama m = load_made(made);
  KvCache cache = new_cache(m, true);
  return run_rows(m, cache, 0, made_tokens(12, m.llama.config.vocab), true);
}

// Without the frequencies that our own files carry, so that the keys of RoPE are what counts.
Made plain_gguf(bool llama4 = false) {
  Made made = make_gguf(small(llama4));
  Metadata m;
  for (const auto& [key, value] : made.metadata.values())
    if (key != "puna.rope.inverse_frequency") m.set(key, value);
  made.metadata = m;
  return made;
}

void refused(const Made& made, const std::string& name) {
  CAPTURE(name);
  CHECK_THROWS_WITH(load_made(made), Contains(name));
}

}  // namespace

TEST_CASE("a GGUF tensor beside those that a layer reads refuses the model by its name", "[model]") {
  for (const bool llama4 : {false, true})
    for (const char* name : {"blk.0.attn_q.bias",
                             "blk.1.attn_k.bias",
                             "blk.0.attn_v.bias",
                             "blk.0.attn_output.bias",
                             "blk.0.ffn_gate.bias",
                             "blk.0.ffn_up.bias",
                             "blk.1.ffn_down.bias",
                             "blk.0.attn_norm.bias",
                             "blk.0.ffn_norm.bias",
                             "blk.0.attn_q_norm.weight",
                             "blk.0.attn_k_norm.weight",
                             "blk.0.post_attention_norm.weight",
                             "blk.0.post_ffw_norm.weight",
                             "blk.0.attn_sinks.weight",
                             "blk.0.attn_qkv.weight",
                             "blk.0.attn_q.scale",
                             "blk.0.exp_probs_b.bias",
                             "blk.0.layer_output_scale.weight",
                             "blk.0.never_seen_before",
                             "blk.x.y",
                             "output.bias",
                             "output_norm.bias",
                             "token_embd_norm.weight",
                             "position_embd.weight",
                             "token_types.weight",
                             "rope_factors_long.weight",
                             "blk.2.attn_q.weight",
                             "blk.17.attn_norm.weight"}) {
      Made made = make_gguf(small(llama4));
      made.add(name, DType::f32, {64}, 0, 1);
      refused(made, std::string("'") + name + "'");
    }
}

TEST_CASE("a GGUF tensor that is no part of the model may lie in the file and changes nothing", "[model]") {
  const std::vector<float> want = logits(make_gguf(small(false)));
  for (const char* name :
       {"extra.scale", "v.blk.0.attn_q.bias", "mm.0.weight", "cls.weight", "blk.0.attn_rot_embd.weight"}) {
    CAPTURE(name);
    Made made = make_gguf(small(false));
    made.add(name, DType::f32, {64}, 0, 1);
    CHECK(logits(made) == want);
  }
  Made ahead = make_gguf(small(false));  // a layer that guesses the token after the next
  ahead.metadata.set("llama.nextn_predict_layers", int64_t{1});
  ahead.add("blk.2.attn_q.weight", DType::f32, {64, 64}, 0, 1);
  CHECK(logits(ahead) == want);
  ahead.add("blk.3.attn_q.weight", DType::f32, {64, 64}, 0, 1);
  refused(ahead, "'blk.3.attn_q.weight'");
}

TEST_CASE("what was found by name is marked as read, and copies keep the marks", "[model]") {
  Made made = make_gguf(small(false));
  made.add("extra.scale", DType::f32, {2}, 0, 1);
  made.metadata.set("llama.unheard_of", int64_t{3});
  const TensorMap tensors = made.map();
  Llama::from_gguf(*context_with(), made.metadata, tensors);
  const TensorMap copy = tensors;
  for (size_t i = 0; i < copy.size(); ++i) CHECK(copy.was_read(i) == (copy.entries()[i].name != "extra.scale"));
  CHECK(made.metadata.unread() == std::vector<std::string>{"llama.unheard_of"});
  CHECK(Metadata(made.metadata).unread() == made.metadata.unread());
}

TEST_CASE("GGUF keys that others compute with must have the value that changes nothing", "[model]") {
  struct Key {
    const char* name;
    MetadataValue neutral, changing;
  };
  const int64_t zero = 0, two = 2;
  const Key keys[] = {{"attention.scale", 0.25, 0.5},
                      {"attention.scale", 0.0, 1.0},
                      {"attention.clamp_kqv", 0.0, 8.0},
                      {"attention.max_alibi_bias", 0.0, 8.0},
                      {"attention.causal", true, false},
                      {"attention.temperature_scale", 0.0, 0.5},
                      {"attn_logit_softcapping", 0.0, 50.0},
                      {"final_logit_softcapping", 0.0, 30.0},
                      {"logit_scale", 1.0, 8.0},
                      {"residual_scale", 1.0, 0.22},
                      {"embedding_scale", 1.0, 12.0},
                      {"expert_weights_scale", 1.0, 2.5},
                      {"expert_weights_norm", false, true},
                      {"expert_gating_func", two, int64_t{1}},
                      {"use_parallel_residual", false, true},
                      {"attention.sliding_window", int64_t{4096}, int64_t{16}},
                      {"attention.sliding_window", zero, int64_t{4095}},
                      {"rope.dimension_sections", std::vector<int64_t>{}, std::vector<int64_t>{2, 3, 3}},
                      {"rope.freq_base_swa", 10000.0, 1e6},
                      {"rope.scaling.attn_factor", 1.0, 1.2},
                      {"rope.scaling.yarn_ext_factor", 0.0, 1.0},
                      {"rope.scaling.yarn_attn_factor", 1.0, 1.2},
                      {"rope.scaling.yarn_log_multiplier", 0.0, 0.1},
                      {"rope.scaling.type", std::string("none"), std::string("yarn")},
                      {"rope.scaling.type", std::string("linear"), std::string("longrope")},
                      {"rope.scaling.alpha", 1.0, 1000.0},
                      {"rope.scaling.factor", 1.0, -2.0},
                      {"attention.shared_kv_layers", zero, int64_t{1}},
                      {"leading_dense_block_count", zero, int64_t{1}}};
  const std::vector<float> want = logits(plain_gguf());
  for (const Key& k : keys) {
    const std::string key = std::string("llama.") + k.name;
    CAPTURE(key);
    Made made = plain_gguf();
    made.metadata.set(key, k.neutral);
    CHECK(logits(made) == want);
    made.metadata.replace(key, k.changing);
    refused(made, key);
    made.metadata.replace(key, std::vector<std::string>{"x"});
    refused(made, key);
  }
}

TEST_CASE("harmless and unknown keys change nothing and stay unread", "[model]") {
  const std::vector<float> want = logits(plain_gguf());
  Made made = plain_gguf();
  for (const char* key : {"llama.rope.scaling.finetuned", "llama.rope.scaling.yarn_beta_fast",
                          "llama.tensor_data_layout", "llama.attention.haed_count", "granite.logit_scale"})
    made.metadata.set(key, int64_t{1});
  made.metadata.set("llama.rope.scaling.original_context_length", int64_t{2048});
  CHECK(logits(made) == want);
  CHECK(made.metadata.unread().size() == 6);
}

TEST_CASE("linear RoPE scaling has three spellings in GGUF, all with the same result", "[model]") {
  const auto with = [](std::vector<std::pair<const char*, MetadataValue>> keys) {
    Made made = plain_gguf();
    for (const auto& [key, value] : keys) made.metadata.set(key, value);
    return made;
  };
  const std::vector<float> plain = logits(plain_gguf());
  const std::vector<float> stretched =
      logits(with({{"llama.rope.scaling.type", std::string("linear")}, {"llama.rope.scaling.factor", 4.0}}));
  CHECK(stretched != plain);
  CHECK(logits(with({{"llama.rope.scale_linear", 4.0}})) == stretched);
  CHECK(logits(with({{"llama.rope.scaling.factor", 4.0}})) == stretched);
  CHECK(logits(with({{"llama.rope.scaling.type", std::string("linear")}, {"llama.rope.scale_linear", int64_t{4}}})) ==
        stretched);
  CHECK(logits(with({{"llama.rope.scaling.factor", 4.0}, {"llama.rope.scale_linear", 4.0}})) == stretched);
  CHECK(logits(with({{"llama.rope.scale_linear", 1.0}})) == plain);
  refused(with({{"llama.rope.scaling.factor", 4.0}, {"llama.rope.scale_linear", 2.0}}), "llama.rope.scale_linear");
  refused(with({{"llama.rope.scaling.type", std::string("none")}, {"llama.rope.scaling.factor", 4.0}}),
          "llama.rope.scaling.factor");
  refused(with({{"llama.rope.scale_linear", std::string("4")}}), "llama.rope.scale_linear");
  refused(with({{"llama.rope.scale_linear", 1e300}}), "llama.rope.scale_linear");
  const std::vector<double> frequencies(8, 0.5);
  refused(with({{"llama.rope.scale_linear", 4.0}, {"puna.rope.inverse_frequency", frequencies}}),
          "llama.rope.scale_linear");
}

TEST_CASE("Llama 4's chunk is 8192 in GGUF unless a puna.* key gives it", "[model]") {
  Made made = plain_gguf(true);
  made.metadata.replace("llama4.attention.sliding_window", int64_t{16});  // as the explicit chunk
  CHECK_NOTHROW(load_made(made));
  made.metadata.replace("llama4.attention.sliding_window", int64_t{4096});
  refused(made, "llama4.attention.sliding_window");
}

TEST_CASE("a key of our own that this version does not know refuses the model and names its neighbour", "[model]") {
  Made made = make_gguf(small(true));
  made.metadata.set("puna.attention.qk_nrom", true);
  CHECK_THROWS_WITH(load_made(made),
                    Contains("puna.attention.qk_nrom") && Contains("did you mean 'puna.attention.qk_norm'"));
}

TEST_CASE("a GGUF file that holds no model is an error that says what it holds", "[model]") {
  Made made = make_gguf(small(false));
  made.metadata.set("general.type", std::string("model"));
  CHECK_NOTHROW(load_made(made));
  made.metadata.replace("general.type", std::string("adapter"));
  refused(made, "general.type");
}

TEST_CASE("a layer's number is read from a name, and nothing else is", "[model]") {
  CHECK(layer_of("blk.12.attn_q.weight", "blk.") == 12);
  CHECK(layer_of("model.layers.0.x", "model.layers.") == 0);
  for (const char* name : {"blk.", "blk.x.y", "blk.-1.y", "blk.7", "blk.99999999999999999999.y", "other.3.y"})
    CHECK(layer_of(name, "blk.") == -1);
}
