// Models of shapes nobody published: each must run, step by step as in one pass, on every ISA, with finite numbers.
#include "model/made_model.h"
#include "ref/compare.h"
#include "support/catch.h"

using namespace puna;
using namespace puna::test;

namespace {

std::vector<float> run_in_pieces(const LoadedLlama& m, std::span<const int64_t> ids, bool exact, size_t piece) {
  KvCache cache = new_cache(m, exact);
  std::vector<float> all;
  for (size_t at = 0; at < ids.size(); at += piece)
    for (const float x : run_rows(m, cache, int64_t(at), ids.subspan(at, std::min(piece, ids.size() - at)), exact))
      all.push_back(x);
  return all;
}

void check_shape(const LlamaConfig& c, DType dtype) {
  CAPTURE(c.architecture, c.layers, c.hidden, c.heads, c.kv_heads, c.head_dim, c.vocab, c.ffn, c.chunk, name(dtype));
  const Made made = make_gguf(c, dtype);
  const std::vector<int64_t> ids = made_tokens(37, c.vocab);
  for (const bool exact : {true, false}) {
    std::vector<float> want;
    for (const std::string& isa : supported_isas()) {
      CAPTURE(isa, exact);
      const std::vector<float> whole = run_in_pieces(load_made(made, context_with(isa, 2)), ids, exact, ids.size());
      if (want.empty()) want = whole;
      CHECK(ref::differing(whole, want) == 0);
    }
    const LoadedLlama m = load_made(made);
    for (const size_t piece : {1, 5}) CHECK(ref::differing(run_in_pieces(m, ids, exact, piece), want) == 0);
    CHECK(std::all_of(want.begin(), want.end(), [](float x) { return std::isfinite(x); }));
  }
}

}  // namespace

TEST_CASE("dense models of any shape run", "[model]") {
  check_shape(make_config(false, 1, 1, 1, 1, 2, 1, 1), DType::f32);
  check_shape(make_config(false, 2, 7, 3, 1, 6, 5, 9), DType::f32);
  check_shape(make_config(false, 2, 33, 4, 2, 10, 17, 31), DType::bf16);
  check_shape(make_config(false, 2, 64, 5, 5, 32, 33, 96), DType::q8_0);
  check_shape(make_config(false, 1, 32, 2, 1, 64, 100, 32), DType::q4_1);
}

TEST_CASE("Llama 4 models of any shape run", "[model]") {
  check_shape(make_config(true, 3, 1, 1, 1, 2, 1, 1), DType::f32);
  check_shape(make_config(true, 4, 15, 2, 1, 18, 11, 5), DType::f16);
  check_shape(make_config(true, 3, 64, 4, 2, 32, 40, 64), DType::q5_0);
  for (const int64_t chunk : {1, 3, 8, 17, 48, 100}) {
    LlamaConfig c = make_config(true, 3, 24, 2, 2, 8, 11, 20);
    c.chunk = chunk;
    c.experts = 5;
    c.experts_per_token = chunk % 5 + 1;
    c.expert_ffn = 7;
    c.tied = chunk % 2 == 0;
    check_shape(c, DType::f32);
  }
}
