// The text models' golden numbers (reference: unmodified transformers, float32): every layer, every router choice,
// every greedy token.
#include "support/catch.h"
#include "support/files.h"
#include "support/golden.h"
#include "support/other_forms.h"
#include "support/run_model.h"

using namespace puna;
using namespace puna::test;

namespace {

std::vector<int64_t> row(const std::vector<int64_t>& v, int64_t index, int64_t width) {
  return {v.begin() + index * width, v.begin() + (index + 1) * width};
}

// Greedy continuation, one token a pass, chunked layers dropping what they cannot see.
void check_greedy(const Golden& g, const LoadedLlama& m, std::span<const int64_t> prompt) {
  KvCache cache = new_cache(m, true);
  const int64_t V = m.llama.config.vocab;
  std::vector<float> logits = run_rows(m, cache, 0, prompt, true);
  int64_t position = int64_t(prompt.size());
  const std::vector<int64_t> want = g.array("greedy_tokens").i64();
  std::vector<float> steps;
  std::vector<int64_t> got;
  for (size_t i = 0; i < want.size(); ++i) {
    steps.insert(steps.end(), logits.end() - V, logits.end());
    got.push_back(argmax({logits.data() + logits.size() - size_t(V), size_t(V)}));
    logits = run_rows(m, cache, position++, std::span(&got.back(), 1), true);
  }
  CHECK(got == want);
  g.check("greedy_step_logits", steps);
}

}  // namespace

TEST_CASE("text models give the reference's numbers in every layer", "[model][golden]") {
  for (const Golden& g : goldens(is_text_decoder)) {
    INFO("golden set " << g.folder());
    const LoadedLlama m = load_llama(g.folder());
    const LlamaConfig& c = m.llama.config;
    const bool streams = g.has("altup_hidden_states");  // [layers, streams, T, D] instead of [layers, 1, T, D]
    const char* const after_layers = streams ? "altup_hidden_states" : "hidden_states";
    const Npy hidden = g.array(after_layers);
    const int64_t S = hidden.shape[1], T = hidden.shape[2], D = hidden.shape[3];
    const std::vector<int64_t> ids = g.array("input_ids").i64();
    REQUIRE(c.layers == hidden.shape[0]);
    int64_t moe = 0;
    for (const uint8_t x : c.is_moe) moe += x;

    REQUIRE(c.streams == S);
    std::vector<float> embedded(size_t(S * T * D)), after(size_t(c.layers * T * D)), out(size_t(S) * after.size()),
        norm(size_t(T * D));
    std::vector<float> router(size_t(moe * T * c.experts)), scores(size_t(moe * T * c.experts_per_token));
    std::vector<int32_t> experts(scores.size());
    ForwardTaps taps{embedded.data(), after.data(), out.data(), norm.data(), nullptr, nullptr, nullptr};
    if (moe) {
      taps.router_logits = router.data();
      taps.router_experts = experts.data();
      taps.router_scores = scores.data();
    }
    KvCache cache = new_cache(m, true);
    const std::vector<float> logits = run_rows(m, cache, 0, ids, true, &taps);
    g.check("logits", logits);
    g.check(streams ? "altup_embeddings" : "embeddings", embedded);
    g.check(after_layers, out);
    g.check("final_norm", norm);
    // LongRoPE: the set's is that of short sequences, and so is ours
    g.check("rope_inv_freq", c.inverse_frequency);
    if (g.has("rope_inv_freq_local")) g.check("rope_inv_freq_local", c.local_frequency);
    if (g.has("rope_inv_freq_long")) g.check("rope_inv_freq_long", c.long_frequency);
    std::vector<float> attn = after, ffn = out;  // block outputs are differences of the residual stream
    for (size_t i = 0; S == 1 && i < attn.size(); ++i) {
      attn[i] -= i < size_t(T * D) ? embedded[i] : out[i - size_t(T * D)];
      ffn[i] -= after[i];
    }
    if (g.has("attn_out")) g.check("attn_out", attn);
    if (g.has("ffn_out")) g.check("ffn_out", ffn);
    if (moe) {
      g.check("router_logits", router);
      g.check("router_scores", scores);
      CHECK(std::vector<int64_t>(experts.begin(), experts.end()) == g.array("router_experts").i64());
    }
    check_greedy(g, m, ids);
  }
}

TEST_CASE("sequences of a padded batch give what each gives alone", "[model][golden]") {
  for (const Golden& g : goldens(is_text_decoder)) {
    if (!g.has("batch_logits")) continue;
    INFO("golden set " << g.folder());
    const LoadedLlama m = load_llama(g.folder());
    const int64_t V = m.llama.config.vocab;
    const Npy ids = g.array("batch_input_ids");
    const std::vector<int64_t> all = ids.i64(), mask = g.array("batch_attention_mask").i64();
    const std::vector<float> want = g.array("batch_logits").f32();
    for (int64_t s = 0; s < ids.shape[0]; ++s) {
      std::vector<int64_t> tokens = row(all, s, ids.shape[1]);
      const std::vector<int64_t> real = row(mask, s, ids.shape[1]);
      tokens.resize(size_t(std::count(real.begin(), real.end(), 1)));
      KvCache cache = new_cache(m, true);
      const std::vector<float> got = run_rows(m, cache, 0, tokens, true);
      check_close("sequence " + std::to_string(s), got, {want.data() + s * ids.shape[1] * V, got.size()},
                  g.tolerance("batch_logits"));
    }
  }
}

TEST_CASE("other forms of a checkpoint (bf16, sharded, published config) give their golden logits", "[model][golden]") {
  for (const Golden& g : goldens(is_text_decoder)) {
    INFO("golden set " << g.folder());
    const std::vector<int64_t> ids = g.array("input_ids").i64();
    const TempFolder made;
    if (g.has_file("model.safetensors")) {
      write_shards(g.folder(), made / "sharded", 3);
      const LoadedLlama m = load_llama(made / "sharded");
      KvCache cache = new_cache(m, true);
      g.check("logits", run_rows(m, cache, 0, ids, true));
    }
    if (g.has("mxfp4_logits")) {
      const LoadedLlama m = load_llama(g.folder() + "/mxfp4");
      CHECK(m.llama.weights.layers[0].experts[0].gate.dtype == DType::mxfp4);
      KvCache cache = new_cache(m, true);
      g.check("mxfp4_logits", run_rows(m, cache, 0, ids, true));
    }
    if (g.has("bf16_weights_f32_compute_logits")) {
      write_bf16(g.folder(), made / "bf16");
      const LoadedLlama m = load_llama(made / "bf16");
      KvCache cache = new_cache(m, true);
      g.check("bf16_weights_f32_compute_logits", run_rows(m, cache, 0, ids, true));
    }
  }
}
