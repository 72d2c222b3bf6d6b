// score_continuations.cpp -- nodes of trees of tokens (token_tree.h), packed into passes. Requests come in windows of
// about a pass; while the ends of one window are computed, the beginnings of the next fill the rest of the pass.
#include <algorithm>
#include <cmath>
#include <deque>
#include <memory>
#include <optional>

#include "base/det_math.h"
#include "model/forward.h"
#include "ops/inference.h"
#include "ops/run_measured.h"
#include "puna/base/error.h"
#include "runtime/continuations/token_tree.h"
#include "runtime/generate/sampler_select.h"
#include "runtime/generate/score_softmax.h"
#include "runtime/session/session_impl.h"

namespace puna {
namespace {

constexpr int64_t kMostFloats = int64_t(8) << 20;  // of logits a pass
constexpr int64_t kTrunk = 64;                     // tokens of a beginning that are worth keeping for the next windows

using Tokens = std::span<const int32_t>;

int64_t shared_tokens(Tokens a, Tokens b) {
  return int64_t(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin());
}

struct NodeState {
  std::optional<KvCache> kv;  // from its first row until all its children have begun
  int64_t done = 0;           // the position of its next row
  size_t begun_children = 0;
  uint64_t bytes = 0;  // of pages that it alone holds
};

struct Window {
  Window(std::span<const Continuation> all, size_t from, size_t to, int64_t long_from, bool share)
      : first(from), tree(all.subspan(from, to - from), long_from, share), nodes(tree.size()), scores(tree.slots()) {
    for (size_t r = from; r < to; ++r) left.push_back(all[r].scored);
    for (size_t r = 0; r < left.size(); ++r) request_of.insert(request_of.end(), size_t(left[r]), r);
  }
  struct TokenScore {
    float log_probability = 0;
    bool likeliest = false;
  };
  size_t first;  // request
  TokenTree tree;
  std::vector<NodeState> nodes;
  std::vector<TokenScore> scores;
  std::vector<int64_t> left;       // targets of each request that are not scored yet
  std::vector<size_t> request_of;  // each slot's, counted from `first`
  size_t unfinished() const {
    return size_t(std::count_if(left.begin(), left.end(), [](int64_t n) { return n > 0; }));
  }
};
using WindowPtr = std::shared_ptr<Window>;

class Scoring {
 public:
  Scoring(const ModelPtr& model, std::span<const Continuation> requests, const ContinuationOptions& options)
      : model_(model), config_(model->config()), requests_(requests), options_(options) {
    SessionOptions& s = options_.session;
    PUNA_REQUIRE(s.max_positions >= 0 && s.max_positions <= config_.max_positions,
                 "max_positions is %jd, expected 0 to the model's %jd", s.max_positions, config_.max_positions);
    require_usable(s);
    if (s.max_positions == 0) s.max_positions = config_.max_positions;
    for (size_t r = 0; r < requests.size(); ++r) require_request(r);
    page_bytes_ = KvCache::bytes_for(config_, s.kept(), config_.page_size(), config_.page_size());
  }

  ContinuationWork run(FunctionRef<bool(size_t, const ContinuationScore&)> on_score, FunctionRef<bool()> stop) {
    while (build_pass()) {
      if (!compute(stop)) fail(Status::cancelled, "stopped after %zu of %zu requests", told_, requests_.size());
      ++work_.passes;
      finish_pass();
      tell(on_score);
    }
    return work_;
  }

 private:
  struct Ready {
    WindowPtr window;
    int32_t node;
    const TokenTree::Node& get() const { return window->tree[node]; }
    NodeState& state() const { return window->nodes[size_t(node)]; }
  };
  struct Part {
    Ready of;
    int64_t begin, end;
  };

  void require_request(size_t r) const {
    const Continuation& c = requests_[r];
    const auto size = int64_t(c.tokens.size());
    PUNA_REQUIRE(c.scored >= 1 && c.scored < size,
                 "request %zu scores %jd of its %jd tokens, expected one at least, and one before it", r, c.scored,
                 size);
    if (size - 1 > options_.session.max_positions)
      fail(Status::context_full, "request %zu has %jd tokens, the context holds %jd and one more to predict", r, size,
           options_.session.max_positions);
    for (int64_t t = 0; t < size; ++t)
      PUNA_REQUIRE(c.tokens[size_t(t)] >= 0 && c.tokens[size_t(t)] < config_.vocab,
                   "request %zu: token %jd is %d, expected 0 to %jd", r, t, c.tokens[size_t(t)], config_.vocab - 1);
  }

