// api.h -- the endpoints: from a request to its answer. docs/serving.md has a section for each.
#pragma once
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "answering.h"
#include "http/server.h"
#include "keys.h"
#include "log.h"
#include "metrics.h"
#include "models.h"
#include "requests.h"

namespace puna::serve {

struct ApiOptions {
  std::string host = "127.0.0.1";
  bool loopback = true;              // only this machine reaches the server
  std::vector<std::string> origins;  // whose pages may ask, besides our own; "*" = all, and then without credentials
  bool log_content = false;
  bool page = true;
  Pooling pooling = Pooling::mean;  // of embeddings
  RequestLimits limits;
};

class Api {
 public:
  Api(Models& models, Keys keys, const ApiOptions& options, Log& log);

  // Refusals of strangers, /health, the page: by the thread that polls.
  std::optional<http::Answer> quick(const http::Request& request);
  void handle(const http::Request& request, const http::Reply& reply);
  void drain() { draining_ = true; }
  uint64_t answered() const { return answered_.load(); }  // requests that have ended
  http::Answer draining_answer(const http::Request& request) const;
  void set_counts(std::function<http::ServerCounts()> counts) { counts_ = std::move(counts); }

 private:
  struct Call;
  using Endpoint = void (Api::*)(Call&);
  struct Route {
    const char* method;
    Endpoint endpoint;
    Dialect dialect = Dialect::openai;
  };
  static const std::map<std::string, Route, std::less<>>& routes();
  class Slot;  // of a key's requests at once

  void answer(Call& call, const Route& route);
  void authorise(Call& call) const;
  ChosenModel choose(const Call& call, const std::string& model);
  void send(Call& call, const std::string& body, const char* type = "application/json");
  void fail(Call& call, const ApiError& error);
  std::function<void(const Measured&)> measure(Call& call);
  void finished(const Call& call, const Measured& measured, const std::string& error);
  // A chat in any protocol: what is left of it after its body was read.
  void chat(Call& call, const ChatRequest& request, const char* id_prefix,
            const std::function<std::unique_ptr<Sink>(const struct AnswerHead&, int64_t prompt_tokens)>& sink);

  void chat_completions(Call& call);
  void completions(Call& call);
  void embeddings(Call& call);
  void responses(Call& call);
  void messages(Call& call);
  void count_tokens(Call& call);
  void tokenize(Call& call);
  void detokenize(Call& call);
  void tokenizer_info(Call& call);
  void list_models(Call& call);
  void one_model(Call& call);
  void metrics(Call& call);
  void rerank(Call& call);

  Models& models_;
  const Keys keys_;
  const ApiOptions o_;
  Log& log_;
  Metrics metrics_;
  std::function<http::ServerCounts()> counts_;
  std::atomic<bool> draining_{false};
  std::atomic<uint64_t> answered_{0};
  mutable std::mutex mutex_;
  std::map<std::string, int> busy_;  // requests at once, by the key's name
};

}  // namespace puna::serve
