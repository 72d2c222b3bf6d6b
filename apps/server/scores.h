// scores.h -- what is computed beside the answers, on a session of its own: log-probabilities of a prompt's own tokens,
// embeddings.
#pragma once
#include <atomic>
#include <memory>
#include <span>
#include <vector>

#include "answering.h"
#include "models.h"

namespace puna::serve {

// Cancels the session that works for a request, from any thread.
class Cancel {
 public:
  void cancel() noexcept;
  bool requested() const noexcept { return requested_.load(); }
  // While it exists, cancel() reaches this session.
  class Use {
   public:
    Use(Cancel& cancel, Session& session);
    ~Use();

   private:
    Cancel& cancel_;
  };

 private:
  std::atomic<bool> requested_{false};
  std::mutex mutex_;
  Session* session_ = nullptr;
};

// Appends the prompt to an empty session, a few positions at a time. For each token what the model gave it after those
// before it, and the `top` most likely there.
TokenLogprobs score_prompt(Session& session, std::span<const int32_t> ids, size_t top);

// [hidden], of length 1.
std::vector<float> embed(Session& session, std::span<const int32_t> ids, Pooling pooling);

// The prompts with their log-probabilities, each with its answers behind it, to a sink that has begun.
struct EchoPrompt {
  std::vector<int32_t> ids;
  std::string text;
  bool begun = false;  // the first id is no part of the text
  GenerateOptions generate;
  int64_t max_tokens = 0;  // 0 = no answer
  int n = 1;
};
Usage echo(const std::vector<EchoPrompt>& prompts, const ChosenModel& chosen, int top_logprobs, Sink& sink,
           Cancel& cancel);

}  // namespace puna::serve