  // About a pass of rows; what begins alike is not parted where that can be helped.
  void next_window() {
    const size_t from = next_;
    const int64_t most = options_.session.prefill_chunk;
    int64_t rows = 0;
    while (next_ < requests_.size()) {
      const auto size = int64_t(requests_[next_].tokens.size());
      const int64_t shared =
          next_ == from || !options_.share ? 0 : shared_tokens(requests_[next_ - 1].tokens, requests_[next_].tokens);
      if (rows >= 2 * most || (rows >= most && 2 * shared < size)) break;
      rows += size - shared;
      ++next_;
      work_.tokens += size;
    }
    const auto window = std::make_shared<Window>(requests_, from, next_, config_.long_from, options_.share);
    for (const int32_t root : window->tree.roots()) ready_.push_back({window, root});
    live_.push_back(window);
  }

  int64_t ready_rows() const {
    int64_t rows = 0;
    for (const Ready& r : ready_) rows += r.get().end - std::max(r.get().begin, r.state().done);
    return rows;
  }

  uint64_t page_cost(const TokenTree::Node& n) const {
    const int64_t page = config_.page_size();
    return uint64_t((n.end - 1) / page - n.begin / page + 1) * page_bytes_;
  }

  // Keys and values of all that stands before the node.
  void begin_node(const Ready& r) {
    const TokenTree::Node& n = r.get();
    NodeState& state = r.state();
    state.bytes = page_cost(n);
    state.done = n.begin;
    if (n.parent >= 0) {
      NodeState& parent = r.window->nodes[size_t(n.parent)];
      if (++parent.begun_children == r.window->tree[n.parent].children.size()) {
        state.kv = std::move(parent.kv);
        parent.kv.reset();
        state.bytes += std::exchange(parent.bytes, 0);
        held_ -= state.bytes - page_cost(n);
      } else {
        state.kv = parent.kv;
      }
    } else {
      const int64_t shared = trunk_ && options_.share ? shared_tokens(trunk_->tokens, r.window->tree.tokens(n)) : 0;
      if (shared >= kTrunk && trunk_->is_long == n.is_long) {
        state.kv = trunk_->kv;
        // At least one row is computed, whose logits may be wanted: those of the trunk are gone.
        const int64_t first_wanted = n.targets.empty() ? n.end : n.targets.front().position;
        state.done = state.kv->rewind(std::min({shared, n.end - 1, first_wanted}));
      } else {
        state.kv.emplace(config_, model_->context().allocator(), options_.session.kept());
      }
    }
    state.kv->set_length(n.is_long ? config_.long_from + 1 : n.end);
    held_ += state.bytes;
  }

  bool build_pass() {
    batch_ = {};
    parts_.clear();
    wanted_.clear();
    while (next_ < requests_.size() && ready_rows() < options_.session.prefill_chunk) next_window();
    const int64_t most = options_.session.prefill_chunk,
                  most_wanted = std::max<int64_t>(1, kMostFloats / config_.vocab);
    for (const Ready& r : ready_) {
      const TokenTree::Node& n = r.get();
      NodeState& state = r.state();
      const int64_t rows = int64_t(batch_.rows.size());
      if (rows >= most || int64_t(batch_.wanted.size()) >= most_wanted) break;
      if (!state.kv) {
        if (!parts_.empty() && held_ + page_cost(n) > options_.kv_bytes) break;
        begin_node(r);
      }
      take(r, std::min(n.end, state.done + most - rows), most_wanted);
    }
    for (const Part& p : parts_) {
      p.of.state().kv->prepare(p.begin, p.end);
      batch_.sequences.push_back(&*p.of.state().kv);
    }
    return !parts_.empty();
  }

  // Rows of a node up to position `end`, or fewer where the logits would be too many.
  void take(const Ready& r, int64_t end, int64_t most_wanted) {
    const TokenTree::Node& n = r.get();
    NodeState& state = r.state();
    const auto sequence = int32_t(parts_.size());
    const int64_t begin = state.done;
    const std::vector<int32_t>& tokens = requests_[r.window->first + n.request].tokens;
    auto target = std::lower_bound(n.targets.begin(), n.targets.end(), begin,
                                   [](const TokenTree::Target& t, int64_t position) { return t.position < position; });
    int64_t p = begin;
    for (; p < end; ++p) {
      const auto first = target;
      while (target != n.targets.end() && target->position == p) ++target;
      if (target != first) {
        if (int64_t(batch_.wanted.size()) == most_wanted) break;
        batch_.wanted.push_back(int64_t(batch_.rows.size()));
        wanted_.push_back({r.window.get(), std::span(&*first, size_t(target - first))});
      }
      batch_.rows.push_back({sequence, p, tokens[size_t(p)], nullptr});
    }
    if (p > begin) parts_.push_back({r, begin, p});
  }

