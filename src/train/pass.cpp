#include "puna/train/pass.h"

#include "model/forward.h"
#include "ops/loss.h"
#include "ops/run_measured.h"
#include "puna/base/error.h"

namespace puna::train {

// The batch that the sequences make, with a cache each; wanted rows are those that predict a counted token.
struct Pass::Rows {
  Batch batch;
  std::vector<int32_t> labels;
  std::vector<KvCache> caches;

  Rows(const Context& context, const LlamaConfig& config, DType kept, std::span<const Sequence> sequences) {
    caches.reserve(sequences.size());  // the batch points to them
    for (size_t s = 0; s < sequences.size(); ++s) add(context, config, kept, sequences[s], int32_t(s));
    PUNA_REQUIRE(!labels.empty(), "no token counts in the loss");
  }

 private:
  void add(const Context& context, const LlamaConfig& config, DType kept, const Sequence& s, int32_t index) {
    const int64_t n = int64_t(s.tokens.size());
    PUNA_REQUIRE(n >= 2 && n <= config.max_positions, "sequence %d has %jd tokens, expected 2 to %jd", index, n,
                 config.max_positions);
    PUNA_REQUIRE(s.counted.size() == s.tokens.size(), "sequence %d has %zu marks for %jd tokens", index,
                 s.counted.size(), n);
    for (int64_t t = 0; t < n; ++t) {
      const int32_t token = s.tokens[size_t(t)];
      PUNA_REQUIRE(token >= 0 && token < config.vocab, "sequence %d: token %jd is %d, expected 0 to %jd", index, t,
                   token, config.vocab - 1);
      if (t > 0 && s.counted[size_t(t)]) {
        batch.wanted.push_back(int64_t(batch.rows.size()) - 1);
        labels.push_back(token);
      }
      batch.rows.push_back({index, t, token, nullptr});
    }
    caches.emplace_back(config, context.allocator(), kept);
    caches.back().set_length(n);
    caches.back().prepare(0, n);
    batch.sequences.push_back(&caches.back());
  }
};

template <class Rec>
void Pass::compute(Rec& rec, const Rows& rows, std::vector<double>& nll, std::vector<float>& weights,
                   Weigh weigh) const {
  const View x = forward_hidden(rec, model_, rows.batch);
  const Weight& head = model_.weights.lm_head;
  const float softcap = model_.config.final_softcap;
  if constexpr (Rec::records) {
    if (weigh) {
      token_losses(static_cast<Inference&>(rec), nll.data(), x, head, rows.labels.data(), softcap);
      if (!rec.measuring() && rec.finished()) weigh(nll, weights);
    }
    token_losses(rec, nll.data(), x, head, rows.labels.data(), weights.data(), softcap);
    rec.backward();
  } else {
    token_losses(rec, nll.data(), x, head, rows.labels.data(), softcap);
  }
}

std::vector<double> Pass::run(std::span<const Sequence> sequences, float weight, Weigh weigh, const Target& target) {
  const Rows rows(context_, model_.config, options_.exact ? DType::f32 : DType::f16, sequences);
  std::vector<double> nll(rows.labels.size());
  std::vector<float> weights(nll.size(), weight);
  const bool finished = run_measured(context_, scratch_, "a training pass", [&](Arena& arena) {
    Cursor cursor;
    const auto with = [&](auto& rec) {
      rec.use(target.adapter);
      rec.allow(context_.allowed(options_.providers));
      compute(rec, rows, nll, weights, weigh);
      return rec.finished();
    };
    if (!target.parameters) {
      Inference rec(context_.kernels(), context_.executor(), arena, cursor, options_.exact, target.should_stop);
      return with(rec);
    }
    Tape rec(context_.kernels(), context_.executor(), arena, cursor, options_.exact, target.should_stop,
             *target.parameters);
    rec.checkpoint_layers(options_.checkpoint);
    return with(rec);
  });
  if (!finished) fail(Status::cancelled, "training was cancelled");
  return nll;
}

std::vector<double> Pass::losses(std::span<const Sequence> sequences, float weight, const Target& target) {
  return run(sequences, weight, {}, target);
}

std::vector<double> Pass::losses(std::span<const Sequence> sequences, Weigh weigh, const Target& target) {
  return run(sequences, 0, weigh, target);
}

}  // namespace puna::train
