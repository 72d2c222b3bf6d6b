// held.cpp -- what a token costs behind 100 and behind 30,000 held tokens, attention apart: `held [LENGTH [CHUNK]]`,
// `./dev bench held`.
//   A model of random weights whose layers all attend in chunks, as most of Llama 4's do, and small: work that grows
//   with the conversation would stand out. The attention kernels are timed one call at a time by a table of kernels
//   around the real one; the rest is the token's time less theirs. One thread, so that the times add up.
// The rest must cost the same at both lengths.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "kernels/kernel_table.h"
#include "puna/base/error.h"
#include "puna/model/new_llama.h"
#include "puna/runtime/session.h"

using namespace puna;

namespace {

constexpr int64_t kShort = 100;
constexpr int kRounds = 9, kTokens = 16;  // of a round and session: the short one ends with 244 held

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

const KernelTable& real = *select_kernels("");
double attention_seconds = 0;

template <auto kernel, class... Args>
void timed(Args... args) {
  const double start = now();
  (real.*kernel)(args...);
  attention_seconds += now() - start;
}

KernelTable with_timed_attention() {
  KernelTable k = real;
  k.attend_f32 = timed<&KernelTable::attend_f32, const Attend&>;
  k.attend_f16 = timed<&KernelTable::attend_f16, const Attend&>;
  k.attend_q8 = timed<&KernelTable::attend_q8, const Attend&>;
  k.merge_attention = timed<&KernelTable::merge_attention, float*, float*, const float*, const float*, int64_t>;
  k.finish_attention = timed<&KernelTable::finish_attention, float*, const float*, int64_t>;
  return k;
}

LlamaConfig shape(int64_t chunk) {
  LlamaConfig c;
  c.architecture = "llama4";
  c.layers = 12;
  c.hidden = 256;
  c.heads = 4;
  c.kv_heads = 2;
  c.head_dim = 64;
  c.ffn = 1024;
  c.vocab = 4096;
  c.chunk = chunk;
  c.qk_norm = QkNorm::after_rope;
  c.max_positions = 131072;
  c.norm_eps = 0x1p-17f;
  c.inverse_frequency = rope_inverse_frequency(c.head_dim, c.rope_theta, {});
  c.uses_rope.assign(size_t(c.layers), 1);
  c.is_moe.assign(size_t(c.layers), 0);
  return c;
}

std::vector<int32_t> some_tokens(int64_t count, int64_t vocab) {
  std::vector<int32_t> ids;
  for (int64_t i = 0; i < count; ++i) ids.push_back(int32_t(i * 7919 % vocab));
  return ids;
}

double median(std::vector<double> v) {
  std::nth_element(v.begin(), v.begin() + std::ptrdiff_t(v.size() / 2), v.end());
  return v[v.size() / 2];
}

// One conversation: milliseconds a token of each round.
struct Held {
  Session session;
  std::vector<double> all, attention, rest;

  Held(const ModelPtr& model, int64_t length) : session(model, {}) {
    session.append(some_tokens(length, model->config().vocab));
  }
  void round() {
    const std::vector<int32_t> tokens = some_tokens(kTokens, session.model().config().vocab);
    const double start = now();
    attention_seconds = 0;
    for (const int32_t id : tokens) session.append(std::span(&id, 1));
    const double seconds = now() - start;
    all.push_back(1e3 * seconds / kTokens);
    attention.push_back(1e3 * attention_seconds / kTokens);
    rest.push_back(all.back() - attention.back());
  }
  void print(int64_t length) const {
    printf("%10jd  %9.4f  %9.4f  %9.4f\n", length, median(all), median(attention), median(rest));
  }
};

void run(int64_t length, int64_t chunk) {
  PUNA_REQUIRE(length > kShort && length <= 131072 - kRounds * kTokens, "LENGTH is %jd, expected %jd to 130000", length,
               kShort + 1);
  PUNA_REQUIRE(chunk >= 1, "CHUNK is %jd, expected at least 1", chunk);
  const KernelTable kernels = with_timed_attention();
  ContextOptions options;
  options.threads = 1;
  const auto context = std::make_shared<const Context>(options, kernels);
  Llama llama = new_llama(*context, shape(chunk), 1);
  Checkpoint none;
  none.metadata = gguf_metadata(llama.config);
  const ModelPtr model = Model::from_weights(context, std::move(none), std::move(llama));
  Held few(model, kShort), many(model, length);
  for (int r = 0; r < kRounds; ++r) {
    few.round();
    many.round();
  }
  printf("milliseconds a token, medians of %d rounds; chunks of %jd, one thread\n\n", kRounds, chunk);
  printf("%10s  %9s  %9s  %9s\n", "held", "all", "attention", "the rest");
  few.print(kShort);
  many.print(length);
  printf("%10s  %9.3f  %9.3f  %9.3f\n", "times", median(many.all) / median(few.all),
         median(many.attention) / median(few.attention), median(many.rest) / median(few.rest));
}

}  // namespace

int main(int argc, char** argv) {
  try {
    run(argc > 1 ? atoll(argv[1]) : 30000, argc > 2 ? atoll(argv[2]) : 8192);
    return 0;
  } catch (const std::exception& e) {
    fprintf(stderr, "held: %s\n", e.what());
    return 1;
  }
}