  bool compute(FunctionRef<bool()> stop) {
    const Context& context = model_->context();
    const bool exact = options_.session.exact;
    return run_measured(context, scratch_, "scratch of a pass", [&](Arena& arena) {
      Cursor cursor;
      Inference rec(context.kernels(), context.executor(), arena, cursor, exact, stop);
      if (!exact) rec.allow(context.permission());
      if (const AdapterPtr& adapter = options_.session.adapter) rec.use(&adapter->loras());
      const auto W = int64_t(batch_.wanted.size());
      const View logits = rec.make(W, config_.vocab);
      forward(rec, model_->llama(), batch_, logits);
      rec.stage(W, [&](int64_t i) { score({logits.row(i), size_t(config_.vocab)}, wanted_[size_t(i)]); });
      return rec.finished();
    });
  }

  struct Wanted {
    Window* window;
    std::span<const TokenTree::Target> targets;  // that this row's logits say
  };
  // The float of score(), so that all ways of asking give the same number.
  static void score(std::span<const float> logits, const Wanted& wanted) noexcept {
    const double normaliser = log_sum_exp(logits);
    const auto likeliest = int32_t(std::max_element(logits.begin(), logits.end()) - logits.begin());
    for (const TokenTree::Target& t : wanted.targets)
      wanted.window->scores[t.slot] = {float(double(logits[size_t(t.token)]) - normaliser), t.token == likeliest};
  }

  void finish_pass() {
    work_.rows += int64_t(batch_.rows.size());
    for (const Wanted& w : wanted_)
      for (const TokenTree::Target& t : w.targets) --w.window->left[w.window->request_of[t.slot]];
    std::vector<Ready> children;
    for (const Part& p : parts_) {
      const TokenTree::Node& n = p.of.get();
      NodeState& state = p.of.state();
      state.done = p.end;
      state.kv->commit(p.end);
      if (state.done < n.end) continue;
      if (n.parent < 0 && n.end >= kTrunk && options_.share) {
        const Tokens tokens = p.of.window->tree.tokens(n);
        trunk_ = Trunk{{tokens.begin(), tokens.end()}, *state.kv, n.is_long};
      }
      for (const int32_t child : n.children) children.push_back({p.of.window, child});
      if (!n.children.empty()) continue;
      held_ -= state.bytes;
      state.kv.reset();
    }
    std::erase_if(ready_, [](const Ready& r) { return r.state().kv && r.state().done == r.get().end; });
    std::erase_if(ready_, [&](const Ready& r) { return is_over(r); });
    ready_.insert(ready_.begin(), children.begin(), children.end());
  }
  // A leaf whose keys and values are gone again.
  static bool is_over(const Ready& r) { return !r.state().kv && r.state().done == r.get().end; }

  void tell(FunctionRef<bool(size_t, const ContinuationScore&)> on_score) {
    for (const WindowPtr& w : live_)
      for (size_t r = 0; r < w->left.size(); ++r) {
        if (w->left[r] != 0) continue;
        w->left[r] = -1;
        ContinuationScore score{.greedy = true};
        for (size_t s = w->tree.first_slot(r); s < w->tree.first_slot(r + 1); ++s) {
          score.log_likelihood += double(w->scores[s].log_probability);
          score.greedy = score.greedy && w->scores[s].likeliest;
        }
        ++told_;
        if (!on_score(w->first + r, score))
          fail(Status::cancelled, "stopped after %zu of %zu requests", told_, requests_.size());
      }
    std::erase_if(live_, [](const WindowPtr& w) { return w->unfinished() == 0; });
  }

  struct Trunk {  // what a root of the last window ended with
    std::vector<int32_t> tokens;
    KvCache kv;
    bool is_long;
  };

  ModelPtr model_;
  const LlamaConfig& config_;
  std::span<const Continuation> requests_;
  ContinuationOptions options_;
  uint64_t page_bytes_ = 0, held_ = 0;
  size_t next_ = 0, told_ = 0;
  std::deque<Ready> ready_;  // those that others wait for first
  std::vector<WindowPtr> live_;
  std::optional<Trunk> trunk_;
  Batch batch_;
  std::vector<Part> parts_;
  std::vector<Wanted> wanted_;  // of each wanted row
  Buffer scratch_;
  ContinuationWork work_;
};

}  // namespace

ContinuationWork score_continuations(const ModelPtr& model, std::span<const Continuation> requests,
                                     const ContinuationOptions& options,
                                     FunctionRef<bool(size_t, const ContinuationScore&)> on_score,
                                     FunctionRef<bool()> stop) {
  const FpEnv fp_env;
  PUNA_REQUIRE(model != nullptr, "model is NULL");
  return Scoring(model, requests, options).run(on_score, stop);
}

}  // namespace puna
