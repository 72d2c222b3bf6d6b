// draft_model.h -- drafts by a smaller model of the same vocabulary, in a session of its own that follows the history.
// It draws with the answer's own sampler, seed and draw index: where the two models nearly agree, so do their draws.
#pragma once
#include "puna/runtime/generate.h"
#include "runtime/generate/draft_length.h"
#include "runtime/generate/draft_source.h"

namespace puna {

// Error{invalid_argument} that says where the vocabularies differ, or that the two are one session.
void require_draft(const Session& draft, const Session& session);

class DraftModel final : public DraftSource {
 public:
  // `draft` is the generation's alone until this is destroyed: Error{wrong_state} when it is busy, or changed since.
  DraftModel(Session& draft, const Session& session, const SamplerOptions& sampler, int64_t most);
  ~DraftModel() override;
  bool propose(const DraftRequest& request, Draft& draft, FunctionRef<bool()> pause) override;
  void learn(int64_t drafted, int64_t accepted) noexcept override;
  void forget() noexcept override {}  // each history is compared with what the session holds

 private:
  bool begin(const DraftRequest& request);
  void feed(std::span<const int32_t> tokens);

  Session& session_;
  Sampler sampler_;
  int64_t vocab_;  // of ids that both models have
  int64_t most_;
  double token_cost_;  // in passes of the large model
  DraftLength length_;
  Session::Claim claim_{};
  int64_t wanted_ = 0;  // tokens of the draft that is being made; 0 = none
  Draft making_;
  bool followed_ = false;
};

}  // namespace puna
