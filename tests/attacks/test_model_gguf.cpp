// Hostile numbers in GGUF metadata, and in the one tensor that is read as a hyper-parameter: rope_freqs.
#include "attacks/model_attack.h"
#include "model/made_model.h"

using namespace puna;
using namespace puna::test;

namespace {

void refuse(const Made& made, const std::vector<KeyAttack>& attacks) {
  const ContextPtr context = context_with();
  REQUIRE_NOTHROW(Llama::from_gguf(*context, made.metadata, made.map()));
  for (const KeyAttack& a : attacks) {
    CAPTURE(a.key, a.value.index());
    Metadata m = made.metadata;
    m.replace(a.key, a.value);
    expect_model_refused(context, a.named ? a.named : a.key,
                         [&](const Context& c) { Llama::from_gguf(c, m, made.map()); });
  }
}

std::vector<KeyAttack> not_counts(std::initializer_list<const char*> keys) {
  std::vector<KeyAttack> attacks;
  for (const char* key : keys)
    for (const MetadataValue& v :
         std::vector<MetadataValue>{int64_t{0}, int64_t{-1}, INT64_MIN, INT64_MAX, UINT64_MAX, kHuge, 1.5, kNan,
                                    std::string("8"), true, Strings{"8"}, Integers{0}, Integers{kHuge}, Integers{8, 9}})
      attacks.push_back({key, v});
  return attacks;
}

const LlamaConfig kDense = make_config(false, 2, 64, 4, 2, 16, 40, 96),
                  kLlama4 = make_config(true, 3, 64, 4, 2, 16, 40, 96);

// kDense with a rope_freqs tensor of these values, stored as f32.
Made with_rope_freqs(std::vector<float> values) {
  Made made = make_gguf(kDense);
  std::map<std::string, MetadataValue, std::less<>> keys = made.metadata.values();
  keys.erase("puna.rope.inverse_frequency");  // ours would win
  made.metadata = {};
  for (const auto& [key, value] : keys) made.metadata.set(key, value);
  made.add("rope_freqs.weight", DType::f32, {int64_t(values.size())}, 0, 0);
  if (!values.empty()) memcpy(made.bytes.back()->data(), values.data(), values.size() * 4);
  return made;
}

}  // namespace

TEST_CASE("GGUF counts are whole numbers within reason", "[attacks]") {
  refuse(make_gguf(kDense),
         not_counts({"llama.block_count", "llama.embedding_length", "llama.attention.head_count",
                     "llama.attention.head_count_kv", "llama.attention.key_length", "llama.attention.value_length",
                     "llama.feed_forward_length", "llama.context_length", "llama.rope.dimension_count"}));
  for (const char* key : {"general.architecture", "llama.block_count", "llama.embedding_length",
                          "llama.attention.head_count", "llama.feed_forward_length"})
    refuse(make_gguf(kDense), {{key, std::monostate()}});
}

TEST_CASE("GGUF counts agree with each other and with the tensors", "[attacks]") {
  refuse(make_gguf(kDense), {{"llama.attention.head_count_kv", int64_t{3}, "share"},
                             {"llama.attention.head_count", int64_t{5}, "share"},
                             {"llama.attention.head_count", int64_t{6}, "attn_q"},
                             {"llama.attention.key_length", int64_t{15}, "value_length"},
                             {"llama.attention.value_length", int64_t{32}},
                             {"llama.rope.dimension_count", int64_t{8}},
                             {"llama.block_count", int64_t{3}, "blk.2."},
                             {"llama.block_count", int64_t{4096}, "blk.2."},
                             {"llama.embedding_length", int64_t{63}, "token_embd"},
                             {"llama.feed_forward_length", int64_t{97}, "ffn_gate"},
                             {"llama.expert_count", int64_t{8}},
                             {"general.architecture", std::string("gpt2")},
                             {"general.architecture", int64_t{4}}});
  Made made = make_gguf(kDense);  // heads of no size: 64 / 128
  for (const char* key : {"llama.attention.key_length", "llama.attention.value_length"})
    made.metadata.replace(key, std::monostate());
  made.metadata.replace("llama.attention.head_count", int64_t{128});
  made.metadata.replace("llama.attention.head_count_kv", int64_t{128});
  made.metadata.replace("llama.rope.dimension_count", std::monostate());
  made.metadata.replace("puna.rope.inverse_frequency", std::vector<double>{});
  expect_model_refused(context_with(), "head_dim",
                       [&](const Context& c) { Llama::from_gguf(c, made.metadata, made.map()); });
}

