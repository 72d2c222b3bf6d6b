// A tape computes what sessions compute, bit for bit; its gradients do not depend on threads, the ISA level,
// checkpointing or packing.
#include "model/made_model.h"
#include "ops/loss.h"
#include "puna/train/parameters.h"
#include "puna/train/pass.h"
#include "ref/compare.h"

using namespace puna;
using namespace puna::test;
using namespace puna::train;

namespace {

LlamaConfig small(bool llama4) { return make_config(llama4, 3, 64, 4, 2, 16, 96, 96); }

std::vector<float> taped_logits(const LoadedLlama& m, std::span<const int64_t> tokens, bool exact) {
  Batch b;
  KvCache cache = new_cache(m, exact);
  cache.prepare(0, int64_t(tokens.size()));
  b.sequences.push_back(&cache);
  for (size_t i = 0; i < tokens.size(); ++i) {
    b.rows.push_back({0, int64_t(i), int32_t(tokens[i]), nullptr});
    b.wanted.push_back(int64_t(i));
  }
  std::vector<float> logits(tokens.size() * size_t(m.llama.config.vocab));
  const View out(logits.data(), DType::f32, {int64_t(tokens.size()), m.llama.config.vocab});
  Arena measure;
  for (int run = 0; run < 2; ++run) {
    Buffer block = m.context->allocate(run ? measure.peak() : 1, "scratch");
    Arena arena(block.data(), block.size());
    Cursor cursor;
    const ParameterGradients none;
    Tape tape(m.context->kernels(), m.context->executor(), run ? arena : measure, cursor, exact, {}, none);
    forward(tape, m.llama, b, out);
  }
  return logits;
}

Sequence sequence(int64_t count, int64_t vocab, int64_t skip) {
  Sequence s;
  for (const int64_t t : made_tokens(count + skip, vocab)) s.tokens.push_back(int32_t(t));
  s.tokens.erase(s.tokens.begin(), s.tokens.begin() + skip);
  s.counted.assign(s.tokens.size(), 1);
  return s;
}

struct Run {
  std::vector<double> nll;
  std::vector<float> gradients;  // all of them
};

Run run(const Made& made, std::span<const std::vector<Sequence>> batches, bool checkpoint, int threads,
        const char* isa) {
  const LoadedLlama base = load_made(made, context_with(isa, threads));
  Parameters parameters(base.context);
  const Llama model = make_trainable(base.llama, parameters);
  Pass pass(*base.context, model, {true, checkpoint});
  Run r;
  for (const auto& batch : batches) {
    const std::vector<double> nll = pass.losses(batch, 0.125f, {&parameters.gradients(), nullptr, {}});
    r.nll.insert(r.nll.end(), nll.begin(), nll.end());
  }
  for (const Parameter& p : parameters.list()) r.gradients.insert(r.gradients.end(), p.gradient, p.gradient + p.count);
  return r;
}

}  // namespace

TEST_CASE("a tape's logits are an inference's, bit for bit", "[train]") {
  for (const bool llama4 : {false, true})
    for (const DType dtype : {DType::f32, DType::q8_0})
      for (const bool exact : {true, false}) {
        CAPTURE(llama4, int(dtype), exact);
        const Made made = make_gguf(small(llama4), dtype);
        const LoadedLlama m = load_made(made);
        const std::vector<int64_t> tokens = made_tokens(37, m.llama.config.vocab);
        KvCache cache = new_cache(m, exact);
        CHECK(ref::differing(taped_logits(m, tokens, exact), run_rows(m, cache, 0, tokens, exact)) == 0);
      }
}

TEST_CASE("gradients have the same bits whatever the threads, the ISA and checkpointing", "[train]") {
  for (const bool llama4 : {false, true}) {
    const Made made = make_gguf(small(llama4));
    const std::vector<std::vector<Sequence>> batches{{sequence(50, 96, 0), sequence(21, 96, 50)}};
    const Run want = run(made, batches, false, 1, "scalar");
    for (const std::string& isa : supported_isas()) {
      CAPTURE(llama4, isa);
      const Run got = run(made, batches, true, 2, isa.c_str());
      CHECK(got.nll == want.nll);
      CHECK(ref::differing(got.gradients, want.gradients) == 0);
    }
  }
}

TEST_CASE("documents packed into one pass have the losses that each has alone, and the gradients of both", "[train]") {
  for (const bool llama4 : {false, true}) {
    const Made made = make_gguf(small(llama4));
    const std::vector<std::vector<Sequence>> packed{{sequence(50, 96, 0), sequence(21, 96, 50)}};
    const std::vector<std::vector<Sequence>> alone{{packed[0][0]}, {packed[0][1]}};
    const Run a = run(made, packed, false, 1, ""), b = run(made, alone, false, 1, "");
    CHECK(a.nll == b.nll);
    const std::vector<double> want(b.gradients.begin(), b.gradients.end());
    ref::check_within(a.gradients, want,
                      [&](size_t i) { return 1e-5 * std::abs(want[i]) + 1e-6; });  // sums in another order
  }
}

TEST_CASE("a cancelled pass is Error{cancelled}, and the next one is right", "[train]") {
  const Made made = make_gguf(small(true));
  const LoadedLlama base = load_made(made);
  Parameters parameters(base.context);
  const Llama model = make_trainable(base.llama, parameters);
  Pass pass(*base.context, model, {});
  const std::vector<Sequence> batch{sequence(40, 96, 0)};
  const std::vector<double> want = pass.losses(batch, 1, {&parameters.gradients(), nullptr, {}});
  for (int64_t limit = 0; limit < 400; limit += 37) {
    int64_t asked = 0;
    const auto stop = [&] { return ++asked > limit; };
    try {
      pass.losses(batch, 1, {&parameters.gradients(), nullptr, stop});
      FAIL("not cancelled");
    } catch (const Error& e) {
      CHECK(e.status() == Status::cancelled);
    }
  }
  CHECK(pass.losses(batch, 1, {&parameters.gradients(), nullptr, {}}) == want);
}
