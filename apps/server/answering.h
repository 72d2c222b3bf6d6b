// answering.h -- from the events of answers under way to a protocol's pieces: text, calls of tools, log-probabilities,
// ends, usage. Ends every request, with an answer or an error, and cancels what nobody waits for any more.
#pragma once
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
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

  // How answers are read: calls of tools, as soon as they begin, and of a chat what the model thinks, with which it may
  // begin.
  struct Reading {
    Tools tools = {};
    bool early = false, chat = false, begins_in_thought = false;
  };
  // Adds a prompt and its answers. `logprobs`: they are handed to the sink.
  void add(Work work, const Reading& reading, bool logprobs);
  ~Answering();
  void start();  // submits all; ApiError: nothing was begun

 private:
  class Reader;
  struct Part {  // a prompt
    Work work;
    std::shared_ptr<Running> running;
    int first = 0;  // number of its first answer
    bool ended = false;
  };
  bool hear(size_t part, const Event& event);
  void end_part(Part& part, const Event& event);
  void fail_all(const ApiError& error);
  void cancel() noexcept;
  void finish(int status);

  const http::Reply reply_;
  const ChosenModel chosen_;
  const std::function<void(const Measured&)> finished_;
  std::atomic<bool> cancelled_{false};
  std::mutex mutex_;  // of what follows
  std::unique_ptr<Sink> sink_;
  std::vector<Part> parts_;
  std::vector<std::unique_ptr<Reader>> readers_;  // one an answer
  size_t left_ = 0;                               // parts that have not ended
  bool begun_ = false, over_ = false;
  Measured measured_;
  Clock::time_point start_, last_token_;
};

}  // namespace puna::serve
