// generate.cpp -- the loop: draw, turn into text, report, stop or append.
#include "puna/runtime/generate.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <new>
#include <utility>

#include "base/fp_env.h"
#include "puna/base/error.h"
#include "runtime/generate/generation_impl.h"
#include "runtime/generate/score_softmax.h"

namespace puna {
namespace {

// Adds the time from its construction to its destruction.
class Stopwatch {
 public:
  explicit Stopwatch(double& seconds) : seconds_(seconds), start_(Clock::now()) {}
  ~Stopwatch() { seconds_ += std::chrono::duration<double>(Clock::now() - start_).count(); }
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;

 private:
  using Clock = std::chrono::steady_clock;
  double& seconds_;
  Clock::time_point start_;
};

}  // namespace

void require_usable(const GenerateOptions& options, const Session& session) {
  const int64_t vocab = session.model().config().vocab;
  PUNA_REQUIRE(options.max_tokens >= 0, "max_tokens is %jd, expected 0 or more", options.max_tokens);
  PUNA_REQUIRE(options.log_probabilities >= 0 && options.log_probabilities <= vocab,
               "log_probabilities is %d, expected 0 to the vocabulary's %jd", options.log_probabilities, vocab);
  for (size_t i = 0; i < options.stop_tokens.size(); ++i)
    PUNA_REQUIRE(options.stop_tokens[i] >= 0 && options.stop_tokens[i] < vocab,
                 "stop_tokens[%zu] is %d, expected 0 to %jd", i, options.stop_tokens[i], vocab - 1);
  for (const auto& [id, bias] : options.sampler.logit_bias)
    PUNA_REQUIRE(id >= 0 && id < vocab, "logit_bias: token %d, expected 0 to %jd", id, vocab - 1);
  const bool drops = options.context_policy == ContextPolicy::drop_oldest;
  PUNA_REQUIRE(drops || options.context_policy == ContextPolicy::error, "context_policy is %d, expected 0 or 1",
               int(options.context_policy));
  PUNA_REQUIRE(options.keep_prefix >= 0 && (!drops || options.keep_prefix <= session.max_positions() - 2),
               "keep_prefix is %jd, expected at least 0 and at most %jd, two positions less than the context",
               options.keep_prefix, session.max_positions() - 2);
  if (options.grammar) {
    session.model().require_tokenizer();
    PUNA_REQUIRE(!options.ignore_eos, "ignore_eos together with a grammar, which says itself where an answer may end");
  }
  PUNA_REQUIRE(!options.close_answer || options.grammar,
               "close_answer without a grammar, expected one: it says what an end is");
  (void)Sampler(options.sampler);
  (void)StopStrings(options.stop_strings);
  require_usable_drafts(options, session);
}

Generation::Impl::Impl(Session& s, const PromptView& prompt, GenerateOptions o)
    : session(s),
      options(std::move(o)),
      sampler(options.sampler),
      text(s.model().tokenizer(), options.keep_special, options.stop_strings),
      stop_tokens(options.stop_tokens),
      next(slice(prompt, 0, int64_t(prompt.tokens.size()))),
      whole(options.keep_shared),
      closes(options.close_answer) {
  require_usable(options, session);
  PUNA_REQUIRE(!whole || !next.tokens.empty(),
               "an empty prompt shares nothing with the session: keep_shared needs tokens");
  session.require_prompt(next);
  const Tokenizer* tokenizer = session.model().tokenizer();
  if (tokenizer && !options.ignore_eos) {
    const std::vector<int32_t>& own = tokenizer->specials().stop;
    stop_tokens.insert(stop_tokens.end(), own.begin(), own.end());
  }
  if (options.grammar) {
    matcher.emplace(options.grammar, session.model().grammar_vocabulary(), stop_tokens);
    PUNA_REQUIRE(!matcher->ended(), "the grammar allows the empty answer only");
    result.whole = matcher->accepting();
  }
  speculation.emplace(options, session, matcher ? &*matcher : nullptr);
  session.claim(claim);
}
bool Generation::Impl::compute_next(FunctionRef<bool()> pause) {
  if (!next.tokens.empty()) return append_next(pause);
  if (take_drafted()) return true;
  try {
    return draft_next(pause) && append_next(pause);
  } catch (const Error& e) {
    if (e.status() != Status::out_of_memory || !speculation->give_up()) throw;
  } catch (const std::bad_alloc&) {
    if (!speculation->give_up()) throw;
  }
  return append_next(pause);  // what would fit without drafts does
}

bool Generation::Impl::take_drafted() {
  if (session.works_for(claim)) return false;
  session.check_cancel();
  if (!session.take_ahead()) return false;
  claim.changes = session.changes();
  speculation->accepted();
  report_drafts();
  return true;
}

bool Generation::Impl::draft_next(FunctionRef<bool()> pause) {
  if (session.works_for(claim)) return true;
  speculation->settle();
  report_drafts();
  // The last token of the answer needs no pass.
  const int64_t drawn = int64_t(result.tokens.size()),
                left = options.max_tokens > 0 ? options.max_tokens - drawn - 1 : session.max_positions();
  const auto stop = [&] { return session.cancelled() || (pause && pause()); };
  const DraftRequest request{.history = session.tokens(),
                             .draw_index = uint64_t(session.length() + dropped),
                             .most = std::min(session.most_ahead(), left)};
  if (speculation->propose(request, stop)) return true;
  session.check_cancel();
  return false;
}

void Generation::Impl::report_drafts() noexcept {
  result.accepted_drafts = speculation->accepted_tokens();
  result.rejected_drafts = speculation->rejected_tokens();
}

// False: paused.
bool Generation::Impl::append_next(FunctionRef<bool()> pause) {
  if (!session.works_for(claim)) begin_next();
  try {
    if (!session.step_append(pause)) return false;
  } catch (...) {
    if (replacement && claim.changes != session.changes()) replaced();  // memory did not suffice to keep what was to go
    claim.changes = session.changes();
    throw;
  }
  appended();
  return true;
}

void Generation::Impl::appended() {
  claim.changes = session.changes();
  if (next.tokens.empty()) speculation->computed();
  if (result.tokens.empty())
    result.prompt_tokens = int64_t(whole ? replacement->rest.tokens.size() : next.tokens.size());
  if (replacement) replaced();
  next = {};
}

Generation::Impl::Next Generation::Impl::prepare(FunctionRef<bool()> pause) {
  if (session.works_for(claim)) return Next::append;
  if (next.tokens.empty()) {
    if (!session.pending() || take_drafted()) return Next::draw;
    try {
      if (!draft_next(pause)) return Next::paused;
      begin_next();
      return Next::append;
    } catch (const Error& e) {
      if (e.status() != Status::out_of_memory || !speculation->give_up()) throw;
    } catch (const std::bad_alloc&) {
      if (!speculation->give_up()) throw;
    }
  }
  begin_next();
  return Next::append;
}

void Generation::Impl::begin_next() {
  session.require_idle();
  replacement.reset();
  const int64_t size = (whole ? 0 : session.length()) + int64_t(next.tokens.size());
  const bool drops = size > session.max_positions() && options.context_policy == ContextPolicy::drop_oldest;
  if (next.tokens.empty() && !speculation->draft().empty())
    return session.begin(speculation->draft(), Session::AppendRequest{.owner = &claim, .ahead = true});
  if (!whole && !drops) {
    Session::AppendRequest request = result.tokens.empty() ? reading : Session::AppendRequest();
    request.owner = &claim;
    return session.begin(next, request);
  }
  Replacement r = drops ? drop_oldest() : replacing(next, 0);
  session.begin(r.rest, Session::AppendRequest{.options = {.kept = r.kept}, .owner = &claim});
  replacement = std::move(r);
}

Generation::Impl::Replacement Generation::Impl::replacing(const Prompt& all, int64_t drop) const {
  const int64_t kept = kept_of(all, session.held());
  return {kept, drop, slice(all, kept, int64_t(all.tokens.size()))};
}

// Keeps the prefix and the newest half of what fits after it, of the session's tokens and the next ones together.
Generation::Impl::Replacement Generation::Impl::drop_oldest() const {
  Prompt all;
  if (!whole) all = slice(session.held(), 0, session.length());
  all.append(next);
  const int64_t prefix = options.keep_prefix, tail = (session.max_positions() - prefix) / 2,
                size = int64_t(all.tokens.size());
  const int64_t drop = size - prefix - tail;
  Prompt kept = slice(all, 0, prefix);
  kept.append(slice(all, prefix + drop, size));
  return replacing(kept, drop);
}

// The session holds what the replacement keeps: from now on its rest is only to be added.
void Generation::Impl::replaced() {
  next = std::move(replacement->rest);
  dropped += replacement->dropped;
  whole = false;
  replacement.reset();
  speculation->forget_history();
}

void Generation::Impl::draw() {
  const std::span<const float> logits = session.logits();
  int32_t id = -1;
  {
    const Session::Running running(session);
    const TokenMask allowed = matcher ? matcher->mask() : TokenMask::everything();
    id = sampler.sample(logits, session.tokens(), uint64_t(session.length() + dropped), options.processor, allowed)
             .token;
    if (closes) id = in_time(id);
  }
  std::vector<TokenProbability> likely(std::min(size_t(options.log_probabilities), logits.size()));
  if (!likely.empty()) most_likely(logits, id, likely);
  take(id, std::move(likely));
}

void Generation::Impl::take(int32_t id, std::vector<TokenProbability> likely) {
  const bool fits = session.length() < session.max_positions();
  Prompt following;
  if (!fits) following.tokens.push_back(id);
  std::vector<int32_t>& held = session.impl_->held.tokens;
  if (held.size() == held.capacity()) held.reserve(2 * held.size() + 1);
  AnswerText after = text;
  std::string piece = after.push(id);
  const std::string tail = AnswerText(after).finish();  // should this token be the last
  piece.reserve(piece.size() + tail.size());
  result.text.reserve(result.text.size() + piece.size() + tail.size());
  if (result.tokens.size() == result.tokens.capacity()) result.tokens.reserve(2 * result.tokens.size() + 1);
  if (matcher) matcher->accept(id);  // nothing behind this fails
  StopReason reason{};
  const bool last = ends(id, after, matcher ? &*matcher : nullptr, reason);
  if (last) piece += tail;
  result.tokens.push_back(id);
  result.whole = !matcher || matcher->accepting();
  result.text += piece;
  result.reason = reason;
  std::swap(text, after);
  std::swap(next, following);
  if (fits) session.hold(id);
  claim.changes = session.changes();
  std::swap(probabilities, likely);
  std::swap(token_text, piece);
  token = {id, token_text, probabilities};
  if (last) end();
}

void Generation::Impl::distribution(std::span<float> out) {
  const TokenMask allowed = matcher ? matcher->mask() : TokenMask::everything();
  sampler.distribution(session.logits(), session.tokens(), out, options.processor, allowed);
}

std::optional<GenerateResult> Generation::Impl::ended_by(int32_t id) const {
  AnswerText after = text;
  std::string piece = after.push(id);
  std::optional<Matcher> behind = matcher;
  if (behind) behind->accept(id);
  StopReason reason{};
  if (!ends(id, after, behind ? &*behind : nullptr, reason)) return std::nullopt;
  GenerateResult r = result;
  r.tokens.push_back(id);
  r.text += piece + after.finish();
  r.reason = reason;
  r.whole = !behind || behind->accepting();
  return r;
}

void Generation::Impl::continue_from(const Impl& other) {
  text = other.text;
  result = other.result;
  matcher = other.matcher;
}

// The token that was drawn, where the answer can still be ended behind it; else the next one of its shortest end.
int32_t Generation::Impl::in_time(int32_t id) {
  const int64_t drawn = int64_t(result.tokens.size());
  int64_t left = options.context_policy == ContextPolicy::error ? session.max_positions() - session.length()
                                                                : std::numeric_limits<int64_t>::max();
  if (options.max_tokens > 0) left = std::min(left, options.max_tokens - drawn - 1);
  try {
    if (matcher->bytes_to_close(id) <= uint64_t(left)) return id;  // a token has a byte at least
    Matcher after = *matcher;
    after.accept(id);
    if (after.closing_tokens(size_t(left))) return id;
    const std::optional<std::vector<int32_t>> end = matcher->closing_tokens(size_t(left) + 1);
    if (!end) return id;  // it was too late at the start
    return end->empty() ? stop_tokens.empty() ? id : stop_tokens.front() : end->front();
  } catch (const Error& e) {
    if (e.status() != Status::invalid_argument) throw;
    closes = false;  // a limit of the grammar's, which the look ahead runs into, is no error of the answer
    return id;
  }
}

// Whether the answer ends with this token, which is not among result.tokens yet; text and grammar are those behind it.
bool Generation::Impl::ends(int32_t id, const AnswerText& after, const Matcher* grammar,
                            StopReason& reason) const noexcept {
  const bool stop_token = std::find(stop_tokens.begin(), stop_tokens.end(), id) != stop_tokens.end();
  const bool last = options.max_tokens > 0 && int64_t(result.tokens.size()) + 1 >= options.max_tokens;
  const bool full = options.context_policy == ContextPolicy::error && session.length() == session.max_positions();
  const bool whole = grammar && grammar->ended();
  reason = after.stopped() ? StopReason::stop_string
           : stop_token    ? StopReason::stop_token
           : whole         ? StopReason::grammar
           : last          ? StopReason::max_tokens
                           : StopReason::context_full;
  return after.stopped() || stop_token || whole || last || full;
}

void Generation::Impl::end() noexcept {
  ended = true;
  speculation->settle();
  report_drafts();
  speculation.reset();
  session.leave(claim);
}

Generation::Generation(Session& session, const PromptView& prompt, GenerateOptions options)
    : impl_(std::make_unique<Impl>(session, prompt, std::move(options))) {}

Generation::~Generation() = default;

Generation::Event Generation::step(FunctionRef<bool()> pause) {
  const FpEnv fp_env;
  Impl& g = *impl_;
  if (g.ended) {
    // A cancel that came too late for this answer is not meant for the next.
    if (!g.end_reported && g.claim.changes == g.session.changes() && !g.session.under_way()) g.session.clear_cancel();
    g.end_reported = true;
    return Event::ended;
  }
  if (g.stepping)
    fail(Status::wrong_state,
         "a step of this generation is running: its callbacks may cancel the session, and nothing else");
  const struct Stepping {
    bool& on;
    explicit Stepping(bool& flag) : on(flag) { on = true; }
    ~Stepping() { on = false; }
  } stepping{g.stepping};
  g.session.require_unchanged(g.claim);
  if (!g.session.works_for(g.claim)) g.session.require_idle();
  if (!g.next.tokens.empty() || g.session.pending()) {
    const Stopwatch time(g.result.tokens.empty() ? g.result.prompt_seconds : g.result.generate_seconds);
    if (!g.compute_next(pause)) return Event::paused;
  } else {
    g.session.check_cancel();
  }
  const Stopwatch time(g.result.generate_seconds);
  g.draw();
  return Event::token;
}

Session& Generation::session() const noexcept { return impl_->session; }
const GeneratedToken& Generation::token() const noexcept { return impl_->token; }
const GenerateResult& Generation::result() const noexcept { return impl_->result; }

void Generation::stop(StopReason reason) {
  if (impl_->ended) return;
  impl_->end();
  impl_->result.reason = reason;
  impl_->result.text += impl_->text.finish();
}

void finish(Generation& generation, OnToken on_token) {
  const FpEnv fp_env;
  const struct ClearCancel {  // a cancel() that came too late for this call is not meant for the next
    Session& session;
    ~ClearCancel() { session.clear_cancel(); }
  } clear_on_return{generation.session()};
  try {
    while (generation.step({}) != Generation::Event::ended) {
      bool go_on = true;
      if (on_token) {
        const Session::Running running(generation.session());
        go_on = on_token(generation.token());
      }
      if (!go_on) generation.stop(StopReason::callback);
    }
  } catch (...) {
    generation.stop(StopReason::interrupted);
    throw;
  }
}

GenerateResult generate(Session& session, const PromptView& prompt, const GenerateOptions& options, OnToken on_token) {
  const FpEnv fp_env;
  Generation generation(session, prompt, options);
  finish(generation, on_token);
  return generation.result();
}

}  // namespace puna
