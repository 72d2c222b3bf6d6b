// draft_source.h -- who guesses an answer's next tokens, so that one pass computes several (speculative decoding,
// arXiv:2211.17192). A guess decides nothing: each token is drawn as in plain decoding, and one that was not guessed
// ends the draft. So a source may be anything: text that repeats (prompt_lookup.h), a smaller model (draft_model.h), or
// what a grammar leaves no choice about.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "puna/base/function_ref.h"

namespace puna {

// Costs are counted in passes of one row, and never by a clock: the same answer has the same drafts on any machine.
struct DraftRequest {
  std::span<const int32_t> history;  // prompt and answer, with the last token drawn
  uint64_t draw_index = 0;           // of the first token to be drafted
  int64_t most = 0;                  // tokens
  double credit = 0;                 // what the draft may cost: making it, and its rows
};

struct Draft {
  std::vector<int32_t> tokens;
  double cost = 0;  // of making it
};

class DraftSource {
 public:
  virtual ~DraftSource() = default;
  // Tokens that may follow the history, or none. False: `pause` said so; to be called again with the same request.
  virtual bool propose(const DraftRequest& request, Draft& draft, FunctionRef<bool()> pause) = 0;
  // What became of the last proposal that was computed.
  virtual void learn(int64_t drafted, int64_t accepted) noexcept = 0;
  // The next history does not begin like the last one.
  virtual void forget() noexcept = 0;
};

}  // namespace puna
