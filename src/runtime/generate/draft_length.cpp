// draft_length.cpp -- expected tokens of a draft against its cost.
#include "runtime/generate/draft_length.h"

#include <algorithm>

namespace puna {

// With the chance a of each token, k drafted ones give 1 + a + ... + a^k tokens.
int64_t DraftLength::best(int64_t most, double credit, int64_t sure) const noexcept {
  const double chance = hits_ / trials_, token = kDraftRowCost + token_cost_, pass = 1 + double(sure) * token;
  double tokens = double(1 + sure), next = 1, best_rate = tokens / pass;
  int64_t best = 0;
  for (int64_t k = 1; k <= most && double(k) * token <= credit; ++k) {
    next *= chance;
    tokens += next;
    const double rate = tokens / (pass + double(k) * token);
    if (rate <= best_rate) continue;
    best_rate = rate;
    best = k;
  }
  return best;
}

// A draft's tokens behind the first wrong one say nothing.
void DraftLength::learn(int64_t drafted, int64_t accepted) noexcept {
  const int64_t trials = std::min(accepted + 1, drafted);
  for (int64_t i = 0; i < trials; ++i) {
    hits_ += -hits_ / kMemory + double(i < accepted);
    trials_ += -trials_ / kMemory + 1;
  }
}

void DraftLength::passed_over() noexcept { hits_ += (first_ * trials_ - hits_) / 64; }

void DraftBudget::add_pass(double draft_cost) noexcept { credit_ = std::min(credit_ + 0.01, 16.0) - draft_cost; }
void DraftBudget::add_saved_pass() noexcept { credit_ += 1; }

}  // namespace puna
