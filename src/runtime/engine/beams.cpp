// beams.cpp -- beam search (Lowerre 1976) over the pages that a request's beams share. A step: of all tokens behind all
// beams those with the best sums of log-probabilities, in descending order (ties: the earlier beam, then the lower id).
// Those that end their answer become hypotheses, the others the next beams, until there are enough of these. The search
// ends when no beam can still become one of the best hypotheses: what it hands out is what going on to the last
// possible token would give.
#include <algorithm>
#include <cmath>
#include <limits>

#include "base/det_math.h"
#include "base/fp_env.h"
#include "puna/base/error.h"
#include "runtime/engine/scheduler.h"

namespace puna {
namespace {

double score_of(double sum, int64_t tokens, double penalty) {
  return penalty == 0 ? sum : sum / det::pow(double(tokens), penalty);
}

bool less_likely(const TokenProbability& a, const TokenProbability& b) noexcept {
  return a.log_probability != b.log_probability ? a.log_probability < b.log_probability : a.token > b.token;
}

// What may follow one beam, the most likely first.
class Followers {
 public:
  void fill(std::span<const float> log_probabilities) {
    for (size_t id = 0; id < log_probabilities.size(); ++id)
      if (log_probabilities[id] > -std::numeric_limits<float>::infinity())
        heap_.push_back({int32_t(id), std::min(log_probabilities[id], 0.0f)});
    std::make_heap(heap_.begin(), heap_.end(), less_likely);
  }
  bool empty() const noexcept { return heap_.empty(); }
  const TokenProbability& first() const noexcept { return heap_.front(); }
  void drop_first() noexcept {
    std::pop_heap(heap_.begin(), heap_.end(), less_likely);
    heap_.pop_back();
  }

