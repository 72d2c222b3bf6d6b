// sinks.h -- the writers of the protocols: each turns pieces of answers into its JSON, whole or as a stream.
#pragma once
#include <memory>
#include <string>

#include "answering.h"

namespace puna::serve {

// What every answer of a request says.
struct AnswerHead {
  std::string id, model;
  int64_t created = 0;
  int answers = 1;
  bool stream = false, include_usage = false, logprobs = false;
  http::Fields fields;  // of HTTP
};

std::unique_ptr<Sink> chat_sink(const http::Reply& reply, const AnswerHead& head);
std::unique_ptr<Sink> completion_sink(const http::Reply& reply, const AnswerHead& head);
// `request`: fields of the request that a response repeats, as JSON members.
std::unique_ptr<Sink> responses_sink(const http::Reply& reply, const AnswerHead& head, const std::string& request);
std::unique_ptr<Sink> messages_sink(const http::Reply& reply, const AnswerHead& head, int64_t prompt_tokens);
std::unique_ptr<Sink> embedding_sink(const http::Reply& reply, const AnswerHead& head, bool base64);

// ---- what they share ----

// The head of a stream of events; `ping` is repeated while nothing else is sent.
void begin_stream(const http::Reply& reply, const AnswerHead& head, const char* ping);
void send_error(const http::Reply& reply, const AnswerHead& head, const ApiError& e, Dialect dialect);

std::string usage_json(const Usage& u);                // OpenAI's
const char* finish_name(Finish finish);                // likewise
std::string chat_logprobs(const TokenLogprobs& list);  // [{"token", "logprob", "bytes", "top_logprobs"}, ...]

// The log-probabilities of a completion: tokens, token_logprobs, top_logprobs, text_offset.
class CompletionLogprobs {
 public:
  void add(const TokenLogprob& token);
  bool empty() const { return tokens_.empty(); }
  std::string take();  // the JSON object, and nothing is left; offsets go on
 private:
  std::string tokens_, values_, tops_, offsets_;
  size_t offset_ = 0;
};
std::string completion_json(const AnswerHead& head, const std::string& choices, const Usage& usage);
std::string completion_choice(int index, const std::string& text, const std::string& logprobs, const char* finish);

}  // namespace puna::serve
