// session_impl.h -- what a session holds, and an append under way: tokens cut into passes, each computed as far as it may go.
#pragma once
#include <vector>

#include "ops/inference.h"
#include "puna/runtime/image.h"
#include "puna/runtime/session.h"
#include "runtime/image_encoding.h"

namespace puna {

void require_usable(const SessionOptions& o);  // Error{invalid_argument} for a prefill_chunk or a kv_type that no session has

struct Session::Impl {
  KvCache kv;
  Prompt held;                   // token ids, and the images that fill some of their positions
  int64_t complete = 0;          // positions whose keys and values are all there; below the number of tokens after a rewind into a dropped chunk
  Buffer logits, next_logits;    // of the last position; swapped when an append succeeds
  bool has_logits = false;
  Buffer scratch;
  SessionTimings timings;
  std::shared_ptr<Append> append;  // begun and not finished; of a batch, the same for all its sessions

  explicit Impl(KvCache cache) : kv(std::move(cache)) {}
};

struct Session::AppendRows {   // copies of what every new position gave, for one session only; NULL = not wanted
  float* logits = nullptr;     // [new tokens, vocab]
  float* hidden = nullptr;     // [new tokens, hidden]
};

// Several sessions' new tokens on their way through forward. A pass is up to prefill_chunk rows, taken from the sessions in order.
class Session::Append {
 public:
  using Rows = AppendRows;
  // Checks everything and changes nothing.
  Append(std::span<Session* const> sessions, std::span<const PromptView> prompts, const Rows& rows);
  // Goes on to the end (true: committed) or until `pause` says so (false). On an Error every session is as before the append.
  bool run(FunctionRef<bool()> pause);
  void roll_back() noexcept;
  void detach() noexcept;      // from its sessions: it ends with them

 private:
  struct Feed {                // what one session has to do: feed positions [done, size())
    Prompt all;                // what is committed, and the new
    int64_t first_new = 0;
    int64_t done = 0;          // fed so far
    size_t run = 0;            // of all.patches, that the next position has not passed
    int64_t size() const noexcept { return int64_t(all.tokens.size()); }
    const float* embedding(int64_t position, int64_t hidden) noexcept;  // what fills it, or NULL; positions ascend
  };
  bool encode_images(FunctionRef<bool()> stop);  // false: stopped
  bool begin_pass();           // false when nothing is left to feed
  bool compute(FunctionRef<bool()> stop);
  bool forward(Arena& arena, Cursor& cursor, FunctionRef<bool()> stop);
  void end_pass();
  void commit();
  bool cancelled() const noexcept;

  std::vector<Session*> sessions_;
  std::vector<Feed> feeds_;
  std::vector<ImageEncoding> encodings_;  // of images that have to be encoded first
  Rows rows_;
  Batch batch_;
  std::vector<float*> targets_;  // where each wanted row's logits go
  Cursor cursor_;
  bool in_pass_ = false;
  double seconds_ = 0;
};

}  // namespace puna