 private:
  std::vector<TokenProbability> heap_;
};

}  // namespace

struct Scheduler::Child {
  size_t parent;
  int32_t token;
  double sum;
};

void Scheduler::expand_beams(RequestState& r) {
  if (!std::all_of(r.answers.begin(), r.answers.end(), [](const RunningAnswer& a) { return a.ready; })) return;
  std::vector<Child> children;
  std::vector<Hypothesis> found = r.hypotheses;
  const bool go_on = choose(r, children, found);
  std::vector<RunningAnswer> beams;
  beams.reserve(size_t(r.width()));  // kept: entries of a pass point to answers
  if (go_on && !fork_beams(r, children, beams)) return;
  stats_.generated_tokens += children.size();
  {
    const std::lock_guard lock(r.mutex);
    if (r.info.generated_tokens == 0) r.info.first_token_seconds = r.seconds();
    r.info.generated_tokens += int64_t(children.size());
  }
  r.hypotheses = std::move(found);
  if (!go_on) return end_beams(r);
  r.answers = std::move(beams);
  for (size_t i = 0; i < children.size(); ++i) {
    RunningAnswer& a = r.answers[i];
    a.index = int32_t(i);
    a.sum_log_probability = children[i].sum;
    EngineAccess::impl(*a.generation).take(children[i].token);
    a.ready = false;
  }
}

// The next beams, best first, and the best hypotheses with those of this step. False: the search is over.
bool Scheduler::choose(RequestState& r, std::vector<Child>& children, std::vector<Hypothesis>& found) {
  const auto beams = size_t(r.options.beams);
  const double penalty = double(r.options.length_penalty);
  const size_t parents = r.answers.size();
  std::vector<Followers> followers(parents);
  std::vector<std::exception_ptr> errors(parents);
  model_->context().executor().run(int64_t(parents), [&](int64_t i) {
    const FpEnv fp_env;
    try {
      std::vector<float> log_probabilities(size_t(model_->config().vocab));
      EngineAccess::impl(*r.answers[size_t(i)].generation).distribution(log_probabilities);
      followers[size_t(i)].fill(log_probabilities);
    } catch (...) {
      errors[size_t(i)] = std::current_exception();
    }
  });
  for (const std::exception_ptr& e : errors)
    if (e) std::rethrow_exception(e);

  const int64_t tokens = int64_t(r.answers[0].generation->result().tokens.size()) + 1;
  const auto sum = [&](size_t i) {
    return r.answers[i].sum_log_probability + double(followers[i].first().log_probability);
  };
  size_t ended = 0;
  bool all_end = false;  // those that would follow, too: the answer may not be longer
  while (children.size() < beams && !(all_end && ended >= beams)) {
    size_t best = parents;
    for (size_t i = 0; i < parents; ++i)
      if (!followers[i].empty() && (best == parents || sum(i) > sum(best))) best = i;
    if (best == parents) break;
    const Child child{best, followers[best].first().token, sum(best)};
    followers[best].drop_first();
    std::optional<GenerateResult> result = EngineAccess::impl(*r.answers[best].generation).ended_by(child.token);
    if (!result) {
      children.push_back(child);
      continue;
    }
    all_end = all_end || result->reason == StopReason::max_tokens || result->reason == StopReason::context_full;
    if (ended++ < beams) found.push_back({std::move(*result), child.sum, score_of(child.sum, tokens, penalty)});
  }
  std::stable_sort(found.begin(), found.end(),
                   [](const Hypothesis& a, const Hypothesis& b) { return a.score > b.score; });
  if (found.size() > beams) found.resize(beams);
  if (children.empty()) return false;
  if (found.size() < beams) return true;
  // Sums only fall. A penalty above 0 is kindest to the longest answer, one below 0 to the shortest.
  const int64_t room = options_.session.max_positions - int64_t(r.options.prompt.tokens.size()) + 1,
                longest = r.options.generate.max_tokens > 0 ? std::min(r.options.generate.max_tokens, room) : room;
  return score_of(children[0].sum, penalty > 0 ? longest : tokens + 1, penalty) > found.back().score;
}

// A beam's first child goes on in its place, its others in forks. Nothing is changed before all forks are there. False:
// paused, for memory.
bool Scheduler::fork_beams(RequestState& r, const std::vector<Child>& children, std::vector<RunningAnswer>& beams) {
  std::vector<bool> taken(r.answers.size());
  for (const Child& c : children) {
    RunningAnswer& a = beams.emplace_back();
    if (!taken[c.parent]) {
      taken[c.parent] = true;
      continue;
    }
    const RunningAnswer& parent = r.answers[c.parent];
    while (!a.generation) {
      try {
        a.session = parent.session->fork();
        a.generation = std::make_unique<Generation>(*a.session, PromptView(), r.options.generate);
        EngineAccess::impl(*a.generation).continue_from(EngineAccess::impl(*parent.generation));
      } catch (...) {
        a.generation.reset();
        a.session.reset();
        if (!make_room_to_fork(r)) return false;
      }
    }
    a.kept_pages = parent.kept_pages;
    a.ready = true;
  }
  for (size_t i = 0; i < children.size(); ++i)
    if (!beams[i].session) beams[i] = std::move(r.answers[children[i].parent]);
  return true;
}

void Scheduler::end_beams(RequestState& r) {
  std::vector<EngineAnswer> answers;
  const size_t count = std::min(size_t(r.options.n), r.hypotheses.size());
  answers.reserve(count);
  for (size_t i = 0; i < count; ++i) {
    Hypothesis& h = r.hypotheses[i];
    h.result.prompt_tokens = int64_t(r.options.prompt.tokens.size());
    const double mean = h.sum / double(h.result.tokens.size());
    answers.push_back({std::move(h.result), mean, true});
  }
  r.answers.clear();
  r.gathered = std::move(answers);
  for (size_t i = 0; i < count; ++i) post_answer_ended(r, int32_t(i));
  end(r, EngineOutcome::finished, Status::ok, "");
}

}  // namespace puna
