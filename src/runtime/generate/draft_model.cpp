// draft_model.cpp -- keeping the small model's session in step with the history, and drawing from it.
#include "runtime/generate/draft_model.h"

#include <algorithm>

#include "puna/base/error.h"
#include "runtime/session/session_impl.h"

namespace puna {
namespace {

// Bytes of weights that one token reads: what a pass of one row costs.
double bytes_a_token(const Model& model) {
  const LlamaConfig& c = model.config();
  const LlamaWeights& w = model.llama().weights;
  const auto bytes = [](const Weight& m) { return double(bytes_of(info(m.dtype), uint64_t(m.rows * m.cols))); };
  const auto block = [&](const ExpertWeights& e) { return bytes(e.gate) + bytes(e.up) + bytes(e.down); };
  double total = bytes(w.lm_head ? w.lm_head : w.embedding);
  for (const LlamaLayer& l : w.layers) {
    total += bytes(l.wq) + bytes(l.wk) + bytes(l.wv) + bytes(l.wo) + block(l.ffn);
    total += bytes(l.per_layer.gate) + bytes(l.per_layer.project) + bytes(l.laurel.left) + bytes(l.laurel.right);
    if (!l.experts.empty()) total += double(c.experts_per_token) * block(l.experts[0]);
  }
  return total;
}

}  // namespace

void require_draft(const Session& draft, const Session& session) {
  PUNA_REQUIRE(&draft != &session, "the draft is the session itself, expected another one, of a smaller model");
  if (&draft.model() == &session.model()) return;
  const Tokenizer *a = session.model().tokenizer(), *b = draft.model().tokenizer();
  const int64_t vocab = session.model().config().vocab, drafted = draft.model().config().vocab;
  if (!a || !b || a == b) {
    PUNA_REQUIRE(vocab == drafted, "the draft's model has a vocabulary of %jd tokens, expected the same %jd", drafted,
                 vocab);
    return;
  }
  PUNA_REQUIRE(a->size() == b->size(), "the draft's tokenizer has %d tokens, expected the same %d", int(b->size()),
               int(a->size()));
  for (int32_t id = 0; id < int32_t(a->size()); ++id)
    PUNA_REQUIRE(a->bytes(id) == b->bytes(id), "the draft has another vocabulary: its token %d is not the session's",
                 id);
}

DraftModel::DraftModel(Session& draft, const Session& session, const SamplerOptions& sampler, int64_t most)
    : session_(draft),
      sampler_(sampler),
      vocab_(std::min(draft.model().config().vocab, session.model().config().vocab)),
      most_(most),
      token_cost_(bytes_a_token(draft.model()) / bytes_a_token(session.model())),
      length_(0.9, token_cost_) {
  session_.claim(claim_);
}

DraftModel::~DraftModel() { session_.leave(claim_); }

bool DraftModel::propose(const DraftRequest& request, Draft& draft, FunctionRef<bool()> pause) {
  session_.require_unchanged(claim_);
  if (wanted_ == 0 && !begin(request)) return true;
  try {
    while (true) {
      if (session_.works_for(claim_)) {
        const bool done = session_.step_append(pause);
        claim_.changes = session_.changes();
        if (!done) return false;
      }
      const uint64_t index = request.draw_index + making_.tokens.size();
      const int32_t id = sampler_.sample(session_.logits(), session_.tokens(), index).token;
      if (id < vocab_) making_.tokens.push_back(id);
      if (id >= vocab_ || int64_t(making_.tokens.size()) >= wanted_) break;
      feed({&id, 1});
    }
  } catch (...) {
    wanted_ = 0;
    throw;
  }
  wanted_ = 0;
  draft = std::move(making_);
  return true;
}

// False: there will be no draft.
bool DraftModel::begin(const DraftRequest& request) {
  const int64_t size = int64_t(request.history.size()), room = session_.max_positions() - size;
  if (room < 0) return false;
  // Not past the chunk's end: going back over it would compute the chunk again.
  const int64_t chunk = session_.model().config().chunk;
  const int64_t most = std::min({most_, request.most, room + 1, chunk > 0 ? chunk - size % chunk : most_});
  const int64_t kept = kept_of(request.history, session_.held());
  const double catching_up =
      followed_ ? double(std::max<int64_t>(0, size - kept - 2)) * kDraftRowCost * token_cost_ : 0;
  const int64_t count = length_.best(most, request.credit - catching_up);
  if (count == 0) {
    length_.passed_over();
    return false;
  }
  const auto rest = request.history.subspan(size_t(kept));
  if (std::any_of(rest.begin(), rest.end(), [&](int32_t id) { return id >= vocab_; })) return false;
  session_.require_idle();
  session_.truncate(kept);
  claim_.changes = session_.changes();
  feed(rest);
  making_ = {{}, catching_up + double(count) * token_cost_};
  making_.tokens.reserve(size_t(count));
  followed_ = true;
  wanted_ = count;
  return true;
}

void DraftModel::feed(std::span<const int32_t> tokens) {
  session_.begin(tokens, Session::AppendRequest{.owner = &claim_});
}

void DraftModel::learn(int64_t drafted, int64_t accepted) noexcept { length_.learn(drafted, accepted); }

}  // namespace puna