TEST_CASE("GGUF real numbers are finite and in range", "[attacks]") {
  std::vector<KeyAttack> attacks;
  for (const double x : {0.0, -1.0, 1e-300, 1e300, kNan, kInf})
    attacks.push_back({"llama.attention.layer_norm_rms_epsilon", x});
  attacks.push_back({"llama.attention.layer_norm_rms_epsilon", std::string("1e-5")});
  for (const double x : {-1.0, 1e300, kNan, kInf})
    attacks.push_back({"puna.rope.inverse_frequency", std::vector<double>(8, x), "RoPE frequency"});
  for (const size_t n : {0, 7, 9, 100000})
    attacks.push_back({"puna.rope.inverse_frequency", std::vector<double>(n, 0.5)});
  attacks.push_back({"puna.rope.inverse_frequency", Integers(8, 1)});
  attacks.push_back({"puna.rope.half_split", int64_t{1}});
  refuse(make_gguf(kDense), attacks);

  const Made plain = with_rope_freqs(std::vector<float>(8, 1.0f));
  refuse(plain, {{"llama.rope.freq_base", 0.0},
                 {"llama.rope.freq_base", kNan},
                 {"llama.rope.freq_base", kInf},
                 {"llama.rope.freq_base", -1.0},
                 {"llama.rope.scaling.type", std::string("yarn"), "yarn"},
                 {"llama.rope.scaling.type", int64_t{1}}});
  for (const double x : {0.0, -1.0, 1e300, kNan}) {
    Made linear = plain;
    linear.metadata.replace("llama.rope.scaling.type", std::string("linear"));
    refuse(linear, {{"llama.rope.scaling.factor", x}});
  }
}

TEST_CASE("rope_freqs has one finite divisor above zero for each pair", "[attacks]") {
  const ContextPtr context = context_with();
  const auto refuse_values = [&](std::vector<float> values, const char* named = "rope_freqs.weight") {
    const Made made = with_rope_freqs(std::move(values));
    expect_model_refused(context, named, [&](const Context& c) { Llama::from_gguf(c, made.metadata, made.map()); });
  };
  for (const size_t n : {0, 1, 7, 9, 1000}) refuse_values(std::vector<float>(n, 1.0f));
  for (const float bad : {0.0f, -0.0f, -1.0f, float(kNan), float(kInf), -float(kInf)})
    for (const size_t at : {0, 7}) {
      std::vector<float> values(8, 1.0f);
      values[at] = bad;
      refuse_values(values);
    }
  refuse_values(std::vector<float>(8, 1e-45f), "RoPE frequency");  // divides to infinity
  Made made = with_rope_freqs(std::vector<float>(8, 1.0f));
  CHECK_NOTHROW(load_made(made));
  TensorEntry& t = made.tensor("rope_freqs.weight");
  const auto still = [&](auto change) {
    const TensorEntry before = t;
    change();
    expect_model_refused(context, "rope_freqs.weight",
                         [&](const Context& c) { Llama::from_gguf(c, made.metadata, made.map()); });
    t = before;
  };
  still([&] { t.shape = {8, 1}; });
  still([&] { t.shape = Shape(); });
  still([&] { t.shape = {kHuge}; });
  still([&] { t.shape = {-8}; });
  still([&] { t.dtype = DType::i32; });
  still([&] { t.bytes = 31; });
}

TEST_CASE("Llama 4's GGUF keys fit the model", "[attacks]") {
  const Made made = make_gguf(kLlama4);
  refuse(made, not_counts({"llama4.expert_count", "llama4.expert_used_count", "llama4.expert_feed_forward_length",
                           "llama4.interleave_moe_layer_step"}));
  refuse(made, {{"llama4.expert_count", std::monostate()},
                {"llama4.expert_feed_forward_length", std::monostate()},
                {"llama4.expert_count", int64_t{4}, "ffn_gate_inp"},
                {"llama4.expert_count", int64_t{1} << 14, "ffn_gate_inp"},
                {"llama4.expert_used_count", int64_t{4}, "experts a token"},
                {"llama4.expert_feed_forward_length", int64_t{97}, "ffn_gate_exps"},
                {"puna.moe_layers", Integers{1}},
                {"puna.moe_layers", Integers(4, 0)},
                {"puna.moe_layers", Integers{1, 1, 1}, "ffn_gate_inp"},
                {"puna.moe_layers", Integers{0, 0, 1}, "blk.1.ffn_gate.weight"},
                {"puna.moe_layers", Strings{"a", "b", "c"}},
                {"puna.moe_layers", int64_t{1}},
                {"puna.rope_layers", Integers{1, 0}},
                {"puna.rope_layers", Integers(100000, 1)},
                {"puna.rope_layers", 0.5},
                {"puna.attention.chunk", int64_t{-1}},
                {"puna.attention.chunk", kHuge},
                {"puna.attention.chunk", 16.0},
                {"llama4.attention.sliding_window", int64_t{-1}},
                {"puna.attention.temperature", int64_t{1}},
                {"puna.attention.qk_norm", std::string("no")}});
  std::vector<KeyAttack> attacks;
  for (const double x : {0.0, -1.0, 0.5, 1e300, kNan, kInf}) attacks.push_back({"puna.attention.floor_scale", x});
  for (const double x : {-1e300, 1e300, kNan, kInf}) attacks.push_back({"puna.attention.attn_scale", x});
  refuse(made, attacks);
}

TEST_CASE("models at the edge of what is allowed still run", "[attacks]") {
  LlamaConfig c = kLlama4;
  c.floor_scale = 1;
  c.attn_scale = -1e6f;
  c.norm_eps = 1;
  c.chunk = 1;
  c.experts_per_token = c.experts;
  for (const float f : {0.0f, 1.0f}) {
    c.inverse_frequency.assign(size_t(c.head_dim / 2), f);
    const Made made = make_gguf(c);
    const LoadedLlama m = load_made(made);
    KvCache cache = new_cache(m, false);
    const std::vector<float> logits = run_rows(m, cache, 0, made_tokens(20, c.vocab), false);
    CHECK(std::all_of(logits.begin(), logits.end(), [](float x) { return std::isfinite(x); }));
  }
}
