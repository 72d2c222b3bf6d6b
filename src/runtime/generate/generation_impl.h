// generation_impl.h -- what a Generation holds. Its step is three: prepare() says what has to be computed, the append
// is run (by append_next(), or by an engine together with those of others), draw() takes a token from the logits.
#pragma once
#include <optional>

#include "puna/runtime/generate.h"
#include "runtime/generate/generate_text.h"
#include "runtime/generate/speculation.h"
#include "runtime/session/session_impl.h"

namespace puna {

struct Generation::Impl {
  Session& session;
  const GenerateOptions options;
  Sampler sampler;
  AnswerText text;
  std::vector<int32_t> stop_tokens;
  Prompt next;  // to be appended before the next draw: the prompt; in a full session, the token drawn last
  Session::AppendRequest reading;  // how the prompt is appended, its owner apart
  bool whole;                      // next is all that the session shall hold
  struct Replacement {
    int64_t kept = 0, dropped = 0;
    Prompt rest;
  };
  std::optional<Replacement> replacement;  // what the append under way makes of the session, where it does not only add
  int64_t dropped = 0;
  bool ended = false, end_reported = false, stepping = false;
  GenerateResult result;
  GeneratedToken token;
  std::string token_text;
  std::vector<TokenProbability> probabilities;
  Session::Claim claim{};
  bool closes;                             // an answer in time, as long as the grammar's limits let its end be found
  std::optional<Matcher> matcher;          // of the grammar: behind the last token drawn
  std::optional<Speculation> speculation;  // until it has ended

  Impl(Session& s, const PromptView& prompt, GenerateOptions o);
  ~Impl() { session.leave(claim); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  // Makes the logits of the next draw. False: paused.
  bool compute_next(FunctionRef<bool()> pause);
  enum class Next {
    append,  // of session.impl_->append, which is begun
    draw,    // the logits are there
    paused,
  };
  // What the next draw needs. Guesses drafts, if there are to be any, and begins the append.
  Next prepare(FunctionRef<bool()> pause);
  void appended();  // the append has been committed
  // All or nothing: what may fail works on copies, so that the step can be repeated.
  void draw();
  void end() noexcept;

  // For beam search, which chooses among the answers itself; the logits are there.
  void distribution(std::span<float> out);  // log-probabilities [vocab] of the draw; -infinity = never drawn
  void take(int32_t id, std::vector<TokenProbability> likely = {});  // as if it had been drawn; all or nothing
  // The answer with this token behind it, if that ends it.
  std::optional<GenerateResult> ended_by(int32_t id) const;
  // This one's session is a fork of the other's: it goes on from the other's answer.
  void continue_from(const Impl& other);

 private:
  bool take_drafted();                         // the pending token is what was drafted, and so it is computed
  bool draft_next(FunctionRef<bool()> pause);  // guesses what follows the pending token, to compute both in one pass
  bool append_next(FunctionRef<bool()> pause);
  void begin_next();
  Replacement replacing(const Prompt& all, int64_t drop) const;
  Replacement drop_oldest() const;
  void replaced();
  void report_drafts() noexcept;
  int32_t in_time(int32_t id);
  bool ends(int32_t id, const AnswerText& after, const Matcher* grammar, StopReason& reason) const noexcept;
};

}  // namespace puna
