// A provider handed to a context: who uses it and who never does, and what it may be.
#include <puna_gemm.h>
#include <puna_train.h>

#include <atomic>
#include <cmath>
#include <stdexcept>

#include "capi/fixture.h"

using namespace puna::test;

namespace {

// Slower than we are, hence never chosen, but called when a size is measured: whoever may use it can be seen. It makes
// two multiply-adds where a product needs one, each through memory, and so is slower on an emulated CPU too, where
// arithmetic costs the most.
struct Counting {
  std::atomic<int64_t> f32{0}, bf16{0};
  template <std::atomic<int64_t> Counting::*count, class T>
  static int32_t multiply(void* user, int32_t, int64_t m, int64_t n, int64_t k, const T*, int64_t, const T*, int64_t,
                          float* c, int64_t ldc) {
    ++(static_cast<Counting*>(user)->*count);
    for (int64_t i = 0; i < m; ++i)
      for (int64_t j = 0; j < n; ++j) {
        volatile float sum = 0;
        for (int64_t step = 0; step < 2 * k; ++step) sum = std::fmaf(sum, 0.5f, 0.0f);
        c[i * ldc + j] = sum;
      }
    return 0;
  }
  puna_gemm_provider table() {
    return {sizeof(puna_gemm_provider),         0, "counting", this, multiply<&Counting::f32, float>,
            multiply<&Counting::bf16, uint16_t>};
  }
};

puna_context_options with(const puna_gemm_provider* provider, int32_t allow) {
  auto options = sized<puna_context_options>();
  options.gemm_provider = provider;
  options.allow_providers = allow;
  return options;
}

std::vector<float> logits_of(const puna_context_options& options, bool exact) {
  const ContextHandle context = make_context(&options);
  return logits_after(make_session(open_model(chat_model(), context.get()), exact), some_tokens(200));
}

}  // namespace

TEST_CASE("sessions use a provider in default mode and when allowed, exact ones never", "[capi]") {
  const std::vector<float> without = logits_of(sized<puna_context_options>(), false),
                           exact = logits_of(sized<puna_context_options>(), true);
  for (const int32_t allow : {PUNA_PROVIDERS_NEVER, PUNA_PROVIDERS_F32, PUNA_PROVIDERS_BF16}) {
    CAPTURE(allow);
    Counting counting;
    const puna_gemm_provider table = counting.table();
    CHECK(logits_of(with(&table, allow), true) == exact);
    CHECK(counting.f32 + counting.bf16 == 0);
    CHECK(logits_of(with(&table, allow), false) == without);  // measured and found slower: the products are ours
    CHECK((counting.f32 > 0) == (allow == PUNA_PROVIDERS_F32));
    CHECK((counting.bf16 > 0) == (allow == PUNA_PROVIDERS_BF16));
  }
}

TEST_CASE("fine-tuning uses a context's provider unless an option forbids it", "[capi]") {
  std::string text = R"({"text": ")";
  for (int i = 0; i < 60; ++i) text += "one two three ";
  text += "\"}\n";
  for (const bool no_providers : {true, false})
    for (const bool bf16 : {true, false}) {
      CAPTURE(no_providers, bf16);
      Counting counting;
      const puna_gemm_provider table = counting.table();
      const puna_context_options context_options = with(&table, PUNA_PROVIDERS_NEVER);
      const ContextHandle context = make_context(&context_options);
      const ModelHandle model = open_model(chat_model(), context.get());
      auto options = sized<puna_finetune_options>();
      options.steps = 1;
      options.no_providers = no_providers;
      options.bf16 = bf16;
      puna_adapter* adapter = nullptr;
      ok(puna_model_finetune(model.get(), text.data(), text.size(), &options, &adapter));
      puna_adapter_free(adapter);
      CHECK((counting.bf16 > 0) == (bf16 && !no_providers));
      CHECK((counting.f32 + counting.bf16 > 0) == !no_providers);
      options.no_providers = 2;
      refused(puna_model_finetune(model.get(), text.data(), text.size(), &options, &adapter), PUNA_INVALID_ARGUMENT,
              "no_providers is 2");
    }
}

TEST_CASE("an exception out of a provider is a refusal: its product is made without it, in sessions and in fine-tuning",
          "[capi]") {
  struct Rude {
    std::atomic<int64_t> calls{0};
    static int32_t f32(void* user, int32_t, int64_t, int64_t, int64_t, const float*, int64_t, const float*, int64_t,
                       float*, int64_t) {
      if (++static_cast<Rude*>(user)->calls % 2) throw std::runtime_error("no workspace");
      throw 42;
    }
    static int32_t bf16(void* user, int32_t, int64_t, int64_t, int64_t, const uint16_t*, int64_t, const uint16_t*,
                        int64_t, float*, int64_t) {
      ++static_cast<Rude*>(user)->calls;
      throw std::runtime_error("no workspace");
    }
  } rude;
  const puna_gemm_provider table{sizeof(puna_gemm_provider), 0, "rude", &rude, Rude::f32, Rude::bf16};
  const std::vector<float> want = logits_of(sized<puna_context_options>(), false);
  for (const int32_t allow : {PUNA_PROVIDERS_F32, PUNA_PROVIDERS_BF16}) {
    rude.calls = 0;
    CHECK(logits_of(with(&table, allow), false) == want);
    CHECK(rude.calls > 0);
  }
  rude.calls = 0;
  const puna_context_options context_options = with(&table, PUNA_PROVIDERS_NEVER);
  const ContextHandle context = make_context(&context_options);
  const ModelHandle model = open_model(chat_model(), context.get());
  std::string text;
  for (int i = 0; i < 40; ++i)
    text += "{\"text\": \"It is a truth universally acknowledged, that a single man must be in want of a wife.\"}\n";
  auto options = sized<puna_finetune_options>();
  options.steps = 2;
  puna_adapter* adapter = nullptr;
  ok(puna_model_finetune(model.get(), text.data(), text.size(), &options, &adapter));
  puna_adapter_free(adapter);
  CHECK(rude.calls > 0);
}

TEST_CASE("a provider that cannot be one is refused", "[capi]") {
  Counting counting;
  puna_gemm_provider table = counting.table();
  puna_context* context = nullptr;
  const auto create = [&](int32_t allow) {
    const puna_context_options options = with(&table, allow);
    return puna_context_create(&options, &context);
  };
  refused(create(3), PUNA_INVALID_ARGUMENT, "allow_providers is 3");
  refused(create(-1), PUNA_INVALID_ARGUMENT, "allow_providers is -1");
  table.reserved = 1;
  refused(create(1), PUNA_UNSUPPORTED, "puna_gemm_provider.reserved");
  table.reserved = 0;
  table.f32 = nullptr;
  refused(create(1), PUNA_INVALID_ARGUMENT, "puna_gemm_provider.f32 is NULL");
  table.struct_size = 2;
  refused(create(1), PUNA_INVALID_ARGUMENT, "puna_gemm_provider");
  CHECK(context == nullptr);
}
