// run_model.h -- a bare forward over a list of tokens, with taps: what the golden tests of the model layer need,
// without sessions.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "kernels/kernel_table.h"
#include "model/forward.h"
#include "ops/inference.h"
#include "puna/base/context.h"
#include "puna/base/error.h"
#include "puna/io/checkpoint.h"
#include "support/isa.h"

namespace puna::test {

inline ContextPtr context_with(const std::string& isa = "", int threads = 1) {
  ContextOptions options;
  options.threads = threads;
  return std::make_shared<const Context>(options, *select_kernels(isa.c_str()));
}

struct LoadedLlama {
  ContextPtr context;
  Checkpoint checkpoint;
  Llama llama;
};

inline LoadedLlama load_llama(const std::string& path, ContextPtr context = context_with()) {
  LoadedLlama m;
  m.context = std::move(context);
  m.checkpoint = load_checkpoint(*m.context, path);
  const auto& c = m.checkpoint;
  m.llama = c.format == Checkpoint::Format::gguf ? Llama::from_gguf(*m.context, c.metadata, c.tensors)
                                                 : Llama::from_huggingface(*m.context, c.metadata, c.tensors);
  return m;
}

// Appends tokens to `cache` from `position` on in one pass; returns the logits of every row.
inline std::vector<float> run_rows(const LoadedLlama& m, KvCache& cache, int64_t position,
                                   std::span<const int64_t> tokens, bool exact, const ForwardTaps* taps = nullptr) {
  const int64_t n = int64_t(tokens.size());
  Batch b;
  b.sequences.push_back(&cache);
  if (position == 0) cache.set_length(n);
  cache.prepare(position, position + n);
  for (int64_t i = 0; i < n; ++i) {
    b.rows.push_back({0, position + i, int32_t(tokens[size_t(i)]), nullptr});
    b.wanted.push_back(i);
  }
  std::vector<float> logits(size_t(n * m.llama.config.vocab));
  const View out(logits.data(), DType::f32, {n, m.llama.config.vocab});
  Arena measure;
  Cursor none;
  Inference dry(m.context->kernels(), m.context->executor(), measure, none, exact, {});
  forward(dry, m.llama, b, out, taps);
  Buffer scratch = m.context->allocate(measure.peak(), "scratch");
  Arena arena(scratch.data(), scratch.size());
  Cursor cursor;
  Inference rec(m.context->kernels(), m.context->executor(), arena, cursor, exact, {});
  forward(rec, m.llama, b, out, taps);
  cache.commit(position + n);
  return logits;
}

inline KvCache new_cache(const LoadedLlama& m, bool exact) {
  return KvCache(m.llama.config, m.context->allocator(), exact ? DType::f32 : DType::f16);
}

inline int64_t argmax(std::span<const float> v) {
  int64_t best = 0;
  for (size_t i = 1; i < v.size(); ++i)
    if (v[i] > v[size_t(best)]) best = int64_t(i);
  return best;
}

}  // namespace puna::test
