// answering.h -- from the events of answers under way to a protocol's pieces: text, calls of tools, log-probabilities,
// ends, usage. Ends every request, with an answer or an error, and cancels what nobody waits for any more.
#pragma once
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "api_error.h"
#include "http/answer.h"
#include "models.h"
#include "puna/chat/tool_parser.h"

namespace puna::serve {

struct TokenLogprob {
  std::string bytes;
  double logprob = 0;
  bool first = false;   // of a prompt: nothing stands before it, so it has no probability
  bool unseen = false;  // put in front of a text: no part of it
  std::vector<std::pair<std::string, double>> top;
};
using TokenLogprobs = std::vector<TokenLogprob>;

struct Piece {
  enum class Kind : uint8_t { text, call_begin, arguments, call_end, thought };
  Kind kind = Kind::text;
  std::string text;  // said or thought; call_begin: the tool's name
  size_t call = 0;   // its number in the answer
  std::string id;    // call_begin: the call's
};

enum class Finish : uint8_t { stop, stop_string, length, tool_calls };

// How an answer is read.
struct Reading {
  Tools tools = {};                // that may be called; empty = what comes is text
  bool early = false;              // calls cannot go wrong: their arguments are told as they are written
  bool chat = false;               // calls and thoughts are looked for
  bool begins_in_thought = false;  // the prompt ends with the mark behind which the model thinks
  // Both, or none: the answer is by one of these, calls alone or a text.
  GrammarPtr calls = {}, text = {};
  bool logprobs = false;       // are handed to the sink
  bool stop_logprobs = false;  // also of the token that ends an answer: whoever scores texts counts on one a token
};

// A prompt that stands in front of its answers, with log-probabilities if the work asks for them.
struct Echo {
  std::vector<int32_t> ids = {};
  std::string text = {};
  bool begun = false;   // the first id is no part of the text
  bool scored = false;  // log-probabilities are asked for
};

struct Usage {
  int64_t prompt = 0, completion = 0, cached = 0, accepted = 0, rejected = 0;
};

// A protocol's writer. One call at a time. Answers are numbered from 0 over all of a request's prompts.
class Sink {
 public:
  virtual ~Sink() = default;
  virtual bool tells_thoughts() const { return false; }  // else they are text
  virtual void begin() {}                                // the request was taken; nothing has come yet
  // `logprobs`: of the tokens since the last call of this answer; empty unless asked for.
  virtual void piece(int answer, const Piece& piece, const TokenLogprobs& logprobs) = 0;
  virtual void embedding(int answer, std::span<const float> values) { (void)answer, (void)values; }
  // `stop`: the text that ended it (Finish::stop_string).
  virtual void end(int answer, Finish finish, const std::string& stop, const TokenLogprobs& rest) = 0;
  virtual void done(const Usage& usage) = 0;
  virtual void failed(const ApiError& error) = 0;
};

// "chatcmpl-" and 24 letters and digits.
std::string new_id(const char* prefix, int characters = 24);

// What is counted and logged of a request.
struct Measured {
  Usage usage = {};
  int status = 0;
  std::string model = {};
  double first_token = 0;                  // seconds; 0 = none came
  std::vector<float> between_tokens = {};  // likewise
};

class Answering : public std::enable_shared_from_this<Answering> {
 public:
  using Clock = std::chrono::steady_clock;
  // `finished`: called once, when the last piece was handed over.
  Answering(http::Reply reply, std::unique_ptr<Sink> sink, ChosenModel chosen,
            std::function<void(const Measured&)> finished);

  // Adds a prompt and its answers.
  void add(Work work, const Reading& reading, std::optional<Echo> echo = {});
  ~Answering();
  // Submits all that the queue takes; the rest follows as parts end. ApiError: nothing was begun.
  void start();

 private:
  class Reader;
  struct Part {  // a prompt
    Work work;
    std::shared_ptr<Running> running;  // also under running_mutex_
    std::optional<Echo> echo;          // until it was told
    int first = 0;                     // number of its first answer
    int answers = 1, prompt_top = -1;
    bool embeds = false, ended = false;
    int64_t told = 0;  // tokens
  };
  void submit_more();
  void submit(size_t part);
  bool hear(size_t part, const Event& event);
  bool tell(Part& part, const Event& event);
  void tell_prompt(Part& part);
  void end_part(Part& part, const Event& event);
  void fail_all(const ApiError& error);
  void give_up(const std::exception& error) noexcept;
  void cancel() noexcept;
  void finish(int status);

  const http::Reply reply_;
  ChosenModel chosen_;
  const std::function<void(const Measured&)> finished_;
  std::atomic<bool> cancelled_{false};
  std::mutex mutex_;  // of what follows
  std::unique_ptr<Sink> sink_;
  std::vector<Part> parts_;
  std::vector<std::unique_ptr<Reader>> readers_;  // one an answer
  size_t left_ = 0;                               // parts that have not ended
  size_t submitted_ = 0;                          // parts, in order
  std::mutex running_mutex_;                      // never held while something is written
  bool begun_ = false, over_ = false;
  Measured measured_;
  Clock::time_point start_, last_token_;
};

}  // namespace puna::serve
